"""Reading ESEARCH (RFC 7377 §4), and what is said of other folders."""

import pytest

from protocols.wire.imap.commands import Invalid, MultiSearch
from protocols.wire.imap.options import Page
from protocols.wire.imap.parser import parse
from protocols.wire.imap.responses import Origin, esearch
from protocols.wire.imap.scopes import MAX_NAMES, Folders, Scope
from protocols.wire.imap.search import Everything

ALL = Everything()
SELECTED = (Folders(Scope.SELECTED),)

COMMANDS = [
    (b"a ESEARCH ALL", MultiSearch(b"a", SELECTED, ALL)),
    (b"a esearch in (Selected) all", MultiSearch(b"a", SELECTED, ALL)),
    (
        b"a ESEARCH RETURN (SAVE COUNT) ALL",
        MultiSearch(b"a", SELECTED, ALL, frozenset(("SAVE", "COUNT"))),
    ),
    (
        b'a ESEARCH IN (mailboxes "folder1" subtree "folder2" subtree-one (inbox &AOQ-)) ALL',
        MultiSearch(
            b"a",
            (
                Folders(Scope.MAILBOXES, ("folder1",)),
                Folders(Scope.SUBTREE, ("folder2",)),
                Folders(Scope.SUBTREE_ONE, ("INBOX", "\u00e4")),
            ),
            ALL,
        ),
    ),
    (
        b"a ESEARCH IN (inboxes personal subscribed) RETURN (PARTIAL 1:9) CHARSET UTF-8 ALL",
        MultiSearch(
            b"a",
            (Folders(Scope.INBOXES), Folders(Scope.PERSONAL), Folders(Scope.SUBSCRIBED)),
            ALL,
            frozenset(),
            Page(1, 9),
        ),
    ),
]


@pytest.mark.parametrize(("text", "command"), COMMANDS)
def test_commands(text: bytes, command: MultiSearch) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    "text",
    [
        b"a ESEARCH",
        b"a ESEARCH IN",
        b"a ESEARCH IN ALL",
        b"a ESEARCH IN () ALL",
        b"a ESEARCH IN (inboxes)",
        b"a ESEARCH IN (inboxes ) ALL",
        b"a ESEARCH IN (mailboxes) ALL",
        b"a ESEARCH IN (mailboxes ()) ALL",
        b"a ESEARCH IN (selected-delayed) ALL",
        b"a ESEARCH IN (everywhere) ALL",
        b"a ESEARCH IN (inboxes (depth 2)) ALL",
        b"a ESEARCH IN (inboxes selected) RETURN (SAVE) ALL",
        b"a ESEARCH RETURN (RELEVANCY) ALL",
        b"a ESEARCH IN (mailboxes (%b)) ALL" % b" ".join(b"%d" % n for n in range(MAX_NAMES + 1)),
        b"a ESEARCH IN (%b) ALL" % b" ".join(b"subtree %d" % n for n in range(101)),
    ],
)
def test_what_is_no_esearch(text: bytes) -> None:
    assert isinstance(parse(text), Invalid)


def test_the_folder_is_said() -> None:
    # As in the example of §2.1.
    said = esearch(
        b"tag1", is_uid=True, returned=set(), numbers=[4001, 4003], origin=Origin(b"folder1", 1)
    )
    assert said == b'* ESEARCH (TAG "tag1" MAILBOX folder1 UIDVALIDITY 1) UID ALL 4001,4003\r\n'
