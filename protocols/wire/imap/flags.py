"""System flags as bits and keywords as names, as commands carry and responses show them.

The database keeps the same bits (`Entry.flags`), so they never change. `\\Recent` has none: it is a
session's view and no client may set it (RFC 3501 §2.3.2).
"""

from enum import IntFlag


class Flag(IntFlag):
    """The system flags a client may change (RFC 3501 §2.3.2)."""

    SEEN = 1
    ANSWERED = 2
    FLAGGED = 4
    DELETED = 8
    DRAFT = 16


BY_NAME: dict[bytes, int] = {
    b"\\SEEN": 1,
    b"\\ANSWERED": 2,
    b"\\FLAGGED": 4,
    b"\\DELETED": 8,
    b"\\DRAFT": 16,
}
_NAMES = (
    (2, b"\\Answered"),
    (4, b"\\Flagged"),
    (8, b"\\Deleted"),
    (1, b"\\Seen"),
    (16, b"\\Draft"),
)

# All 32 combinations, rendered once: a FETCH of FLAGS is a look-up.
RENDERED: tuple[bytes, ...] = tuple(
    b" ".join(name for bit, name in _NAMES if flags & bit) for flags in range(32)
)
