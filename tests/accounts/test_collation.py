"""i;unicode-casemap (RFC 5051): what it takes for equal, SEARCH and SORT do too."""

import sys
import unicodedata
from functools import cache

import pytest

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
    for code in range(sys.maxunicode + 1):
        if not 0xD800 <= code < 0xE000:
            key = casemap(chr(code))
            classes.setdefault(key, {fold(key)}).add(fold(chr(code)))
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
