"""i;unicode-casemap (RFC 5051): what it takes for equal, SEARCH and SORT do too."""

import re
import sys
import time
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.mailstore import search_text
from accounts.mailstore.names import canonical
from accounts.mailstore.search_fuzzy import bare
from accounts.mailstore.search_text import Needle, collated, fold


@cache
def decomposed(char: str) -> str:
    found = [part for part in unicodedata.decomposition(char).split() if part[0] != "<"]
    return "".join(decomposed(chr(int(part, 16))) for part in found) or char


def casemap(text: str) -> str:
    """RFC 5051 §2 by the letter: simple title case, then decomposition, again and again."""
    titles = (char.title() if len(char.title()) == 1 else char for char in text)
    return "".join(map(decomposed, titles))


def test_what_the_standard_takes_for_equal_is_equal() -> None:
    classes: dict[str, set[str]] = {}
    for char in map(chr, range(sys.maxunicode + 1)):
        # Others have no case and no decomposition: surrogates, private use, not assigned.
        if unicodedata.category(char) not in ("Cs", "Co", "Cn"):
            key = casemap(char)
            classes.setdefault(key, {fold(key)}).add(fold(char))
    assert [key for key, forms in classes.items() if len(forms) > 1] == []


@pytest.mark.parametrize(
    ("needle", "text"),
    [
        ("CAFÉ", "un café"),
        ("cafe", "un café"),
        ("cafe\u0301", "caf\u00e9"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("strasse", "Straße"),
        ("istanbul", "ıSTANBUL"),
        ("file", "\ufb01le"),
        ("ＡＢＣ", "abc"),
        ("여보", "여보세요"),
        ("kelvin", "\u212aelvin"),
    ],
)
def test_found(needle: str, text: str) -> None:
    assert Needle(needle).is_in(text)


@pytest.mark.parametrize(("needle", "text"), [("résume", "resume"), ("o", "ø"), ("d", "ð")])
def test_not_found(needle: str, text: str) -> None:
    assert not Needle(needle).is_in(text)


def test_order() -> None:
    words = ["Zebra", "_x", "éclair", "apple", "Eclipse", "ecru", "ёлка", "ель", "Жук"]
    # RFC 5051 §2: title case in order of code points, accents behind their letter.
    assert sorted(words, key=collated) == [
        *("apple", "Eclipse", "ecru", "éclair", "Zebra", "_x", "ёлка", "ель", "Жук")
    ]


@pytest.mark.parametrize("form", ["NFD", "NFKD"])
@given(
    text=st.text(alphabet="aé\u0300\u0316\u0f73\u1e9b\uff9eか\u3099한 ", min_size=300, max_size=900)
)
def test_pieces_of_a_text_decompose_as_all_of_it(form: Literal["NFD", "NFKD"], text: str) -> None:
    # No more marks behind a letter than are left with it.
    text = re.sub(r"[\u0300\u0316\u0f73\uff9e\u3099]{40,}", "", text)
    assert search_text.decomposed(form, text) == unicodedata.normalize(form, text)


@pytest.mark.parametrize(
    "text", ["a" + "\u0300\u0316" * 100_000, "\uff9e\u0316" * 100_000], ids=["marks", "half width"]
)
@pytest.mark.parametrize("do", [fold, bare, Needle, canonical])
def test_marks_without_end_take_linear_time(do: Callable[[str], object], text: str) -> None:
    begun = time.process_time()
    do(text)
    # By Python alone it takes minutes, in which no other thread can do anything.
    assert time.process_time() - begun < 3


@given(st.text(alphabet="aÉß\u0300\u0316\u0345\u1e9bıか한 ", min_size=300, max_size=900))
def test_a_long_text_folds_as_all_of_it(text: str) -> None:
    text = re.sub(r"[\u0300\u0316\u0345]{40,}", "", text)
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    assert fold(text) == folded.replace("ı", "i")


def test_letters_that_become_many_take_no_more_room_than_others() -> None:
    text = "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 10_000
    assert len(fold(text, 1000)) < 10_000
    assert fold("a " + text, 1000).startswith("a ")
