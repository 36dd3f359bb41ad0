"""What a search may cost is said as RFC 5530's LIMIT, by SEARCH, SORT, THREAD and ESEARCH alike."""

from collections.abc import Callable
from functools import partial

import pytest

from accounts.mailstore import search_work
from accounts.mailstore.folders import create_folder
from tests.accounts.mail import append_many, inbox
from tests.servers.imap import asking
from tests.transcripts.direct import DirectWire

pytestmark = pytest.mark.django_db(transaction=True)

# NOT is a key, too.
FEW = b"NOT TEXT q " * 49 + b"ALL"
MANY = b"NOT TEXT q " * 500 + b"ALL"

Ask = Callable[[bytes], bytes]


@pytest.fixture
def ask(wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.setattr(search_work, "ALLOWANCE", 0)
    append_many(mailbox_id, inbox(mailbox_id), 3)
    for name in ("Work", "Work/Done"):
        append_many(mailbox_id, create_folder(mailbox_id, name).id, 3)
    ask = partial(asking.ask, wire)
    ask(b"SELECT INBOX")
    # Texts are read and kept once.
    ask(b"ESEARCH IN (personal) TEXT q")
    return ask


@pytest.mark.parametrize(
    "command",
    [
        b"SEARCH %b",
        b"UID SEARCH %b",
        b"SORT (SUBJECT) UTF-8 %b",
        b"THREAD REFERENCES UTF-8 %b",
        b"ESEARCH IN (selected subtree Work) %b",
    ],
)
def test_too_many_keys_are_a_limit(ask: Ask, command: bytes) -> None:
    assert b"t OK " in ask(command % FEW)
    assert b"t NO [LIMIT] " in ask(command % MANY)
    assert b"t OK " in ask(b"SEARCH TEXT q")


@pytest.mark.parametrize(
    "command", [b"SEARCH RETURN (SAVE) %b", b"SORT RETURN (SAVE) (SUBJECT) UTF-8 %b"]
)
def test_nothing_is_saved_then(ask: Ask, command: bytes) -> None:
    """RFC 5182 §2.1."""
    ask(command % b"1:2")
    assert ask(b"FETCH $ UID").count(b" FETCH ") == 2
    assert b"t NO [LIMIT] " in ask(command % MANY)
    assert ask(b"FETCH $ UID").count(b" FETCH ") == 0


def test_what_may_be_refused_is_not_followed(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_work, "ALLOWANCE", 100_000)
    assert b"NOUPDATE" in ask(b"SEARCH RETURN (UPDATE) " + b"UNSEEN " * 100 + b"UNSEEN")
    assert b"NOUPDATE" not in ask(b"SEARCH RETURN (UPDATE) " + b"UNSEEN " * 99 + b"UNSEEN")


def test_folders_without_messages_count_too(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_work, "ALLOWANCE", 40_000)
    for name in ("A", "B", "C"):
        create_folder(mailbox_id, name)
    command = b"ESEARCH IN (subtree (A B C)) " + b"UNSEEN " * 300
    assert b"t NO [LIMIT] " in asking.ask(wire, command + b"UNSEEN")
    assert b"t OK " in asking.ask(wire, b"ESEARCH IN (subtree (A B C)) " + b"UNSEEN " * 99 + b"ALL")
