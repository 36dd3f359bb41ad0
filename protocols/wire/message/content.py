"""Read the values of Content-Type and Content-Disposition (RFC 2045 §5.1, RFC 2183).

Tolerant: comments are dropped, quotes may be missing or left open, values may hold spaces.
Parameters keep their order, their spelling and any RFC 2231 form, which is what IMAP reports.
"""

import re
from functools import lru_cache
from typing import NamedTuple, TypeAlias

Params: TypeAlias = tuple[tuple[bytes, bytes], ...]

VALUE_LIMIT = 64 * 1024
# Octets: mail programs write what is no longer again and again; a boundary is new each time.
RECURRING = 50
PARAM_LIMIT = 200

_TYPE_TOKEN = rb"([^\x00-\x20\x7f-\xff/;,=\"<>()@]++)"
_TYPE = re.compile(rb"\s*+" + _TYPE_TOKEN + rb"\s*+/\s*+" + _TYPE_TOKEN)
_TOKEN = re.compile(rb"\s*+([^\s;=\"]++)")
_GAP = re.compile(rb"[\s;]*+")
_PARAM = re.compile(
    rb"([^\s=;\"]++)\s*+=\s*+(?:\"((?:[^\"\\]|\\.)*+)(?:\"[^;]*+|\\?\Z)|([^;\"]*+)[^;]*+)",
    re.DOTALL,
)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_COMMENT_TOKEN = re.compile(rb"\"(?:[^\"\\]|\\.)*+\"?+|\\.|[()]|[^\"()\\]++|\\", re.DOTALL)


class Content(NamedTuple):
    """A media type with its parameters, spelt as received; ask `kind` to compare."""

    type: bytes
    subtype: bytes
    params: Params

    @property
    def kind(self) -> bytes:
        """`type/subtype` in lower case."""
        is_long = len(self.type) + len(self.subtype) > RECURRING
        return (_kind if is_long else _recurring_kind)(self.type, self.subtype)


def _kind(name: bytes, subtype: bytes) -> bytes:
    return b"%b/%b" % (name.lower(), subtype.lower())


_recurring_kind = lru_cache(maxsize=256)(_kind)


TEXT_PLAIN = Content(b"text", b"plain", ((b"charset", b"us-ascii"),))
MESSAGE_RFC822 = Content(b"message", b"rfc822", ())


def parse_content_type(value: bytes) -> Content | None:
    """The media type in an unfolded value; None where there is no `type/subtype` to be read."""
    return (_recurring if len(value) <= RECURRING else _content_type)(value)


def _content_type(value: bytes) -> Content | None:
    value = strip_comments(value[:VALUE_LIMIT])
    found = _TYPE.match(value)
    if found is None:
        return None
    return Content(found.group(1), found.group(2), _params(value, found.end()))


_recurring = lru_cache(maxsize=512)(_content_type)


def parse_disposition(value: bytes) -> tuple[bytes, Params] | None:
    """The disposition and its parameters in an unfolded value (RFC 2183 §2)."""
    value = strip_comments(value[:VALUE_LIMIT])
    found = _TOKEN.match(value)
    if found is None:
        return None
    return found.group(1), _params(value, found.end())


def find_param(params: Params, name: bytes) -> bytes | None:
    """The value of the first parameter of that name (given in lower case)."""
    for key, value in params:
        if key.lower() == name:
            return value
    return None


def strip_comments(value: bytes) -> bytes:
    """The value without RFC 5322 comments; one that is never closed is kept as text."""
    if b"(" not in value:
        return value
    kept: list[bytes] = []
    depth = opened_at = kept_before = 0
    for token in _COMMENT_TOKEN.finditer(value):
        text = token.group()
        if text == b"(":
            if depth == 0:
                opened_at, kept_before = token.start(), len(kept)
            depth += 1
        elif text == b")" and depth:
            depth -= 1
        elif depth == 0:
            kept.append(text)
    if depth:
        return b"".join(kept[:kept_before]) + value[opened_at:]
    return b"".join(kept)


def unquote(text: bytes) -> bytes:
    """The content of a quoted string (given without its quotes): quoted pairs undone."""
    return _QUOTED_PAIR.sub(rb"\1", text) if b"\\" in text else text


def _params(value: bytes, at: int) -> Params:
    params: list[tuple[bytes, bytes]] = []
    at = value.find(b";", at)
    while at >= 0 and len(params) < PARAM_LIMIT:
        # Each step begins behind everything the step before has looked at: linear on any input.
        gap = _GAP.match(value, at)
        at = gap.end() if gap else at
        found = _PARAM.match(value, at)
        if found is None:
            at = value.find(b";", at + 1)
            continue
        name, quoted, bare = found.groups()
        params.append((name, unquote(quoted) if quoted is not None else bare.strip()))
        at = value.find(b";", found.end())
    return tuple(params)
