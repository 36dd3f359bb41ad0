"""What a client is told, and when: tables, then a naive folder and client side by side."""

import time

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from accounts.mailstore.picture import Picture
from accounts.mailstore.search import Scope, search
from protocols.servers.imap.folder_view import FolderView
from protocols.servers.imap.known import Known
from protocols.servers.imap.news import SILENCE, Changed, News, Wanted
from protocols.wire.imap.search import IsRecent
from protocols.wire.imap.sequence_set import parse
from tests.servers.imap.pictures import after, picture_of

SEEN = 1


def opened(picture: Picture, recent: range = range(0)) -> FolderView:
    return FolderView(picture, is_read_only=False, recent=recent)


def test_nothing_new_says_nothing() -> None:
    picture = picture_of({1: 0, 2: 0})
    assert opened(picture).refresh(picture, may_expunge=True) == News()


def test_arrivals_are_counted() -> None:
    picture = picture_of({1: 0, 2: 0})
    news = opened(picture).refresh(after(picture, came=3), may_expunge=False)
    assert news == News(exists=5)


def test_expunged_numbers_go_from_the_top() -> None:
    picture = picture_of({1: 0, 2: 0, 5: 0, 9: 0})
    news = opened(picture).refresh(after(picture, gone=(2, 9)), may_expunge=True)
    assert news == News(expunged=(4, 2), vanished=(2, 9))


def test_one_of_many_expunged() -> None:
    picture = picture_of(dict.fromkeys(range(1, 50), 0))
    news = opened(picture).refresh(after(picture, gone=(30,)), may_expunge=True)
    assert news == News(expunged=(30,), vanished=(30,))


def test_all_of_many_expunged() -> None:
    picture = picture_of(dict.fromkeys(range(1, 50), 0))
    news = opened(picture).refresh(after(picture, gone=(*range(1, 50),)), may_expunge=True)
    assert news == News(expunged=(*range(49, 0, -1),), vanished=(*range(1, 50),))


def test_an_expunge_waits_until_it_may_be_said() -> None:
    picture = picture_of({1: 0, 2: 0, 3: 0})
    view = opened(picture)
    without_two = after(picture, gone=(2,))
    assert view.refresh(without_two, may_expunge=False) == News()
    assert not view.is_current
    assert [view.number(uid) for uid in (1, 2, 3)] == [1, 2, 3]
    with_four = after(without_two, came=1)
    assert view.refresh(with_four, may_expunge=False) == News(exists=4)
    assert view.refresh(with_four, may_expunge=True) == News(expunged=(2,), vanished=(2,))
    assert view.is_current
    assert [view.number(uid) for uid in (1, 2, 3, 4)] == [1, None, 2, 3]


def test_changed_flags_bear_the_new_number() -> None:
    picture = picture_of({1: 0, 2: 0, 3: 0})
    newer = after(after(picture, gone=(1,)), flags={3: SEEN})
    news = opened(picture).refresh(newer, may_expunge=True)
    assert news == News(
        expunged=(1,), vanished=(1,), changed=(Changed(2, 3, SEEN, 0, 4, is_recent=False),)
    )


def test_what_the_client_did_itself_is_not_told_again() -> None:
    picture = picture_of({1: 0, 2: 0})
    newer = after(picture, flags={1: SEEN, 2: SEEN})
    assert opened(picture).refresh(
        newer, may_expunge=False, known=Known([1], [SEEN], [0])
    ).changed == (Changed(2, 2, SEEN, 0, 3, is_recent=False),)
    assert opened(picture).refresh(newer, may_expunge=False, untold=[1, 2]) == News()


def test_what_another_did_at_the_same_time_is_told() -> None:
    picture = picture_of({1: 0})
    newer = after(picture, flags={1: SEEN | 4})
    news = opened(picture).refresh(newer, may_expunge=False, known=Known([1], [SEEN], [0]))
    assert news.changed == (Changed(1, 1, SEEN | 4, 0, 3, is_recent=False),)


def test_recent_is_counted_among_what_is_there() -> None:
    picture = picture_of({1: 0, 2: 0, 3: 0})
    view = opened(picture, recent=range(2, 4))
    assert view.recent_count == 2
    newer = after(picture, came=1)
    view.own(range(4, 5))
    assert view.refresh(newer, may_expunge=True) == News(exists=4, recent=3)
    assert view.refresh(after(newer, gone=(2,)), may_expunge=True) == News(
        expunged=(2,), vanished=(2,), recent=2
    )


def test_many_runs_of_recent_messages_take_no_time() -> None:
    """Two sessions that hear of a message each in turn have as many runs as messages."""
    count = 4_000
    picture = picture_of(dict.fromkeys(range(1, 2 * count + 1), 0))
    view = opened(picture)
    for uid in range(1, 2 * count, 2):
        view.own(range(uid, uid + 1))
    scope = Scope(picture, picture.uids, view.recent_runs(), now=0)
    begun = time.process_time()
    odd = [uid for uid in picture.uids if view.is_recent(uid)]
    found = [uid for uids in search(scope, IsRecent()) for uid in uids]
    # Looking at each run for each message takes several seconds.
    assert time.process_time() - begun < 1
    assert odd == found == list(range(1, 2 * count, 2))


def test_a_long_absence_is_made_up_for_by_a_scan() -> None:
    picture = picture_of(dict.fromkeys(range(1, 50), 0))
    newer = picture
    for uid in range(1, 41):
        newer = after(newer, flags={uid: SEEN}) if uid % 2 else after(newer, gone=(uid,))
    assert newer.changed_since(picture.highest_modseq) is None
    news = opened(picture).refresh(newer, may_expunge=True)
    assert list(news.expunged) == list(range(40, 0, -2))
    assert [change.uid for change in news.changed] == list(range(1, 41, 2))


@pytest.mark.parametrize(
    ("text", "is_uid", "spans"),
    [
        (b"1:2", False, [(0, 2)]),
        (b"2:1", False, [(0, 2)]),
        (b"*", False, [(3, 4)]),
        (b"3:*", False, [(2, 4)]),
        (b"1,3:4", False, [(0, 1), (2, 4)]),
        (b"5", False, None),
        (b"1:5", False, None),
        (b"10:20", True, [(0, 2)]),
        (b"15", True, []),
        (b"*", True, [(3, 4)]),
        (b"999:*", True, [(3, 4)]),
        (b"1:*", True, [(0, 4)]),
        (b"20,40,41", True, [(1, 2), (3, 4)]),
    ],
)
def test_sets_name_spans(text: bytes, is_uid: bool, spans: list | None) -> None:
    numbers = parse(text)
    assert numbers is not None
    view = opened(picture_of({10: 0, 20: 0, 30: 0, 40: 0}))
    assert view.select(numbers, is_uid=is_uid) == spans


@pytest.mark.parametrize(("text", "is_uid", "spans"), [(b"1:*", False, None), (b"*", True, [])])
def test_an_empty_folder_has_no_numbers(text: bytes, is_uid: bool, spans: list | None) -> None:
    numbers = parse(text)
    assert numbers is not None
    assert opened(picture_of({})).select(numbers, is_uid=is_uid) == spans


def test_chunks_end_at_multiples() -> None:
    view = opened(picture_of(dict.fromkeys(range(1, 26), 0)))
    chunks = list(view.chunks([(3, 25)], 10))
    assert [chunk.places for chunk in chunks] == [range(3, 10), range(10, 20), range(20, 25)]
    assert chunks[0].numbers == range(4, 11)


def test_scattered_messages_share_chunks() -> None:
    view = opened(picture_of(dict.fromkeys(range(1, 26), 0)))
    chunks = list(view.chunks([(at, at + 1) for at in range(0, 25, 2)], 10))
    assert [len(chunk) for chunk in chunks] == [10, 3]
    assert chunks[0].numbers == list(range(1, 20, 2))


def test_chunks_leave_ghosts_out() -> None:
    picture = picture_of({1: 0, 2: 0, 3: 0})
    view = opened(picture)
    view.refresh(after(picture, gone=(1,)), may_expunge=False)
    (chunk,) = view.chunks([(0, 3)], 10)
    assert (chunk.numbers, chunk.places, chunk.has_ghosts) == ([2, 3], [0, 1], True)


class FolderAndClient(RuleBasedStateMachine):
    """A folder that others change, and a client that believes just what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = picture_of({1: 0, 2: 0, 3: 0})
        self.view = opened(self.picture)
        # What the client believes: flags by number; None where it was told of no change.
        self.believed: list[tuple[int, int]] = [(1, 0), (2, 0), (3, 0)]

    @rule(count=st.integers(1, 5))
    def append(self, count: int) -> None:
        self.picture = after(self.picture, came=count)

    @rule(picks=st.sets(st.integers(0, 50), min_size=1, max_size=4), bits=st.integers(0, 31))
    def store(self, picks: set[int], bits: int) -> None:
        uids = self.picture.uids
        if uids:
            self.picture = after(
                self.picture, flags={uids[pick % len(uids)]: bits for pick in picks}
            )

    @rule(picks=st.sets(st.integers(0, 50), min_size=1, max_size=4))
    def expunge(self, picks: set[int]) -> None:
        uids = self.picture.uids
        if uids:
            self.picture = after(
                self.picture, gone=tuple({uids[pick % len(uids)] for pick in picks})
            )

    @rule()
    def many_commits(self) -> None:
        for _ in range(20):
            self.picture = after(self.picture, came=1)

    @rule(may_expunge=st.booleans())
    def look(self, may_expunge: bool) -> None:
        news = self.view.refresh(self.picture, may_expunge=may_expunge)
        assert may_expunge or not news.expunged
        self.hear_of_messages(news)
        for change in news.changed:
            assert self.believed[change.number - 1][0] == change.uid
            self.believed[change.number - 1] = (change.uid, change.flags)
        truth = dict(zip(self.picture.uids, self.picture.flags, strict=True))
        if may_expunge:
            assert dict(self.believed) == truth
            assert self.view.is_current
        else:
            there = {uid: flags for uid, flags in self.believed if uid in truth}
            assert there == truth

    def hear_of_messages(self, news: News) -> None:
        for number in news.expunged:
            del self.believed[number - 1]
        if news.exists is not None:
            assert news.exists >= len(self.believed)
            # A client asks for the flags of what is new to it.
            for number in range(len(self.believed) + 1, news.exists + 1):
                uid = self.view.uids[number - 1]
                at = self.picture.position(uid)
                self.believed.append((uid, self.picture.flags[at] if at >= 0 else 0))

    @rule(may_expunge=st.booleans())
    def look_at_messages_alone(self, may_expunge: bool) -> None:
        wanted = Wanted(flags=False)
        news = self.view.refresh(self.picture, may_expunge=may_expunge, wanted=wanted)
        assert not news.changed
        self.hear_of_messages(news)

    @rule()
    def look_away(self) -> None:
        assert self.view.refresh(self.picture, may_expunge=True, wanted=SILENCE) == News()

    @rule(pick=st.integers(0, 50))
    def expunge_without_hearing_of_others(self, pick: int) -> None:
        if not self.picture.uids:
            return
        uid = self.picture.uids[pick % len(self.picture.uids)]
        number = self.view.number(uid)
        self.picture = after(self.picture, gone=(uid,))
        news = self.view.refresh(self.picture, may_expunge=True, wanted=SILENCE, removed=[uid])
        assert news.expunged == (() if number is None else (number,))
        self.hear_of_messages(news)

    @invariant()
    def numbers_agree(self) -> None:
        assert [uid for uid, _ in self.believed] == list(self.view.uids)


TestFolderAndClient = FolderAndClient.TestCase
TestFolderAndClient.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_client_of_condstore_hears_of_every_modseq() -> None:
    picture = picture_of({1: SEEN, 2: 0})
    view = opened(picture)
    same = after(picture, flags={1: SEEN, 2: SEEN})
    news = view.refresh(same, may_expunge=True, known=Known([2], [SEEN], [0]), with_modseq=True)
    assert news.changed == (
        Changed(1, 1, SEEN, 0, 3, is_recent=False, knows_flags=True),
        Changed(2, 2, SEEN, 0, 3, is_recent=False, knows_flags=True),
    )


def test_changed_spans_leave_out_ghosts_and_what_is_old() -> None:
    picture = picture_of(dict.fromkeys(range(1, 7), 0))
    view = opened(picture)
    newer = after(picture, flags={2: SEEN, 3: SEEN, 4: SEEN, 6: SEEN}, gone=(1, 3))
    view.refresh(newer, may_expunge=False)
    assert view.changed_spans([(0, 6)], 2) == [(1, 2), (3, 4), (5, 6)]
    assert view.changed_spans([(2, 5)], 3) == []
