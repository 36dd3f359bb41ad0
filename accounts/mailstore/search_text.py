"""Whether a message's words contain a string, as SEARCH means it (RFC 3501 §6.4.4).

Pure. Words are compared decoded, by i;unicode-casemap (RFC 5051, RFC 5255 §4), so "CAFÉ" finds
"café" in any charset and encoding, and so does "cafe": an accent is a letter of its own there.
"""

import unicodedata
from collections.abc import Iterator
from typing import Literal

from protocols.wire.message import decode_header, iter_fields

# Characters of decoded text looked through in one message, and of it when it is folded.
TEXT_LIMIT = 8 << 20
# Characters normalised at a time, and marks behind them that are left with their letter.
_PIECE = 256
_MOST_MARKS = 64


def fold(text: str, limit: int = TEXT_LIMIT) -> str:
    """The form in which words are compared.

    What i;unicode-casemap takes for equal is the same here (RFC 5051 §2: title case, decomposed),
    and a little more: "ß" is "ss", and a tab a space, as header fields are folded at either. Where
    it becomes longer than `limit` characters the rest is left out: one letter may become eighteen.
    """
    return _casefolded(text, limit).replace("\t", " ")


def _casefolded(text: str, limit: int = TEXT_LIMIT) -> str:
    if text.isascii():
        return text.lower()
    if len(text) <= _PIECE:
        return _piece_casefolded(text)
    # A piece at a time, so that other threads have their turn.
    pieces: list[str] = []
    for piece in _pieces(text):
        if limit <= 0:
            break
        pieces.append(_piece_casefolded(piece))
        limit -= len(pieces[-1])
    return "".join(pieces)


def _piece_casefolded(piece: str) -> str:
    folded = decomposed("NFKD", piece).casefold()
    # The title case of the dotless i is I.
    return decomposed("NFKD", folded).replace("\N{LATIN SMALL LETTER DOTLESS I}", "i")


def decomposed(form: Literal["NFD", "NFKD"], text: str) -> str:
    """Text in a form of Unicode that takes letters apart, in linear time.

    Python puts the marks behind a letter in order by insertion, and does nothing else meanwhile:
    30,000 stop every thread for a second, ten times as many for a hundred. No writing has so many,
    so of what is longer than a piece some stay as they came.
    """
    if len(text) <= _PIECE:
        return unicodedata.normalize(form, text)
    return "".join(unicodedata.normalize(form, piece) for piece in _pieces(text))


def _pieces(text: str) -> Iterator[str]:
    start, length = 0, len(text)
    while length - start > _PIECE + _MOST_MARKS:
        end = start + _PIECE
        while end < start + _PIECE + _MOST_MARKS and _is_mark(text[end]):
            end += 1
        yield text[start:end]
        start = end
    yield text[start:]


def _is_mark(char: str) -> bool:
    """Whether it belongs to the letter before it; some are told as marks only when taken apart."""
    return unicodedata.combining(unicodedata.normalize("NFKD", char)[0]) > 0


def collated(text: str) -> str:
    """The form in which texts are put in order: in title case, as RFC 5051 §2 has it."""
    return _casefolded(text).upper()


class Needle:
    """A string that is looked for."""

    __slots__ = ("_text", "_word", "octets")

    def __init__(self, text: str) -> None:
        # As decoding has it: NUL stands between the pieces of a text that are searched together.
        self._text = fold(text.replace("\0", "\ufffd"))
        # Lines may be folded at white space, so raw octets are only asked for one word of it.
        words = self._text.split() if self._text.isascii() else []
        self._word = max(words, key=len, default="").encode()
        self.octets = self._text.encode("utf-8", "surrogatepass")

    def is_in(self, text: str) -> bool:
        """Whether decoded text contains it."""
        return self._text in fold(text)

    @property
    def text(self) -> str:
        """The string, folded."""
        return self._text

    def is_in_folded(self, text: str | None) -> bool:
        """Whether folded text contains it; None does not."""
        return text is not None and self._text in text

    def is_in_octets(self, folded: bytes) -> bool:
        """Whether folded text as UTF-8 contains it."""
        return self.octets in folded

    def is_in_field(self, name: bytes, headers: bytes) -> bool:
        """Whether a field of that (lower-case) name contains it; an empty string is in any."""
        if not self._text:
            return any(field.name == name for field in iter_fields(headers))
        # In a header only encoded words and ISO-2022's escapes read otherwise than they stand.
        if (
            self._word
            and self._word not in headers.lower()
            and headers.isascii()
            and b"=?" not in headers
            and b"\x1b" not in headers
        ):
            return False
        return any(
            field.name == name and self.is_in(decode_header(field.value))
            for field in iter_fields(headers)
        )
