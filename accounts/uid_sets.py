"""Sets of UIDs as the database keeps them: RFC 9051's sequence-set, such as "3:5,9"."""

from collections.abc import Iterator, Sequence


def is_range(uids: Sequence[int]) -> bool:
    """True when ascending UIDs have no gap."""
    return bool(uids) and uids[-1] - uids[0] + 1 == len(uids)


def as_range(uids: Sequence[int]) -> Sequence[int]:
    """Ascending UIDs, as a range where they have no gap: ten thousand cost no more than one."""
    return range(uids[0], uids[-1] + 1) if is_range(uids) else uids


def sequence_set(uids: Sequence[int]) -> str:
    """Ascending UIDs as RFC 9051's sequence-set, e.g. "3:5,9"."""
    if isinstance(uids, range) and uids:
        return str(uids[0]) if len(uids) == 1 else f"{uids[0]}:{uids[-1]}"
    parts: list[str] = []
    at = 0
    while at < len(uids):
        end = at
        while end + 1 < len(uids) and uids[end + 1] == uids[end] + 1:
            end += 1
        parts.append(str(uids[at]) if at == end else f"{uids[at]}:{uids[end]}")
        at = end + 1
    return ",".join(parts)


def uids_in(text: str) -> Iterator[int]:
    """The UIDs of a set that `sequence_set` wrote."""
    for part in text.split(","):
        if part:
            first, _, last = part.partition(":")
            yield from range(int(first), int(last or first) + 1)
