"""A picture advanced step by step is the naive model's; its journal names what differs."""

from array import array
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.mailstore import picture as pictures
from accounts.mailstore.picture import Counters, Picture
from accounts.uid_sets import runs_in


def counters_of(modseq: int, uidnext: int, exists: int) -> Counters:
    return Counters(
        mailbox_id=1,
        uidvalidity=7,
        uidnext=uidnext,
        highest_modseq=modseq,
        recent_from_uid=1,
        exists_count=exists,
        keywords=("$Junk",),
    )


class Model:
    """The folder as dictionaries: what each UID has, and what went at which MODSEQ."""

    def __init__(self) -> None:
        self.entries: dict[int, tuple[int, int, int]] = {}
        self.gone: list[tuple[int, int]] = []
        self.modseq = 1
        self.uidnext = 1

    def append(self, count: int) -> None:
        self.modseq += 1
        for _ in range(count):
            self.entries[self.uidnext] = (0, 0, self.modseq)
            self.uidnext += 1

    def flag(self, picks: list[int], bits: int) -> None:
        self.modseq += 1
        for uid in self._picked(picks):
            self.entries[uid] = (bits, 1, self.modseq)

    def expunge(self, picks: list[int]) -> None:
        self.modseq += 1
        for uid in self._picked(picks):
            del self.entries[uid]
            self.gone.append((self.modseq, uid))

    def _picked(self, picks: list[int]) -> set[int]:
        uids = sorted(self.entries)
        return {uids[pick % len(uids)] for pick in picks} if uids else set()

    def rows_after(self, modseq: int) -> list[pictures.Row]:
        return [(uid, *row) for uid, row in sorted(self.entries.items()) if row[2] > modseq]

    def gone_after(self, modseq: int) -> list[range]:
        return [range(uid, uid + 1) for at, uid in self.gone if at > modseq]

    def counters(self) -> Counters:
        return counters_of(self.modseq, self.uidnext, len(self.entries))


PICKS = st.lists(st.integers(0, 10_000), max_size=8)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 200)),
        st.tuples(st.just("flag"), PICKS, st.integers(0, 31)),
        st.tuples(st.just("expunge"), PICKS),
        st.tuples(st.just("look")),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_advancing_equals_reading_everything(steps: list[tuple]) -> None:
    model = Model()
    current = pictures.empty(5, model.counters())
    seen: list[Picture] = []
    for name, *arguments in [*steps, ("look",)]:
        if name != "look":
            getattr(model, name)(*arguments)
            continue
        known = current.highest_modseq
        current = pictures.advanced(
            current, model.counters(), model.rows_after(known), model.gone_after(known)
        )
        expected = sorted(model.entries)
        assert list(current.uids) == expected
        assert list(current.flags) == [model.entries[uid][0] for uid in expected]
        assert list(current.keywords) == [model.entries[uid][1] for uid in expected]
        assert list(current.modseqs) == [model.entries[uid][2] for uid in expected]
        for older in seen:
            _check_journal(older, current)
        seen.append(current)


def _check_journal(older: Picture, newer: Picture) -> None:
    named = newer.changed_since(older.highest_modseq)
    if named is None:
        return
    before = dict(zip(older.uids, older.flags, strict=True))
    after = dict(zip(newer.uids, newer.flags, strict=True))
    differs = {uid for uid in before.keys() | after.keys() if before.get(uid) != after.get(uid)}
    assert differs <= set(named)


def test_every_second_of_many_vanishes() -> None:
    rows = [(uid, 0, 0, 2) for uid in range(1, 2001)]
    full = pictures.advanced(
        pictures.empty(5, counters_of(2, 2001, 2000)), counters_of(2, 2001, 2000), rows, []
    )
    gone = [range(uid, uid + 1) for uid in range(1, 2001, 2)]
    half = pictures.advanced(full, counters_of(3, 2001, 1000), [], gone)
    assert list(half.uids) == list(range(2, 2001, 2))
    assert len(half.flags) == len(half.keywords) == len(half.modseqs) == 1000
    assert half.changed_since(2) == frozenset(range(1, 2001, 2))
    assert len(full) == 2000


def test_a_row_below_the_last_uid_is_put_in_its_place() -> None:
    start = pictures.empty(5, counters_of(1, 1, 0))
    late = pictures.advanced(start, counters_of(4, 4, 2), [(1, 0, 0, 2), (3, 0, 0, 4)], [])
    whole = pictures.advanced(late, counters_of(5, 4, 3), [(2, 1, 0, 5)], [])
    assert whole.uids == array("I", [1, 2, 3])
    assert [whole.position(uid) for uid in (1, 2, 3, 4)] == [0, 1, 2, -1]


@given(st.lists(st.integers(0, 255)), st.sampled_from([1, 2, 4, 8, 16]))
def test_the_first_without_a_flag_is_found(flags: list[int], flag: int) -> None:
    counters = counters_of(9, len(flags) + 1, len(flags))
    rows = [(uid, bits, 0, 1) for uid, bits in enumerate(flags, 1)]
    picture = pictures.advanced(pictures.empty(5, counters), counters, rows, [])
    found = [place for place, bits in enumerate(flags) if not bits & flag]
    assert picture.first_without(flag) == (found[0] if found else -1)


def test_uid_runs_reads_a_set() -> None:
    assert list(runs_in("3:5,9")) == [range(3, 6), range(9, 10)]
    assert list(runs_in("")) == []


def test_what_had_gone_already_is_named_again() -> None:
    rows = [(uid, 0, 0, 2) for uid in (1, 2)]
    empty = pictures.empty(5, counters_of(2, 3, 2))
    told = pictures.advanced(empty, counters_of(2, 3, 2), rows, [])
    # UID 2 went at MODSEQ 3, after the counters were read and before the Vanished rows were.
    torn = pictures.advanced(told, counters_of(2, 3, 2), [], [range(2, 3)])
    after = pictures.advanced(torn, counters_of(3, 3, 1), [], [range(2, 3)])
    assert after.changed_since(told.highest_modseq) == {2}


def test_a_journal_is_bounded_in_uids_and_in_steps() -> None:
    picture = replace(pictures.empty(5, counters_of(1, 1, 0)), highest_modseq=1)
    few = list(range(1, pictures.JOURNAL_UIDS // 2, 2))
    for modseq in range(2, 9):
        journal = pictures.longer_journal(picture, few)
        assert [step.after_modseq for step in journal] == list(range(max(1, modseq - 4), modseq))
        picture = replace(picture, highest_modseq=modseq, journal=journal)
    assert pictures.longer_journal(picture, range(1, 9))[0].after_modseq == 4
    assert pictures.longer_journal(picture, few * 5) == ()
    for modseq in range(9, 40):
        journal = pictures.longer_journal(picture, [1])
        picture = replace(picture, highest_modseq=modseq, journal=journal)
    assert len(journal) == pictures.JOURNAL_STEPS
