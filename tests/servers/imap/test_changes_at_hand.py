"""STORE, EXPUNGE and APPEND without a thread of their own say what they would say with one."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from accounts.commit import telling
from accounts.mailstore import folders, index
from accounts.mailstore.flags import Flag, StoreMode
from accounts.models import Entry
from protocols.servers.imap import at_hand, store
from tests.accounts.as_owner import store_flags
from tests.accounts.mail import inbox
from tests.servers.imap.test_at_hand import Program, program

__all__ = ["program"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no stamps"),
]

LINES = [
    r"STORE 1:2 +FLAGS (\Seen)",
    r"STORE 2,4:5 FLAGS ($Label1 \Answered)",
    r"STORE 1,3 -FLAGS (\Deleted)",
    r"STORE * +FLAGS.SILENT (\Flagged)",
    r"STORE 1,3,5 FLAGS.SILENT ()",
    r"UID STORE 2:4 +FLAGS (\Deleted)",
    r"UID STORE 1,5 -FLAGS.SILENT (\Seen $Label2)",
    "EXPUNGE",
]


@pytest.mark.parametrize("enabled", ["", "CONDSTORE", "QRESYNC", "UIDONLY"])
@pytest.mark.parametrize("line", LINES)
def test_the_answer_is_that_of_the_pool(
    program: Program, line: str, enabled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if enabled:
        program.say(f"ENABLE {enabled}")
    answers = []
    way = at_hand.way
    for is_at_hand in (True, False):
        program.say(r"UID STORE 1:5 FLAGS.SILENT (\Seen $Label1 $Label2)")
        program.say(r"UID STORE 3 FLAGS.SILENT (\Deleted)")
        if not is_at_hand:
            monkeypatch.setattr(at_hand, "way", lambda *_: None)
        if line == "EXPUNGE" and answers:
            # What went at hand cannot go again.
            assert b"* VANISHED 3" in answers[0] or b"* 3 EXPUNGE" in answers[0]
            return
        if enabled == "UIDONLY" and line.startswith("STORE"):
            assert b"t BAD" in program.say(line)
            return
        answers.append(program.say(line))
        assert program.was_quick is is_at_hand
        monkeypatch.setattr(at_hand, "way", way)
    first, second = (_without_modseqs(answer) for answer in answers)
    assert first == second


def _without_modseqs(said: bytes) -> bytes:
    """Mod-sequences grow from one to the other."""
    return re.sub(rb"MODSEQ \(\d+\)|HIGHESTMODSEQ \d+", b"", said)


def test_what_was_stored_is_stored(program: Program) -> None:
    program.say_at_once(r"STORE 1,3,5 +FLAGS ($Label1 \Flagged)")
    rows = Entry.objects.order_by("uid").values_list("flags", "keywords")
    assert list(rows) == [(4, 1), (0, 0), (4, 1), (0, 0), (4, 1)]
    program.say_at_once(r"STORE 2,4 FLAGS (\Deleted)")
    assert program.say_at_once("EXPUNGE") == b"* 4 EXPUNGE\r\n* 2 EXPUNGE\r\nt OK Done.\r\n"
    assert program.say_at_once("EXPUNGE") == b"t OK Done.\r\n"
    assert list(Entry.objects.order_by("uid").values_list("uid", flat=True)) == [1, 3, 5]
    assert program.say("FETCH 1:* FLAGS").count(rb"(\Flagged $Label1") == 3


@pytest.mark.parametrize("line", [r"STORE 1 +FLAGS (\Seen)", "EXPUNGE", r"UID STORE 1 FLAGS ()"])
def test_what_another_process_does_meanwhile_is_told(
    program: Program, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the commit, so that the picture at hand is not of the commit's state."""
    program.say(r"STORE 2 FLAGS.SILENT (\Deleted)")
    selected = inbox(program.mailbox_id)

    def late(submit: Callable[..., object]) -> Callable[..., object]:
        def submit_late(*arguments: object, **named: object) -> object:
            with monkeypatch.context() as patch, ThreadPoolExecutor() as pool:
                patch.setattr(telling, "followers", [])
                pool.submit(store_flags, selected, [4], StoreMode.ADD, Flag.FLAGGED).result()
            return submit(*arguments, **named)

        return submit_late

    monkeypatch.setattr(store.flags, "submit_store", late(store.flags.submit_store))
    monkeypatch.setattr(store.expunge, "submit_expunge", late(store.expunge.submit_expunge))
    said = program.say_at_once(line)
    assert b"FETCH (UID 4 FLAGS (\\Flagged" in said or b"FETCH (FLAGS (\\Flagged" in said
    assert b"t OK" in said
    expected = list(Entry.objects.order_by("uid").values_list("flags", flat=True))
    assert list(index.picture(program.client.folder_id).flags) == expected


def test_what_is_out_of_the_ordinary_has_a_thread(program: Program) -> None:
    program.say(r"STORE 1:5 FLAGS.SILENT (\Answered)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "FEW", 2)
        program.say_at_once(r"STORE 1:2 FLAGS (\Deleted)")
        program.say_after_a_look(r"STORE 1:3 FLAGS (\Deleted)")
        program.say_after_a_look("EXPUNGE")
    program.say_after_a_look(r"STORE 1 (UNCHANGEDSINCE 1) FLAGS (\Seen)")
    program.say_after_a_look("UID EXPUNGE 4")
    program.say_after_a_look("STORE 77 FLAGS ()")
    program.say("EXAMINE INBOX")
    program.say_after_a_look(r"STORE 1 FLAGS (\Seen)")


def test_a_search_that_is_followed_is_looked_at_in_a_thread(program: Program) -> None:
    program.say("SEARCH RETURN (UPDATE) UNSEEN")
    said = program.say_after_a_look(r"STORE 1 +FLAGS (\Seen)")
    assert b"REMOVEFROM" in said


def test_a_refused_keyword_is_refused_all_the_same(program: Program) -> None:
    many = " ".join(f"k{number}" for number in range(64))
    said = program.say_at_once(f"STORE 1 FLAGS ({many})")
    assert said.startswith(b"t NO [LIMIT]")


def test_a_message_for_the_selected_folder_is_told_of_at_once(program: Program) -> None:
    for number in (6, 7):
        program.wire.send(b"t APPEND INBOX (\\Seen) {4+}\r\na: b\r\n")
        said = program.hear(b"t ")
        assert program.was_quick
        assert b"* %d EXISTS" % number in said
        assert f"[APPENDUID 1 {number}]".encode() in said
        program.say_at_once("NOOP")


def test_a_message_that_takes_long_to_read_is_read_in_a_thread(program: Program) -> None:
    octets = b"To: " + b"(c)a@b," * 1000 + b"\r\n\r\n"
    program.wire.send(b"t APPEND INBOX {%d+}\r\n%b\r\n" % (len(octets), octets))
    said = program.hear(b"t ")
    assert not program.was_quick
    assert b"* 6 EXISTS" in said


def test_names_are_known_while_messages_come_and_go(program: Program) -> None:
    for line in (r"STORE 1 FLAGS (\Deleted)", "EXPUNGE", "UNSELECT"):
        program.say(line)
    program.say_at_once("SELECT INBOX")
    folders.create_folder(program.mailbox_id, "a")
    program.say("UNSELECT")
    program.say_after_a_look("SELECT INBOX")
    program.say("UNSELECT")
    program.say_at_once("SELECT INBOX")
    with pytest.MonkeyPatch.context() as patch:
        # As another process would do it.
        patch.setattr(telling, "walkers", [])
        store_flags(inbox(program.mailbox_id), [2], StoreMode.ADD, Flag.FLAGGED)
    store_flags(inbox(program.mailbox_id), [2], StoreMode.ADD, Flag.SEEN)
    program.say("UNSELECT")
    program.say_after_a_look("SELECT INBOX")
