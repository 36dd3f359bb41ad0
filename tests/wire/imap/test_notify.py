"""Reading NOTIFY (RFC 5465 §8)."""

import pytest

from protocols.wire.imap.commands import Invalid, Notify
from protocols.wire.imap.fetch_items import Attribute
from protocols.wire.imap.notify import Event, EventGroup, Scope, bad_event, renamed
from protocols.wire.imap.parser import parse

MESSAGES = frozenset((Event.MESSAGE_NEW, Event.MESSAGE_EXPUNGE))
NONE: frozenset[Event] = frozenset()

COMMANDS = [
    (b"a NOTIFY NONE", Notify(b"a", ())),
    (
        b"a notify set status (personal (messagenew MESSAGEEXPUNGE FlagChange)) (selected none)",
        Notify(
            b"a",
            (
                EventGroup(Scope.PERSONAL, (), MESSAGES | {Event.FLAG_CHANGE}),
                EventGroup(Scope.SELECTED, (), NONE),
            ),
            wants_status=True,
        ),
    ),
    (
        b"a NOTIFY SET (selected-delayed (MessageExpunge MessageNew (UID FLAGS)))",
        Notify(
            b"a",
            (EventGroup(Scope.SELECTED_DELAYED, (), MESSAGES, (Attribute.UID, Attribute.FLAGS)),),
        ),
    ),
    (
        b"a NOTIFY SET (subtree (inbox &AOQ- inbox) (MailboxName Later)) (mailboxes x NONE)",
        Notify(
            b"a",
            (
                EventGroup(
                    Scope.SUBTREE,
                    ("INBOX", "\u00e4"),
                    frozenset((Event.MAILBOX_NAME,)),
                    (),
                    ("Later",),
                ),
                EventGroup(Scope.MAILBOXES, ("x",), NONE),
            ),
        ),
    ),
]


@pytest.mark.parametrize(("text", "command"), COMMANDS)
def test_commands(text: bytes, command: Notify) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    "text",
    [
        b"a NOTIFY",
        b"a NOTIFY NONE NONE",
        b"a NOTIFY SET ()",
        b"a NOTIFY SET (selected)",
        b"a NOTIFY SET (selected NONE",
        b"a NOTIFY SET (mailboxes (MailboxName))",
        b"a NOTIFY SET (selected (MessageNew (BODY[) MessageExpunge))",
        b"a NOTIFY SET (selected (MessageNew () MessageExpunge))",
        b"a NOTIFY SET (selected (MessageNew MessageExpunge (UID)))",
        b"a NOTIFY SET" + b" (personal NONE)" * 101,
        b"a NOTIFY SET (personal (" + b" ".join([b"x"] * 60) + b"))",
        b"a NOTIFY SET (mailboxes (" + b" ".join(b"%d" % n for n in range(1001)) + b") NONE)",
    ],
)
def test_what_cannot_be_read(text: bytes) -> None:
    command = parse(text)
    assert isinstance(command, Invalid)
    assert command.reply.status == "BAD"


def test_what_is_told() -> None:
    assert bad_event((Event.MESSAGE_NEW, Event.FLAG_CHANGE)) == b"BADEVENT (MessageNew FlagChange)"
    assert renamed("b c", ["\\HasNoChildren"], "\u00e4") == (
        b'* LIST (\\HasNoChildren) "/" "b c" ("OLDNAME" (&AOQ-))\r\n'
    )
