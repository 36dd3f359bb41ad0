"""FUZZY finds words that are alike, and whatever the exact search finds; nothing else does."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.mailstore import append, index, search, search_fuzzy
from accounts.mailstore.search import Scope
from accounts.mailstore.search_fuzzy import FuzzyNeedle, distance
from accounts.mailstore.search_text import fold
from protocols.wire.imap.search import And, BodyHas, Fuzzy, HeaderHas, Not, Or, SearchKey, TextHas
from tests.accounts.mail import HELLO, inbox, make_mailbox


@pytest.mark.parametrize(
    ("wanted", "text", "likeness"),
    [
        ("hello", "say hello there", 100),
        ("caf\u00e9", "a cafe in town", 95),
        ("cafe", "un caf\u00e9", 100),
        ("town hello", "hello from town", 95),
        ("invoices", "your invoice is here", 80),
        ("canci\u00f3n", "canciones de cuna", 85),
        ("runs", "run", 80),
        ("today meet", "the meetings of today", 90),
        ("helo", "hello", 70),
        ("recieve", "receive it", 70),
        ("adress book", "my address books", 77),
        ("confrence", "conference", 70),
        ("konferense", "konferenz", 50),
        ("conference", "bonferencs", 0),
        ("helo", "help", 70),
        ("cat", "car", 0),
        ("ab", "abc", 100),
        ("xy", "abc", 0),
        ("hello moon", "hello world", 0),
        ("\u65e5\u672c", "\u6771\u4eac\u65e5\u672c\u6a4b", 100),
        ("!!", "a !! b", 100),
        ("!!", "nothing", 0),
    ],
)
def test_what_is_alike(wanted: str, text: str, likeness: int) -> None:
    assert FuzzyNeedle(wanted).likeness(fold(text)) == likeness


@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_distance_is_one_between_words(one: str, other: str) -> None:
    assert distance(one, other) == distance(other, one) <= max(len(one), len(other))
    assert (distance(one, other) == 0) is (one == other)
    if len(one) > 1:
        assert distance(one, one[1] + one[0] + one[2:]) <= 1
        assert distance(one, one[1:]) == 1


@given(st.text(max_size=60), st.data())
def test_what_is_found_exactly_is_found(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    folded = fold(text)
    needle = folded[start : data.draw(st.integers(start, len(text)))]
    if fold(needle) in folded:
        assert FuzzyNeedle(needle).likeness(folded) == 100


def test_no_text_takes_long() -> None:
    words = " ".join(f"a{number:x}e" for number in range(300_000))
    needle = FuzzyNeedle(" ".join(f"a{number}zze" for number in range(1000)) + "x" * 60_000)
    begun = time.process_time()
    needle.likeness(words)
    assert time.process_time() - begun < 10


def found(folder_id: int, program: SearchKey) -> dict[int, int]:
    picture = index.picture(folder_id)
    scope = Scope(picture, picture.uids, [], now=2_000_000_000)
    uids = [uid for uids in search.search(scope, program) for uid in uids]
    return {uid: scope.relevancy.get(uid, 100) for uid in uids}


@pytest.mark.django_db(transaction=True)
def test_fuzzy_keys_in_programs() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    for words in (b"a meeting tomorrow", b"meetings every day", b"meating place", b"something"):
        append.append_message(mailbox_id, folder_id, HELLO + words + b"\r\n").result()
    meeting = BodyHas("meeting")
    assert found(folder_id, meeting) == {1: 100, 2: 100}
    assert found(folder_id, Fuzzy(meeting)) == {1: 100, 2: 100, 3: 70}
    assert found(folder_id, Fuzzy(TextHas("alise meating"))) == {1: 70, 3: 82}
    assert found(folder_id, Not(Fuzzy(meeting))) == {4: 100}
    assert found(folder_id, Fuzzy(Not(meeting))) == {4: 100}
    assert found(folder_id, Fuzzy(And((meeting, BodyHas("place"))))) == {3: 70}
    assert found(folder_id, Fuzzy(Or((BodyHas("somthing"), BodyHas("plaze"))))) == {3: 70, 4: 70}
    assert found(folder_id, Fuzzy(HeaderHas("from", "alic"))).keys() == {1, 2, 3, 4}
    assert found(folder_id, Fuzzy(HeaderHas("cc", "alice"))) == {}
    assert found(folder_id, Fuzzy(HeaderHas("x-none", "a"))) == {}
    assert found(folder_id, Fuzzy(HeaderHas("subject", ""))).keys() == {1, 2, 3, 4}
    assert found(folder_id, Fuzzy(BodyHas(""))).keys() == {1, 2, 3, 4}


@given(st.text(alphabet="aé\u0300ñ ", max_size=20))
def test_marks_are_taken_from_pieces_as_from_all_of_a_text(text: str) -> None:
    whole = search_fuzzy.bare(text)
    lengths: list[int] = []
    plain = search_fuzzy._without_marks

    def noting(piece: str) -> str:
        lengths.append(len(piece))
        return plain(piece)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_fuzzy, "_PIECE", 3)
        patch.setattr(search_fuzzy, "_without_marks", noting)
        assert search_fuzzy.bare(text) == whole
    assert max(lengths, default=0) <= 3
