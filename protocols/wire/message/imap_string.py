"""Write strings as IMAP's nstring: quoted where possible, else as a literal (RFC 9051 §4.3)."""

import re

_AS_IT_IS = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-!#-\[\]-\x7f]*+").fullmatch
_IN_QUOTES = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]*+").fullmatch
NIL = b"NIL"


def string(value: bytes) -> bytes:
    """A string. NUL, which IMAP cannot carry outside binary literals, is left out."""
    if _AS_IT_IS(value):
        return b'"%b"' % value
    if b"\0" in value:
        return string(value.replace(b"\0", b""))
    if _IN_QUOTES(value):
        return b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b"{%d}\r\n%b" % (len(value), value)


def nstring(value: bytes | None) -> bytes:
    """A string, or NIL for None."""
    return NIL if value is None else string(value)
