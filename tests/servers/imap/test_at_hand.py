"""What is answered without the database is what the database would have said, always."""

from collections.abc import Callable, Iterator
from itertools import combinations

import pytest
from django.db import connection

from accounts import directory
from accounts.commit import telling
from accounts.login import Identity
from accounts.mailstore import acl, folder_info, folders, index, rights
from accounts.mailstore.flags import Flag, StoreMode
from accounts.models import Mailbox, Tenant
from protocols.servers.imap import at_hand
from protocols.servers.imap import folders as imap_folders
from protocols.servers.imap.client import Enabled
from protocols.wire.imap import commands as c
from tests.accounts.as_owner import expunge_uids, store_flags
from tests.accounts.mail import append_many, inbox, make_mailbox
from tests.transcripts.direct import DirectVenue, DirectWire
from tests.transcripts.given import Scene

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no stamps"),
]

NOOP = c.Noop(b"n")
SELECT = c.Select(b"s", "INBOX", is_read_only=False)


class Program:
    """A mail program with a folder selected, and how its commands were answered."""

    def __init__(self, wire: DirectWire, mailbox_id: int) -> None:
        self.mailbox_id = mailbox_id
        self.wire = wire
        self.client = wire._session._client
        self.log_in()
        self.was_quick = False
        session = wire._session
        is_quick = session.is_quick

        def noting(event: c.Event) -> bool:
            self.was_quick = is_quick(event)
            return self.was_quick

        session.is_quick = noting

    def log_in(self) -> None:
        mailbox = Mailbox.objects.get(pk=self.mailbox_id)
        version = mailbox.credential_version
        self.client.identity = Identity(self.mailbox_id, 1, mailbox.address, version)

    def say(self, line: str) -> bytes:
        """What is answered (a quick answer that asks the database fails in `DirectWire`)."""
        self.wire.send(b"t " + line.encode() + b"\r\n")
        return self.hear(b"t ")

    def say_literal(self, octets: bytes) -> bytes:
        self.wire.send(octets)
        return self.hear(b"t ")

    def hear(self, end: bytes) -> bytes:
        said = b""
        while (line := self.wire.read_line()) is not None:
            said += line
            if line.startswith(end):
                break
        return said

    def say_at_once(self, line: str) -> bytes:
        said = self.say(line)
        assert self.was_quick, line
        return said

    def say_after_a_look(self, line: str) -> bytes:
        said = self.say(line)
        assert not self.was_quick, line
        return said


@pytest.fixture
def program() -> Iterator[Program]:
    """It has looked at its INBOX of five messages more than once."""
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 5)
    venue = DirectVenue(Scene("imap"))
    program = Program(venue.connect(), mailbox_id)
    for line in ("SELECT INBOX", "CLOSE", "SELECT INBOX"):
        assert b"t OK" in program.say(line)
    yield program
    venue.end()


@pytest.mark.parametrize("line", ["NOOP", "CHECK"])
def test_nothing_new_is_said_at_once(program: Program, line: str) -> None:
    assert program.say_at_once(line) == b"t OK Done.\r\n"


@pytest.mark.parametrize(
    "line",
    ["SELECT INBOX", "EXAMINE INBOX", "SELECT INBOX (CONDSTORE)"],
)
@pytest.mark.parametrize("is_selected", [True, False])
def test_a_folder_is_opened_at_once_as_it_would_be_by_a_look(
    program: Program, line: str, is_selected: bool
) -> None:
    if not is_selected:
        program.say("UNSELECT")
    at_once = program.say_at_once(line)
    assert b"* 5 EXISTS" in at_once
    assert (b"[CLOSED]" in at_once) is is_selected
    assert program.client.selected.is_read_only is line.startswith("EXAMINE")
    if not is_selected:
        program.say("UNSELECT")
    index.forget()
    folder_info.forget()
    assert program.say_after_a_look(line) == at_once


def test_what_is_said_of_a_folder_is_made_once(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = program.say("SELECT INBOX")
    with monkeypatch.context() as patch:
        patch.setattr(imap_folders, "_told_of", lambda *_: pytest.fail("made again"))
        assert program.say("SELECT INBOX") == said


def test_what_is_said_of_a_folder_is_for_who_asks(program: Program) -> None:
    """Who may change nothing, or knows no numbers, hears other lines of the same picture."""
    first = program.say("SELECT INBOX")
    assert b"PERMANENTFLAGS ()" in program.say("EXAMINE INBOX")
    assert program.say("SELECT INBOX") == first
    assert b"[UNSEEN 1]" in first
    program.say("ENABLE UIDONLY")
    assert b"[UNSEEN" not in program.say("SELECT INBOX")


def test_counters_alone_are_told_anew(program: Program) -> None:
    """A message that came and went leaves the picture's messages as they were."""
    first = program.say("SELECT INBOX")
    append_many(program.mailbox_id, inbox(program.mailbox_id), 1)
    expunge_uids(inbox(program.mailbox_id), [6], only_deleted=False)
    changed = program.say("SELECT INBOX")
    assert b"[UIDNEXT 6]" in first
    assert b"[UIDNEXT 7]" in changed
    assert b"* 5 EXISTS" in changed


STATUS_ITEMS = (
    *("MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "RECENT"),
    *("HIGHESTMODSEQ", "APPENDLIMIT", "MAILBOXID"),
)


@pytest.mark.parametrize("is_selected", [True, False])
def test_a_status_is_told_at_once_as_it_would_be_by_a_look(
    program: Program, is_selected: bool
) -> None:
    store_flags(inbox(program.mailbox_id), [2, 3], StoreMode.ADD, Flag.SEEN | Flag.DELETED)
    append_many(program.mailbox_id, inbox(program.mailbox_id), 2, flags=int(Flag.SEEN))
    for _ in range(2):
        program.say("EXAMINE INBOX")
    if not is_selected:
        program.say("UNSELECT")
    for number in range(1, len(STATUS_ITEMS) + 1):
        for items in combinations(STATUS_ITEMS, number):
            line = f"STATUS INBOX ({' '.join(items)})"
            at_once = program.say_at_once(line)
            program.client.enabled = Enabled(0)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(index, "current", lambda _: None)
                assert program.say_after_a_look(line) == at_once
            program.client.enabled = Enabled(0)
    assert program.say_at_once("STATUS INBOX (UNSEEN DELETED RECENT)").startswith(
        b"* STATUS INBOX (UNSEEN 3 DELETED 2 RECENT 2)"
    )


@pytest.mark.parametrize("item", ["SIZE", "DELETED-STORAGE"])
def test_a_status_of_what_no_picture_knows_is_looked_for(program: Program, item: str) -> None:
    assert program.say_after_a_look(f"STATUS INBOX (MESSAGES {item})").startswith(b"* STATUS")


def test_a_status_tells_news_of_the_selected_folder(program: Program) -> None:
    come(program)
    index.picture(inbox(program.mailbox_id))
    assert b"* 6 EXISTS" in program.say_after_a_look("STATUS INBOX (MESSAGES)")


def test_a_status_of_nothing_is_looked_for(program: Program) -> None:
    folders.create_folder(program.mailbox_id, "a/b")
    folders.delete_folder(program.mailbox_id, "a")
    for name in ("a", "nowhere", f"Shared/{'x@y.test'}/INBOX"):
        assert b"t NO" in program.say_after_a_look(f"STATUS {name} (MESSAGES)")


def test_idling_ends_at_once_where_nothing_is_new(program: Program) -> None:
    program.wire.send(b"t IDLE\r\n")
    program.hear(b"+ ")
    program.wire.send(b"DONE\r\n")
    assert program.hear(b"t ") == b"t OK Done.\r\n"
    assert program.was_quick
    assert program.client.stop_watching is None


def store(program: Program) -> None:
    store_flags(inbox(program.mailbox_id), [2], StoreMode.ADD, Flag.FLAGGED)


def expunge(program: Program) -> None:
    expunge_uids(inbox(program.mailbox_id), [2], only_deleted=False)


def come(program: Program) -> None:
    append_many(program.mailbox_id, inbox(program.mailbox_id), 1)


@pytest.mark.parametrize("is_elsewhere", [False, True])
@pytest.mark.parametrize(
    ("change", "news"),
    [
        (store, rb"* 2 FETCH (UID 2 FLAGS (\Flagged"),
        (expunge, b"* 2 EXPUNGE"),
        (come, b"* 6 EXISTS"),
    ],
)
def test_what_changed_is_told(
    program: Program,
    change: Callable[[Program], None],
    news: bytes,
    is_elsewhere: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program.say_at_once("NOOP")
    if is_elsewhere:
        monkeypatch.setattr(telling, "followers", [])
    change(program)
    said = program.say_after_a_look("NOOP")
    assert news in said
    assert program.say_at_once("NOOP") == b"t OK Done.\r\n"


def test_another_folder_of_the_mailbox_costs_one_look(program: Program) -> None:
    sent = folders.find_folder(program.mailbox_id, "Sent").id
    append_many(program.mailbox_id, sent, 1)
    assert program.say_after_a_look("NOOP") == b"t OK Done.\r\n"
    program.say_at_once("NOOP")


def test_another_mailbox_costs_nothing(program: Program) -> None:
    other = make_mailbox()
    # A mailbox makes the directory another one.
    program.say("SELECT INBOX")
    append_many(other, inbox(other), 1)
    program.say_at_once("NOOP")
    program.say_at_once("SELECT INBOX")


def test_a_folder_that_is_gone_is_not_opened(program: Program) -> None:
    folders.create_folder(program.mailbox_id, "a")
    for line in ("SELECT a", "SELECT a", "SELECT INBOX"):
        program.say(line)
    assert b"t OK" in program.say_at_once("SELECT a")
    folders.rename_folder(program.mailbox_id, "a", "b")
    assert b"t NO" in program.say_after_a_look("SELECT a")
    for line in ("SELECT b", "SELECT b"):
        program.say(line)
    program.say_at_once("SELECT b")
    folders.delete_folder(program.mailbox_id, "b")
    assert b"t NO" in program.say("SELECT b")
    old = program.client.folder_id
    new = folders.create_folder(program.mailbox_id, "b").id
    assert b"t OK" in program.say("SELECT b")
    assert program.client.folder_id == new != old


def test_a_deleted_folder_ends_the_session_at_the_next_noop(program: Program) -> None:
    folders.create_folder(program.mailbox_id, "a")
    for line in ("SELECT a", "SELECT a"):
        program.say(line)
    program.say_at_once("NOOP")
    folders.delete_folder(program.mailbox_id, "a")
    assert b"* BYE" in program.say("NOOP")


def suspend_domain(mailbox: Mailbox) -> None:
    directory.suspend_domain(mailbox.domain)


def suspend_reseller(mailbox: Mailbox) -> None:
    directory.suspend_tenant(Tenant.objects.get(name="Reseller"))


def set_password(mailbox: Mailbox) -> None:
    directory.set_password(mailbox, "another")


@pytest.mark.parametrize(
    "end",
    [
        directory.suspend_mailbox,
        directory.remove_mailbox,
        set_password,
        suspend_domain,
        suspend_reseller,
        lambda mailbox: directory.set_shared(mailbox, is_shared=True),
    ],
)
def test_a_login_that_ended_opens_nothing(program: Program, end: Callable[[Mailbox], None]) -> None:
    reseller = directory.create_tenant("Reseller")
    Tenant.objects.exclude(pk=reseller.pk).update(parent=reseller)
    for _ in range(2):
        program.say("SELECT INBOX")
    assert program.was_quick
    end(Mailbox.objects.get(pk=program.mailbox_id))
    said = program.say_after_a_look("SELECT INBOX")
    assert b"* BYE" in said
    assert b"t NO" in said


def test_the_first_message_for_the_selected_folder_is_taken_at_once(program: Program) -> None:
    program.wire.send(b"t APPEND INBOX {4}\r\n")
    assert program.hear(b"+").startswith(b"+")
    assert program.was_quick
    said = program.say_literal(b"a: b\r\n")
    assert program.was_quick
    assert b"* 6 EXISTS" in said
    assert b"t OK [APPENDUID" in said


@pytest.mark.parametrize("event", [NOOP, SELECT])
def test_a_change_between_the_look_and_the_answer_is_told_next(
    program: Program, event: c.Event
) -> None:
    session = program.wire._session
    assert session.is_quick(event)
    expunge(program)
    reply = session.handle(event)
    assert reply.status == "OK"
    assert b"EXPUNGE" not in reply.untagged
    assert b"* 2 EXPUNGE" in program.say_after_a_look("NOOP")


def test_a_way_is_gone_once_the_event_was_handled(program: Program) -> None:
    """Also where the switchboard refuses it."""
    session = program.wire._session
    assert session.is_quick(NOOP)
    session._client.masked = frozenset({"IDLE"})
    session.handle(NOOP)
    assert session._at_once is None


def not_at_hand(program: Program, event: c.Event) -> None:
    assert at_hand.way(program.client, event) is None


def test_what_needs_more_than_the_folder_is_looked_for(program: Program) -> None:
    assert at_hand.way(program.client, NOOP) is not None
    program.say("ENABLE METADATA")
    not_at_hand(program, NOOP)


def test_who_is_notified_is_told_of_other_folders(program: Program) -> None:
    program.say("NOTIFY SET (PERSONAL (MessageNew MessageExpunge))")
    not_at_hand(program, NOOP)
    not_at_hand(program, SELECT)


def test_imap4rev2_is_told_the_name_from_the_database(program: Program) -> None:
    program.say("ENABLE IMAP4rev2")
    assert b"* LIST" in program.say_after_a_look("SELECT INBOX")


def test_a_folder_of_another_is_looked_at_each_time(program: Program) -> None:
    mine = Mailbox.objects.get(pk=program.mailbox_id)
    owner = Mailbox.objects.create(domain=mine.domain, local_part="bob")
    folders.provision(owner.pk)
    folder = folders.find_folder(owner.pk, "INBOX")
    acl.set_rights(owner.pk, folder, acl.Identifier(mine.pk), "", rights.ALL)
    for _ in range(3):
        assert b"t OK" in program.say_after_a_look(f"SELECT Shared/{owner.address}/INBOX")
    program.say_after_a_look("NOOP")
    acl.set_rights(owner.pk, folder, acl.Identifier(mine.pk), "", rights.NONE)
    assert b"BYE" in program.say_after_a_look("NOOP")


def test_what_is_recent_is_taken_in_the_database(program: Program) -> None:
    program.say("UNSELECT")
    append_many(program.mailbox_id, inbox(program.mailbox_id), 2)
    program.say("STATUS INBOX (MESSAGES RECENT)")
    assert b"* 2 RECENT" in program.say_after_a_look("SELECT INBOX")
    program.say("UNSELECT")
    program.say("SELECT INBOX")
    assert b"* 0 RECENT" in program.say_at_once("SELECT INBOX")


def test_what_logins_found_is_bounded(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_info, "CAPACITY", 2)
    for name in ("INBOX", "Sent", "Trash", "Drafts", "inbox"):
        program.say(f"SELECT {name}")
        assert len(folder_info._found) <= 2
