"""The database goes away after a command is done: it is not told NO, and no news are lost."""

from typing import Any

import pytest
from django.db import OperationalError

from accounts.mailstore import append, copy, index
from protocols.servers.imap import watching
from tests.accounts.mail import append_many, inbox
from tests.servers.imap.asking import ask
from tests.transcripts.direct import DirectWire

pytestmark = pytest.mark.django_db(transaction=True)


class Outage:
    """Makes functions fail for as long as `is_on`, and others begin it once they are done."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self.is_on = False

    def fails(self, where: Any, name: str) -> None:
        does = getattr(where, name)

        def reads(*args: Any, **kwargs: Any) -> Any:
            if self.is_on:
                raise OperationalError("the connection is lost")
            return does(*args, **kwargs)

        self._patch.setattr(where, name, reads)

    def begins_after(self, where: Any, name: str) -> None:
        does = getattr(where, name)

        def begins(*args: Any, **kwargs: Any) -> Any:
            future = does(*args, **kwargs)
            future.result(30)
            self.is_on = True
            return future

        self._patch.setattr(where, name, begins)


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> Outage:
    return Outage(monkeypatch)


@pytest.fixture
def wire(wire: DirectWire, mailbox_id: int) -> DirectWire:
    """With three messages in the selected INBOX."""
    append_many(mailbox_id, inbox(mailbox_id), 3)
    ask(wire, b"SELECT INBOX")
    return wire


@pytest.mark.parametrize(
    ("deed", "command", "wanted", "exist"),
    [
        ((append, "append_message"), b"APPEND INBOX {4+}\r\n\r\na\n", b"t OK [APPENDUID ", 4),
        ((copy, "start_copy"), b"COPY 1:2 INBOX", b"t OK [COPYUID ", 5),
    ],
)
def test_what_was_stored_is_told_ok_and_its_news_later(
    wire: DirectWire,
    outage: Outage,
    deed: tuple[Any, str],
    command: bytes,
    wanted: bytes,
    exist: int,
) -> None:
    outage.fails(index, "picture")
    outage.fails(index, "picture_after")
    outage.begins_after(*deed)
    assert ask(wire, command).startswith(wanted)
    outage.is_on = False
    assert b"* %d EXISTS\r\n" % exist in ask(wire, b"NOOP")


def test_arrivals_are_told_though_news_from_elsewhere_cannot_be_read(
    wire: DirectWire, mailbox_id: int, outage: Outage
) -> None:
    said = ask(
        wire, b"NOTIFY SET (selected-delayed (MessageNew MessageExpunge)) (personal (MailboxName))"
    )
    assert b"t OK" in said
    append_many(mailbox_id, inbox(mailbox_id), 1)
    outage.fails(watching, "news")
    outage.is_on = True
    assert b"* 4 EXISTS\r\n" in ask(wire, b"NOOP")
