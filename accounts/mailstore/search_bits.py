"""Which texts of a block can hold a string: a matrix of bits, a row a bucket and a column a text.

Pure. Every three neighbouring octets of a text fall into one of BUCKETS buckets, and the bit of the
text is set in that row. A text that holds a needle has its bit set in every row of the needle's
triples; one that does not has them all by chance, or because its triples lie apart. So the columns
left by AND are a superset of the texts that hold the needle, and the text itself decides.

Octets of UTF-8 are what is counted, not characters: two characters of Chinese are six octets, so
even a short word of it narrows a search.
"""

import sys
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence

import zstandard

# To be raised with every change of this file that changes the bits.
VERSION = 1
COLUMNS = 512
BUCKETS = 1 << 14
ROW_OCTETS = COLUMNS // 8
# Rows are stored so many together: a needle needs few of them, one by one would be many.
PART_ROWS = 32
PARTS = BUCKETS // PART_ROWS
PART_OCTETS = PART_ROWS * ROW_OCTETS
# Of a needle: a text that has these many triples by chance is one in a million.
NEEDLE_TRIPLES = 12
SHORTEST_NEEDLE = 3


# Triples of the texts of one octet of a row, kept before they are counted into their buckets.
_MOST_SEEN = 1 << 16


def buckets_of(octets: bytes) -> set[int]:
    """The rows in which a text has its bit set."""
    return set(map(_bucket_of, _triples_of(octets)))


def _bucket_of(triple: int) -> int:
    # Fibonacci hashing: the upper bits of a product with 2^32 divided by the golden ratio.
    return (triple * 0x9E3779B1 >> 18) & (BUCKETS - 1)


def _triples_of(octets: bytes) -> set[int]:
    """The triples of a text, each once, as numbers: its first octet counts most."""
    if len(octets) < SHORTEST_NEEDLE:
        return set()
    wide = bytearray(4 * (len(octets) - 2))
    wide[0::4], wide[1::4], wide[2::4] = octets[2:], octets[1:-1], octets[:-2]
    triples = array("I", bytes(wide))
    if sys.byteorder == "big":
        triples.byteswap()
    return set(triples)


class Matrix:
    """A block being made."""

    def __init__(self) -> None:
        self._bits = bytearray(BUCKETS * ROW_OCTETS)
        # Neighbouring texts share most of their triples, and each octet of a row is that of eight:
        # these are looked up once for all eight.
        self._seen: dict[int, int] = {}
        self._at = 0

    def add(self, column: int, octets: bytes) -> None:
        """Set the bits of one more text; quickest in the order of the columns."""
        at, bit = column >> 3, 1 << (column & 7)
        if at != self._at or len(self._seen) > _MOST_SEEN:
            self._settle()
            self._at = at
        seen = self._seen
        for triple in _triples_of(octets):
            seen[triple] = seen.get(triple, 0) | bit

    def _settle(self) -> None:
        """Set the bits of the texts that were added last."""
        bits, at = self._bits, self._at
        for triple, mask in self._seen.items():
            # `_bucket_of`, once more: a call would cost as much as all the rest.
            bits[((triple * 0x9E3779B1 >> 18) & (BUCKETS - 1)) * ROW_OCTETS + at] |= mask
        self._seen.clear()

    def add_unknown(self, column: int) -> None:
        """Have a text that cannot be read count as possible for every needle."""
        for at in range(column >> 3, len(self._bits), ROW_OCTETS):
            self._bits[at] |= 1 << (column & 7)

    def parts(self) -> list[bytes]:
        """What is stored: PARTS times PART_ROWS rows, compressed."""
        self._settle()
        pack = zstandard.ZstdCompressor().compress
        bits = memoryview(self._bits)
        return [pack(bits[at : at + PART_OCTETS]) for at in range(0, len(bits), PART_OCTETS)]


def buckets_of_needle(octets: bytes) -> list[int]:
    """Rows that narrow a search for these octets; none where they are too short."""
    triples = max(0, len(octets) - 2)
    step = max(1, triples // NEEDLE_TRIPLES)
    some = [octets[at : at + 3] for at in range(0, triples, step)][:NEEDLE_TRIPLES]
    return sorted({bucket for each in some for bucket in buckets_of(each)})


def parts_of(buckets: Iterable[int]) -> list[int]:
    """The numbers of the parts that hold these rows."""
    return sorted({bucket // PART_ROWS for bucket in buckets})


def columns(parts: Mapping[int, bytes], buckets: Sequence[int]) -> Collection[int]:
    """The columns that have their bit in all these rows of one block."""
    unpack = zstandard.ZstdDecompressor().decompress
    rows: dict[int, bytes] = {}
    left = (1 << COLUMNS) - 1
    for bucket in buckets:
        part, row = divmod(bucket, PART_ROWS)
        if part not in rows:
            rows[part] = unpack(parts[part])
        start = row * ROW_OCTETS
        left &= int.from_bytes(rows[part][start : start + ROW_OCTETS], "little")
        if not left:
            break
    return _places(left)


def _places(bits: int) -> list[int]:
    found = []
    while bits:
        low = bits & -bits
        found.append(low.bit_length() - 1)
        bits ^= low
    return found


def unpacked(parts: Iterable[bytes]) -> bytes:
    """All rows of a block."""
    unpack = zstandard.ZstdDecompressor().decompress
    return b"".join(map(unpack, parts))


def has_bits(matrix: bytes, column: int, octets: bytes) -> bool:
    """Whether a whole block's rows have the bits of a text in its column."""
    at, bit = column >> 3, 1 << (column & 7)
    return len(matrix) == BUCKETS * ROW_OCTETS and all(
        matrix[bucket * ROW_OCTETS + at] & bit for bucket in buckets_of(octets)
    )
