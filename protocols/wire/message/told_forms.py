"""ENVELOPE, BODY and BODYSTRUCTURE as clients want them told where a header held raw UTF-8.

What is prepared holds such octets in literals, as they were received. A client of IMAP4rev2 or
UTF8=ACCEPT is told UTF-8 in quoted strings (RFC 9051 §4.3, RFC 9755 §3); any other is told ASCII:
encoded words (RFC 2047) and RFC 2231, and an address that ASCII cannot say becomes one that leads
nowhere (RFC 6858 §2.1). Forms that are ASCII already are the same for both.

Linear in the form, whatever it holds; nesting is as deep as what `prepare` writes.
"""

import re
from collections.abc import Iterator

from protocols.wire.message.charset import decode_text
from protocols.wire.message.decode import decode_header
from protocols.wire.message.downgrade_header import TO_ASCII, ascii_domain, encode_words
from protocols.wire.message.imap_string import NIL, string

# Up to and with the next literal's announcement; quoted strings may hold braces.
_TO_LITERAL = re.compile(rb'([^"{]*+(?:"(?:[^"\\]|\\.)*+"[^"{]*+)*+)\{([0-9]++)\}\r\n', re.DOTALL)
_TOKEN = re.compile(rb'[ ]|[()]|"(?:[^"\\]|\\.)*+"|\{([0-9]++)\}\r\n|[^ ()"{]++', re.DOTALL)
_UNSAFE = re.compile(rb"[%()*'\x00-\x20\x7f-\xff]")
# Clients with short lines get long strings as literals still.
_LONGEST_QUOTED = 4096
# RFC 6858 §2.1.
_NOWHERE = b'"invalid"', b'"internationalized-address.invalid"'


class _Raw(bytes):
    """A literal's octets that are not ASCII: the list they stand in tells what becomes of them."""


def in_utf8(form: bytes) -> bytes:
    """The form with its UTF-8 in quoted strings; octets that are no UTF-8 stay in literals."""
    if form.isascii():
        return form
    pieces: list[bytes] = []
    place = 0
    while match := _TO_LITERAL.match(form, place):
        end = match.end() + int(match[2])
        value = form[match.end() : end]
        pieces += (match[1], _quoted(value) or form[match.end(1) : end])
        place = end
    return b"".join([*pieces, form[place:]])


def _quoted(value: bytes) -> bytes | None:
    if len(value) > _LONGEST_QUOTED or b"\r" in value or b"\n" in value:
        return None
    try:
        value.decode()
    except UnicodeDecodeError:
        return None
    return b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def in_ascii(form: bytes) -> bytes:
    """The form in ASCII, for clients that have not said that they read UTF-8."""
    if form.isascii():
        return form
    out: list[bytes] = []
    # For each open list, where its items begin in `out`.
    lists: list[list[int]] = [[]]
    for token in _tokens(form):
        if token == b")":
            _settle(lists.pop(), out)
        elif token != b" ":
            lists[-1].append(len(out))
            if token == b"(":
                lists.append([])
        out.append(token)
    return b"".join(out)


def _tokens(form: bytes) -> Iterator[bytes]:
    place = 0
    while match := _TOKEN.match(form, place):
        place = match.end()
        if match[1] is None:
            yield match[0]
            continue
        value = form[place : place + int(match[1])]
        place += len(value)
        yield string(value) if value.isascii() else _Raw(value)


def _settle(items: list[int], out: list[bytes]) -> None:
    """At a list's end: put ASCII in the place of what is not."""
    raw = [item for item in items if isinstance(out[item], _Raw)]
    if not raw:
        return
    if len(items) == 4 and out[items[1]] == NIL:
        _address(items, out)
    elif len(items) % 2 == 0 and all(_is_string(out[item]) for item in items):
        for name, value in zip(items[::2], items[1::2], strict=True):
            out[name], out[value] = _parameter(out[name], out[value])
    for item in raw:
        if isinstance(out[item], _Raw):
            # What is an encoded word already would be told twice encoded.
            words = encode_words(decode_header(out[item]))
            out[item] = string(words.replace(b"\r\n", b""))


def _is_string(token: bytes) -> bool:
    return isinstance(token, _Raw) or token[:1] in (b'"', b"{")


def _address(items: list[int], out: list[bytes]) -> None:
    """(name route local domain); a group's name stands in the place of a local part."""
    _name, _route, local, domain = items
    if isinstance(out[local], _Raw) and out[domain] != NIL:
        out[local], out[domain] = _NOWHERE
    if isinstance(out[domain], _Raw):
        out[domain] = string(ascii_domain(out[domain]))


def _parameter(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """A parameter by RFC 2231, its name with the asterisk."""
    if isinstance(name, _Raw):
        name = string(name.translate(TO_ASCII))
    if not isinstance(value, _Raw):
        return name, value
    if not name.startswith(b'"') or name.endswith(b'*"'):
        return name, string(value.translate(TO_ASCII))
    octets = decode_text(value).encode("utf-8", "replace")
    encoded = _UNSAFE.sub(lambda match: b"%%%02X" % match[0][0], octets)
    return name[:-1] + b'*"', string(b"utf-8''" + encoded)
