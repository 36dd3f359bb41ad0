"""Undo the encodings of mail: encoded words, split parameters, transfer encodings.

RFC 2047, RFC 2231 and RFC 2045 §6, tolerant of every way they are written wrong; nothing here
raises, and time is linear in the input.
"""

import binascii
import re
from collections.abc import Iterator, Sequence
from itertools import chain

from protocols.wire.message.charset import decode_text
from protocols.wire.message.content import Params, find_param
from protocols.wire.message.header import unfold

# RFC 2231 §5 allows a language after the charset. Spaces in Q text are wrong and common.
_ENCODED_WORD = re.compile(rb"=\?([^?*\s]{1,60}+)(?:\*[^?\s]{0,40}+)?\?([bBqQ])\?([^?]*+)\?=")
NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
)
# Begins at line ends, of which there are fewer than blanks.
_BLANK_END = re.compile(rb"\n(?:(?<=[ \t]\n)|(?<=[ \t]\r\n))")
# Looking behind keeps it linear: a run of blanks is tried once.
_BLANKS_AT_END = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n|\Z)")
# Octets of encoded text worked on at a time.
_PIECE = 64 * 1024
_HEX_PAIR = re.compile(rb"%([0-9A-Fa-f]{2})")
_SECTION = re.compile(r"(.+?)\*(\d{1,3})?(\*)?")


def decode_header(value: bytes) -> str:
    """A header value as a person reads it: unfolded, encoded words decoded (RFC 2047 §6)."""
    value = unfold(value)
    if b"=?" not in value:
        return decode_text(value)
    pieces: list[str] = []
    charset = b""
    pending: list[bytes] = []  # adjacent words of one charset may share a character
    at = 0
    for word in _ENCODED_WORD.finditer(value):
        between = value[at : word.start()]
        is_adjacent = bool(pending) and not between.strip()
        if pending and not (is_adjacent and word.group(1).lower() == charset):
            pieces.append(decode_text(b"".join(pending), charset))
            pending.clear()
        if between and not is_adjacent:
            pieces.append(decode_text(between))
        charset = word.group(1).lower()
        pending.append(_decode_word(word.group(2), word.group(3)))
        at = word.end()
    if pending:
        pieces.append(decode_text(b"".join(pending), charset))
    if at < len(value):
        pieces.append(decode_text(value[at:]))
    return "".join(pieces).replace("\r", " ").replace("\n", " ")


def decode_params(params: Params) -> dict[str, str]:
    """Parameters by lower-case name with continuations joined and charsets applied (RFC 2231).

    Encoded words in a value are decoded too: wrong by RFC 2047 §5, and written by many programs.
    """
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for raw_name, value in params:
        name = raw_name.decode("latin-1").lower()
        split = _SECTION.fullmatch(name)
        if split is None:
            plain.setdefault(name, decode_header(value))
            continue
        number = int(split[2] or 0)
        # A lone "name*" is always encoded; "name*1" is so only with a star of its own.
        is_encoded = split[2] is None or split[3] is not None
        sections.setdefault(split[1], {}).setdefault(number, (value, is_encoded))
    for name, numbered in sections.items():
        plain[name] = _join_sections([numbered[number] for number in sorted(numbered)])
    return plain


def read_param(params: Params, name: bytes) -> bytes | None:
    """As `find_param`, where the value may also be in pieces or encoded (RFC 2231 §3, §4)."""
    value = find_param(params, name)
    if value is None and any(key.lower().startswith(name + b"*") for key, _ in params):
        joined = decode_params(params).get(name.decode())
        return None if joined is None else joined.encode("utf-8", "replace")
    return value


def decode_transfer(body: bytes, encoding: bytes) -> bytes:
    """The octets a transfer encoding stands for; unknown encodings are taken as identity."""
    match encoding.strip().lower():
        case b"base64":
            return decode_base64(body)
        case b"quoted-printable":
            return decode_quoted_printable(body)
        case b"x-uuencode" | b"uuencode" | b"x-uue" | b"uue":
            return _decode_uu(body)
        case _:
            return body


def decode_quoted_printable(text: bytes) -> bytes:
    """What it stands for; blanks at the end of a line were added on the way (RFC 2045 §6.7)."""
    if len(text) > _PIECE:
        return b"".join(map(_lines_decoded, _in_pieces(text)))
    return _lines_decoded(text)


def _lines_decoded(text: bytes) -> bytes:
    if text.endswith((b" ", b"\t")) or _BLANK_END.search(text):
        text = _BLANKS_AT_END.sub(b"", text)
    return binascii.a2b_qp(text)


def _in_pieces(text: bytes) -> Iterator[bytes]:
    """Whole lines, some at a time: no other thread can do anything while one piece is worked on."""
    start = 0
    while start < len(text):
        end = text.find(b"\n", start + _PIECE) + 1 or len(text)
        yield text[start:end]
        start = end


def decode_base64(text: bytes) -> bytes:
    """What can be read of base64: strange octets and missing padding are passed over.

    Padding ends it (RFC 2045 §6.8): mailing lists put lines in plain text behind it.
    """
    text = text.translate(None, NOT_BASE64).partition(b"=")[0]
    if len(text) % 4 == 1:
        text = text[:-1]
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4))


def _decode_word(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"bB":
        return decode_base64(text)
    return binascii.a2b_qp(text, header=True)


def _join_sections(sections: Sequence[tuple[bytes, bool]]) -> str:
    first, is_encoded = sections[0]
    charset = b""
    pieces = [first]
    if is_encoded:
        head, quote, rest = first.partition(b"'")
        _language, quote2, text = rest.partition(b"'")
        if quote and quote2:
            charset, pieces[0] = head, text
        pieces[0] = _unpercent(pieces[0])
    pieces += [_unpercent(text) if encoded else text for text, encoded in sections[1:]]
    return decode_text(b"".join(pieces), charset)


def _unpercent(text: bytes) -> bytes:
    return _HEX_PAIR.sub(lambda pair: bytes([int(pair[1], 16)]), text)


def _decode_uu(body: bytes) -> bytes:
    lines = chain.from_iterable(piece.splitlines() for piece in _in_pieces(body))
    decoded = bytearray()
    for line in lines:
        if line.startswith(b"begin "):
            break
    for line in lines:
        if line.strip() == b"end":
            break
        try:
            decoded += binascii.a2b_uu(line)
        except binascii.Error:
            continue
    return bytes(decoded)
