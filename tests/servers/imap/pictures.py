"""Pictures for tests, without a database."""

from collections.abc import Mapping

from accounts.mailstore import picture as pictures
from accounts.mailstore.picture import Counters, Picture


def counters(modseq: int, uidnext: int, keywords: tuple[str, ...] = ()) -> Counters:
    return Counters(
        mailbox_id=1,
        uidvalidity=7,
        uidnext=uidnext,
        highest_modseq=modseq,
        recent_from_uid=1,
        exists_count=0,
        keywords=keywords,
    )


def picture_of(flags: Mapping[int, int], *, modseq: int = 2) -> Picture:
    """A folder whose messages have these flags by UID."""
    uidnext = max(flags, default=0) + 1
    rows = [(uid, bits, 0, modseq) for uid, bits in sorted(flags.items())]
    empty = pictures.empty(5, counters(1, 1))
    return pictures.advanced(empty, counters(modseq, uidnext), rows, [])


def after(
    old: Picture,
    *,
    flags: Mapping[int, int] | None = None,
    came: int = 0,
    gone: tuple[int, ...] = (),
) -> Picture:
    """The folder one commit later."""
    modseq = old.highest_modseq + 1
    rows = [(uid, bits, 0, modseq) for uid, bits in sorted((flags or {}).items())]
    rows += [(old.uidnext + at, 0, 0, modseq) for at in range(came)]
    return pictures.advanced(
        old, counters(modseq, old.uidnext + came), rows, [range(uid, uid + 1) for uid in gone]
    )
