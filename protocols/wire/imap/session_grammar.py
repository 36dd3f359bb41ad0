"""Reading commands of any state, logins and what switches things on (RFC 3501 §6.1, §6.2)."""

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable

from . import commands as c
from .cursor import Cursor, Fault, decode_text

# RFC 2971 §3.3.
MAX_ID_PAIRS = 30
MAX_ID_KEY = 30
MAX_ID_VALUE = 1024


def from_base64(text: bytes) -> bytes | None:
    """The octets `text` encodes, or None when it is no base64 (RFC 4648 §4)."""
    try:
        return a2b_base64(text, strict_mode=True) if text else b""
    except Base64Error:
        return None


def _login(tag: bytes, cursor: Cursor) -> c.Command:
    cursor.space()
    username = decode_text(cursor.astring())
    cursor.space()
    return c.Login(tag, username, decode_text(cursor.astring()))


def _authenticate(tag: bytes, cursor: Cursor) -> c.Command:
    cursor.space()
    mechanism = cursor.atom().decode("ascii").upper()
    if not cursor.has_more():
        return c.Authenticate(tag, mechanism, None)
    cursor.space()
    if cursor.take(b"="):
        return c.Authenticate(tag, mechanism, b"")
    initial = from_base64(cursor.atom())
    if initial is None:
        raise Fault("The initial response is not base64.")
    return c.Authenticate(tag, mechanism, initial)


def _id(tag: bytes, cursor: Cursor) -> c.Command:
    cursor.space()
    if not cursor.take(b"("):
        if cursor.nstring() is not None:
            raise Fault("List or NIL expected.")
        return c.Id(tag, ())
    pairs: list[tuple[str, str | None]] = []
    while not cursor.take(b")"):
        if pairs:
            cursor.space()
        key = decode_text(cursor.string())
        cursor.space()
        octets = cursor.nstring()
        value = None if octets is None else decode_text(octets)
        if len(pairs) == MAX_ID_PAIRS or len(key) > MAX_ID_KEY or len(value or "") > MAX_ID_VALUE:
            raise Fault("Too much said.")
        pairs.append((key, value))
    return c.Id(tag, tuple(pairs))


def _enable(tag: bytes, cursor: Cursor) -> c.Command:
    names: dict[str, None] = {}
    while not names or cursor.has_more():
        cursor.space()
        names[cursor.atom().decode("ascii").upper()] = None
    return c.Enable(tag, tuple(names))


def _compress(tag: bytes, cursor: Cursor) -> c.Command:
    cursor.space()
    return c.Compress(tag, cursor.atom().decode("ascii").upper())


COMMANDS: dict[bytes, Callable[[bytes, Cursor], c.Command]] = {
    b"CAPABILITY": lambda tag, _: c.Capability(tag),
    b"NOOP": lambda tag, _: c.Noop(tag),
    b"LOGOUT": lambda tag, _: c.Logout(tag),
    b"ID": _id,
    b"STARTTLS": lambda tag, _: c.StartTls(tag),
    b"LOGIN": _login,
    b"AUTHENTICATE": _authenticate,
    b"UNAUTHENTICATE": lambda tag, _: c.Unauthenticate(tag),
    b"ENABLE": _enable,
    b"COMPRESS": _compress,
    b"IDLE": lambda tag, _: c.Idle(tag),
}
