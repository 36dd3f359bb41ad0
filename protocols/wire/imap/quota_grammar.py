"""Reading the commands on quotas (RFC 9208 §7)."""

from collections.abc import Callable

from .cursor import Cursor, Fault
from .quota import GetQuota, GetQuotaRoot, SetQuota

# RFC 9208 §7, `resource-limit` is number64: 63 bits.
MAX_LIMIT = (1 << 63) - 1
MAX_RESOURCES = 20


def _get(tag: bytes, cursor: Cursor) -> GetQuota:
    cursor.space()
    return GetQuota(tag, cursor.astring())


def _get_root(tag: bytes, cursor: Cursor) -> GetQuotaRoot:
    cursor.space()
    return GetQuotaRoot(tag, cursor.folder())


def _set(tag: bytes, cursor: Cursor) -> SetQuota:
    cursor.space()
    root = cursor.astring()
    cursor.space()
    cursor.expect(b"(", "List")
    limits: dict[str, int] = {}
    while not cursor.take(b")"):
        if limits:
            cursor.space()
        resource = cursor.atom().decode("ascii").upper()
        cursor.space()
        if resource in limits or len(limits) == MAX_RESOURCES:
            raise Fault("Each resource has one limit.")
        limits[resource] = cursor.number(MAX_LIMIT)
    return SetQuota(tag, root, tuple(limits.items()))


COMMANDS: dict[bytes, Callable[[bytes, Cursor], GetQuota | GetQuotaRoot | SetQuota]] = {
    b"GETQUOTA": _get,
    b"GETQUOTAROOT": _get_root,
    b"SETQUOTA": _set,
}
