"""Lists of a maildrop, a line a message: a number and what it has (RFC 1939 §5, LIST; §7, UIDL)."""

from collections.abc import Container, Iterator, Sequence
from itertools import compress

# Lines: longer lists are made and sent in pieces of so many.
CHUNK = 20_000

# What stands before each line, with the end of the one above it: to write a number anew for each
# line takes as long as all the rest.
_NUMBERS = [f"\r\n{number} " for number in range(1, CHUNK + 1)]


def lines(
    values: Sequence[int], before: str = "", *, without: Container[int] = ()
) -> Iterator[bytes]:
    """A line a value: its number from 1 on, `before`, the value. CHUNK lines at a time at most."""
    for start in range(0, len(values), CHUNK):
        some = values[start : start + CHUNK]
        numbers = _numbers_after(start, len(some))
        told: Iterator[str] = map(str, some)
        if without:
            is_told = [number not in without for number in range(start + 1, start + len(some) + 1)]
            numbers = list(compress(numbers, is_told))
            told = compress(told, is_told)
        if numbers:
            parts = [before] * (3 * len(numbers))
            parts[::3], parts[2::3] = numbers, told
            yield f"{''.join(parts)}\r\n".encode("ascii")[2:]


def _numbers_after(start: int, count: int) -> list[str]:
    if start:
        return [f"\r\n{number} " for number in range(start + 1, start + count + 1)]
    return _NUMBERS[:count]
