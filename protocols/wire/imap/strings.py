"""Rendering of IMAP strings: atoms where they may be, quoted where they can be, else literals."""

import re

_ASTRING = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\]+")
# A quoted string holds no NUL, CR, LF or 8-bit octet (RFC 3501 §4.3); long ones are literals so
# that no client's line limit is met.
_QUOTABLE = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]{0,1024}")

_UNQUOTABLE = re.compile(rb"[\x00\r\n]")


def quoted(octets: bytes) -> bytes:
    """A quoted string. The caller knows that the octets can be quoted."""
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def literal(octets: bytes) -> bytes:
    """A literal."""
    return b"{%d}\r\n%b" % (len(octets), octets)


def literal8(octets: bytes) -> bytes:
    """A literal that may hold NUL (RFC 3516 §4.3)."""
    return b"~" + literal(octets)


def string(octets: bytes) -> bytes:
    """A quoted string if it can be one, else a literal."""
    return quoted(octets) if _QUOTABLE.fullmatch(octets) else literal(octets)


def utf8_astring(octets: bytes) -> bytes:
    """An astring of UTF-8, for clients that have enabled it (RFC 9051 §4.3, RFC 9755 §3)."""
    if octets.isascii() or len(octets) > 1024 or _UNQUOTABLE.search(octets):
        return astring(octets)
    return quoted(octets)


def nstring(octets: bytes | None) -> bytes:
    """A string, or NIL for None."""
    return b"NIL" if octets is None else string(octets)


def astring(octets: bytes) -> bytes:
    """An atom if it can be one (and is not the word NIL), else a string."""
    if _ASTRING.fullmatch(octets) and octets.upper() != b"NIL":
        return octets
    return string(octets)
