"""How much a text is like what was asked, for FUZZY keys alone (RFC 6203 §3).

Pure. A text that holds the string itself is 100 of 100. Otherwise each word that was asked for must
have a likeness among the text's words: the same without accents, another form of it (its stem in
one of LANGUAGES), a longer word that begins with it, or one with a typing error or two. The text
is as good as its words are on average.
"""

import re
import threading
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice

import snowballstemmer

from accounts.mailstore.search_text import decomposed, fold

LANGUAGES = ("english", "spanish", "german", "french", "italian", "portuguese", "dutch")

BEST = 100
_SAME_WORDS = 95
_BEGINS_SO = 85
_SAME_STEM = 80
_ONE_ERROR, _TWO_ERRORS = 70, 50
# Shorter words are themselves or nothing.
_SHORTEST = 3
_ONE_ERROR_FROM, _TWO_ERRORS_FROM = 4, 8
# Of a string that is asked for, of one text, and of a word.
MAX_WORDS = 16
_TEXT_WORDS = 20_000
_LONGEST = 40
# Characters from which marks are taken at once.
_PIECE = 16 << 10
# Likenesses that one search remembers.
_REMEMBERED = 200_000

_WORD = re.compile(r"\w+")


class FuzzyNeedle:
    """A string that is looked for, more or less."""

    def __init__(self, text: str) -> None:
        self._text = fold(text)
        self._words = list(dict.fromkeys(_WORD.findall(bare(self._text))))[:MAX_WORDS]
        self._known: dict[tuple[str, str], int] = {}

    def likeness(self, text: str) -> int:
        """Of folded text, from 1 to 100; 0: it is something else."""
        if self._text in text:
            return BEST
        if not self._words:
            return 0
        # One by one: no other thread can do anything while all are found at once.
        words = {found[0] for found in _WORD.finditer(bare(text))}
        total = 0
        for wanted in self._words:
            best = _SAME_WORDS if wanted in words else self._nearest(wanted, words)
            if not best:
                return 0
            total += best
        return total // len(self._words)

    def _nearest(self, wanted: str, words: Iterable[str]) -> int:
        if len(wanted) < _SHORTEST:
            return 0
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        known, best = self._known, 0
        for word in islice(words, _TEXT_WORDS):
            likeness = known.get((wanted, word))
            if likeness is None:
                likeness = known[wanted, word] = like(wanted, word)
            if likeness > best:
                best = likeness
        return best


def bare(text: str) -> str:
    """Folded text without accents."""
    if text.isascii():
        return text
    apart = decomposed("NFD", text)
    # A piece at a time: no other thread can do anything while millions of letters are joined.
    pieces = (apart[start : start + _PIECE] for start in range(0, len(apart), _PIECE))
    return "".join(map(_without_marks, pieces))


def _without_marks(text: str) -> str:
    return "".join(letter for letter in text if not unicodedata.combining(letter))


def like(wanted: str, word: str) -> int:
    """How much a bare word is like the one that was asked for; 0: not at all."""
    if not _SHORTEST <= len(word) <= _LONGEST or len(wanted) > _LONGEST:
        return 0
    if word.startswith(wanted):
        return _BEGINS_SO
    if wanted[:2] == word[:2] and not stems(wanted).isdisjoint(stems(word)):
        return _SAME_STEM
    allowed = (len(wanted) >= _ONE_ERROR_FROM) + (len(wanted) >= _TWO_ERRORS_FROM)
    # Few err in the first and the last letter of one word.
    if abs(len(wanted) - len(word)) > allowed or (wanted[0] != word[0] and wanted[-1] != word[-1]):
        return 0
    errors = distance(wanted, word)
    if errors > allowed:
        return 0
    return _ONE_ERROR if errors == 1 else _TWO_ERRORS


def distance(one: str, other: str) -> int:
    """Letters to insert, drop, replace or swap with a neighbour, to make one word the other."""
    above: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        higher, above, row = above, row, [i]
        for j, its in enumerate(other, 1):
            cost = min(row[-1] + 1, above[j] + 1, above[j - 1] + (letter != its))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == its:
                cost = min(cost, higher[j - 2] + 1)
            row.append(cost)
    return row[-1]


# A stemmer keeps the word it works on, so one thread uses them at a time.
_lock = threading.Lock()
_stemmers = [snowballstemmer.stemmer(language) for language in LANGUAGES]


@lru_cache(maxsize=50_000)
def stems(word: str) -> frozenset[str]:
    """The stems of a word by every language's rules, short ones left out."""
    with _lock:
        found = {stemmer.stemWord(word) for stemmer in _stemmers}
    return frozenset(stem for stem in found if len(stem) >= _SHORTEST)
