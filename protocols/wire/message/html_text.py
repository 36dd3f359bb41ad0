"""The words in an HTML text, for searching: a few linear passes, not a parser.

Nothing here is fit to be shown as HTML; it only finds what a person would read.
"""

import re
from collections.abc import Callable
from html.entities import html5

# The rest of a tag. An attribute's value in quotes may hold ">". Nothing looks past a "<", which
# keeps it linear.
TAG_REST = r"(?:[^<>=]++|=\s*+(?:\"[^\"<]*+\"|'[^'<]*+')?+)*+>"
_BLOCK_TAG = re.compile(
    r"<\s*+/?+(?:p|div|br|hr|li|ul|ol|tr|td|th|table|h[1-6]|blockquote|pre|section|article"
    r"|header|footer|title|dt|dd|option)\b" + TAG_REST,
    re.IGNORECASE,
)
_TAG = re.compile(r"<[/!?a-zA-Z]" + TAG_REST)
# Begins a run that holds no words: a comment, a declaration, a script or a style sheet.
_SILENT = re.compile(r"<(?:(!--)|(script|style)\b)", re.IGNORECASE)
# What of a text tells whether a run begins there.
_SILENT_LENGTH = len("<script") + 1
_SILENT_END = {
    "script": re.compile(r"</script\b[^<>]*+>?+", re.IGNORECASE),
    "style": re.compile(r"</style\b[^<>]*+>?+", re.IGNORECASE),
    "comment": re.compile("-->"),
}
_REFERENCE = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z][A-Za-z0-9]{1,31}));?+")
_SPACES = re.compile(r"[ \t\r\f\v\u00a0]++")
# Where a text may be cut: what is looked for begins here, or does not go on.
_TAG_BEGINS = re.compile("<")
_REFERENCE_BEGINS = re.compile("&")
_SPACES_END = re.compile(r"[^ \t\r\f\v\u00a0]")
# Characters changed at a time.
_PIECE = 1 << 16


def html_to_text(html: str) -> str:
    """The readable words of `html`, block elements on lines of their own."""
    text = _without_silent(html)
    text = _changed(_BLOCK_TAG, "\n", text, _TAG_BEGINS)
    text = _changed(_TAG, "", text, _TAG_BEGINS)
    if "&" in text:
        text = _changed(_REFERENCE, _character, text, _REFERENCE_BEGINS)
    return _changed(_SPACES, " ", text, _SPACES_END)


def _changed(
    pattern: re.Pattern[str],
    replacement: str | Callable[[re.Match[str]], str],
    text: str,
    cut: re.Pattern[str],
) -> str:
    """The text with what fits replaced, a piece at a time.

    No other thread can do anything while a pattern goes through a text, which takes seconds for
    megabytes of what begins like a tag and is none.
    """
    pieces: list[str] = []
    start = 0
    while found := cut.search(text, start + _PIECE):
        pieces.append(pattern.sub(replacement, text[start : found.start()]))
        start = found.start()
    pieces.append(pattern.sub(replacement, text[start:]))
    return "".join(pieces)


def _without_silent(html: str) -> str:
    kept: list[str] = []
    at = 0
    while begin := _silent(html, at):
        kept.append(html[at : begin.start()])
        ending = _SILENT_END[(begin[2] or "comment").lower()].search(html, begin.end())
        if ending is None:
            return "".join(kept)
        at = ending.end()
    kept.append(html[at:])
    return " ".join(kept)


def _silent(html: str, at: int) -> re.Match[str] | None:
    """Where the next run without words begins, looked for a piece at a time."""
    while at < len(html):
        # A beginning that is cut off is found whole in the next piece.
        found = _SILENT.search(html, at, at + _PIECE + _SILENT_LENGTH)
        if found and found.start() < at + _PIECE:
            return found
        at += _PIECE
    return None


def _character(reference: re.Match[str]) -> str:
    decimal, hexadecimal, name = reference.groups()
    if name:
        return html5.get(name + ";", reference[0])
    number = int(decimal) if decimal else int(hexadecimal, 16)
    if number == 0 or number > 0x10FFFF or 0xD800 <= number < 0xE000:
        return "\ufffd"
    return chr(number)
