"""What a search may cost is said as RFC 5530's LIMIT, by SEARCH, SORT, THREAD and ESEARCH alike."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from accounts.login import Identity
from accounts.mailstore import search_work
from accounts.mailstore.folders import create_folder
from accounts.models import Mailbox
from tests.accounts.mail import append_many, inbox, make_mailbox
from tests.transcripts.direct import DirectVenue
from tests.transcripts.given import Scene

pytestmark = pytest.mark.django_db(transaction=True)

# NOT is a key, too.
FEW = b"NOT TEXT q " * 49 + b"ALL"
MANY = b"NOT TEXT q " * 500 + b"ALL"

Ask = Callable[[bytes], bytes]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    monkeypatch.setattr(search_work, "ALLOWANCE", 0)
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 3)
    for name in ("Work", "Work/Done"):
        append_many(mailbox_id, create_folder(mailbox_id, name).id, 3)
    venue = DirectVenue(Scene("imap"))
    wire: Any = venue.connect()
    address = Mailbox.objects.get(pk=mailbox_id).address
    wire._session._client.identity = Identity(mailbox_id, 1, address, 1)

    def ask(command: bytes) -> bytes:
        wire.send(b"a " + command + b"\r\n")
        said = b""
        while (line := wire.read_line()) is not None:
            said += line
            if line.startswith(b"a "):
                break
        return said

    ask(b"SELECT INBOX")
    # Texts are read and kept once.
    ask(b"ESEARCH IN (personal) TEXT q")
    yield ask
    venue.end()


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
    assert b"a OK " in ask(command % FEW)
    assert b"a NO [LIMIT] " in ask(command % MANY)
    assert b"a OK " in ask(b"SEARCH TEXT q")


@pytest.mark.parametrize(
    "command", [b"SEARCH RETURN (SAVE) %b", b"SORT RETURN (SAVE) (SUBJECT) UTF-8 %b"]
)
def test_nothing_is_saved_then(ask: Ask, command: bytes) -> None:
    """RFC 5182 §2.1."""
    ask(command % b"1:2")
    assert ask(b"FETCH $ UID").count(b" FETCH ") == 2
    assert b"a NO [LIMIT] " in ask(command % MANY)
    assert ask(b"FETCH $ UID").count(b" FETCH ") == 0


def test_what_may_be_refused_is_not_followed(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_work, "ALLOWANCE", 100_000)
    assert b"NOUPDATE" in ask(b"SEARCH RETURN (UPDATE) " + b"UNSEEN " * 100 + b"UNSEEN")
    assert b"NOUPDATE" not in ask(b"SEARCH RETURN (UPDATE) " + b"UNSEEN " * 99 + b"UNSEEN")
