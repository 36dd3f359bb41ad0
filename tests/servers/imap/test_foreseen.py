"""Answers to a STORE that are made before it is done are said only where they came true."""

import threading

import pytest

from accounts.mailstore import index
from accounts.mailstore.deeds import UNCHANGED, Bits
from accounts.mailstore.flags import Flag, StoreMode, Storing
from accounts.mailstore.picture import Picture
from protocols.servers.imap import store
from protocols.servers.imap.folder_view import FolderView
from protocols.servers.imap.foreseen import Foreseen
from tests.accounts.as_owner import expunge_uids, store_flags
from tests.accounts.mail import append_many, inbox
from tests.servers.imap.asking import ask
from tests.servers.imap.pictures import after, picture_of
from tests.transcripts.direct import DirectWire

SEEN, FLAGGED = 1, 4
PICTURE = picture_of({1: SEEN, 2: 0, 5: FLAGGED})


def tell(view: FolderView) -> bytes:
    return b"%d %d %d" % tuple(view.told.flags)


def view_of(picture: Picture) -> FolderView:
    return FolderView(picture, is_read_only=False, recent=range(0))


@pytest.mark.parametrize(
    ("picture", "lines"),
    [
        (after(PICTURE, flags={1: SEEN | FLAGGED, 2: FLAGGED, 5: FLAGGED}), b"5 4 4"),
        (after(PICTURE, flags={1: SEEN | FLAGGED, 2: SEEN | FLAGGED, 5: FLAGGED}), None),
        (after(after(PICTURE, flags={1: 5, 2: 4, 5: 4}), came=1), None),
        (after(PICTURE, gone=(5,)), None),
        (PICTURE, None),
    ],
)
def test_only_the_picture_that_was_expected(picture: Picture, lines: bytes | None) -> None:
    foreseen = Foreseen(view_of(PICTURE), range(3), Bits(-1, FLAGGED), UNCHANGED, tell)
    assert foreseen.lines(view_of(picture)) == lines
    assert list(PICTURE.flags) == [SEEN, 0, FLAGGED]


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MANY", 2)
    # The few have no thread that would foresee anything.
    monkeypatch.setattr(store, "FEW", 0)


@pytest.fixture
def selected(wire: DirectWire, mailbox_id: int) -> DirectWire:
    append_many(mailbox_id, inbox(mailbox_id), 3)
    ask(wire, b"SELECT INBOX")
    return wire


@pytest.mark.django_db(transaction=True)
def test_the_answer_is_made_once_and_before_the_commit_is_waited_for(
    selected: DirectWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    lines, result = store._flag_lines, Storing.result

    def tell(*arguments: object) -> bytes:
        steps.append("lines")
        return lines(*arguments)

    def wait(storing: Storing) -> object:
        steps.append("result")
        return result(storing)

    monkeypatch.setattr(store, "_flag_lines", tell)
    monkeypatch.setattr(Storing, "result", wait)
    said = ask(selected, rb"STORE 1:* +FLAGS (\Flagged)")
    assert said.count(rb"FETCH (FLAGS (\Flagged") == 3
    assert steps == ["lines", "result"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["flags", "keywords", "expunge"])
def test_what_others_do_meanwhile_is_told_as_it_is(
    selected: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    folder_id = inbox(mailbox_id)
    result = Storing.result

    def disturbed(storing: Storing) -> object:
        monkeypatch.setattr(Storing, "result", result)
        done = result(storing)
        if what == "flags":
            store_flags(folder_id, [2], StoreMode.ADD, Flag.ANSWERED)
        elif what == "keywords":
            store_flags(folder_id, [2], StoreMode.ADD, 0, ["work"])
        else:
            store_flags(folder_id, [3], StoreMode.ADD, Flag.ANSWERED)
            expunge_uids(folder_id, [2], only_deleted=False)
        return done

    monkeypatch.setattr(Storing, "result", disturbed)
    said = ask(selected, rb"STORE 1:* +FLAGS (\Flagged)")
    expected = {
        "flags": [rb"* 2 FETCH (FLAGS (\Answered \Flagged"],
        "keywords": [rb"* 2 FETCH (FLAGS (\Flagged work", b"* FLAGS ("],
        "expunge": [rb"* 1 FETCH (FLAGS (\Flagged", rb"* 3 FETCH (FLAGS (\Answered \Flagged"],
    }[what]
    assert all(line in said for line in expected)
    assert said.count(b" FETCH (") == (2 if what == "expunge" else 3)
    assert list(index.picture(folder_id).uids) == ([1, 3] if what == "expunge" else [1, 2, 3])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("command", [b"+FLAGS.SILENT (\\Seen)", b"+FLAGS (work)", b"+FLAGS ()"])
def test_what_cannot_be_foreseen_or_is_not_said(
    selected: DirectWire, monkeypatch: pytest.MonkeyPatch, command: bytes
) -> None:
    waits: list[bool] = []
    wait = threading.Event.wait
    monkeypatch.setattr(
        Storing, "leaves_time", lambda storing: waits.append(wait(storing.at_work, 5))
    )
    assert b"t OK" in ask(selected, b"STORE 1:* " + command)
    # A STORE that changes nothing lets its waiter go, too.
    assert waits == ([True] if command.endswith(b"()") else [])


@pytest.mark.django_db(transaction=True)
def test_one_query_less_for_who_has_just_committed(
    mailbox_id: int, django_assert_num_queries: object
) -> None:
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 3)
    known = index.picture(folder_id)
    with django_assert_num_queries(0):
        assert index.picture_after(folder_id, known.highest_modseq) is known
    with django_assert_num_queries(1):
        assert index.picture_after(folder_id, known.highest_modseq + 1) is known
