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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

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

# Octets of a text that are counted together: some numbers as large as seven times so many.
_PIECE = 64 << 10
# 2^32 divided by the golden ratio: the upper bits of a product with it are the bucket (Fibonacci
# hashing).
_RATIO = 0x9E3779B1
_SHIFT = 18
_UPPER = bytes(octet & ((BUCKETS - 1) >> 8) for octet in range(256))
_LOW_AT, _HIGH_AT = (0, 1) if sys.byteorder == "little" else (1, 0)
# A bit for each bucket, as `Matrix` counts them.
_ALL_BUCKETS = int.from_bytes(b"\1" * BUCKETS, "little")


def buckets_of(octets: bytes) -> set[int]:
    """The rows in which a text has its bit set."""
    return {bucket for piece in _pieces(octets) for bucket in _buckets_of(piece)}


def _pieces(octets: bytes) -> Iterator[bytes]:
    """Parts of a text, such that each triple is in one of them."""
    for at in range(0, len(octets) - 2, _PIECE):
        yield octets[at : at + _PIECE + 2]


def _buckets_of(octets: bytes) -> Iterable[int]:
    """The bucket of each triple, of which there is one at least.

    All are multiplied at once, as digits of one large number: a triple has 24 bits and its product
    56, so with seven octets each none reaches into the next. A triple's first octet counts most.
    """
    count = len(octets) - 2
    wide = bytearray(7 * count)
    wide[0::7], wide[1::7], wide[2::7] = octets[2:], octets[1:-1], octets[:-2]
    shifted = int.from_bytes(wide, "little") * _RATIO >> _SHIFT
    products = shifted.to_bytes(7 * count, "little")
    buckets = bytearray(2 * count)
    buckets[_LOW_AT::2] = products[0::7]
    buckets[_HIGH_AT::2] = products[1::7].translate(_UPPER)
    return array("H", bytes(buckets))


class Matrix:
    """A block being made."""

    def __init__(self) -> None:
        self._bits = bytearray(BUCKETS * ROW_OCTETS)
        # The octets at one place of all rows, as one number: eight neighbouring texts share them.
        self._octets = 0
        self._at = 0

    def add(self, column: int, octets: bytes) -> None:
        """Set the bits of one more text; quickest in the order of the columns."""
        has = bytearray(BUCKETS)
        for piece in _pieces(octets):
            for bucket in _buckets_of(piece):
                has[bucket] = 1
        self._add(column, int.from_bytes(has, "little"))

    def add_unknown(self, column: int) -> None:
        """Have a text that cannot be read count as possible for every needle."""
        self._add(column, _ALL_BUCKETS)

    def _add(self, column: int, bits: int) -> None:
        at, bit = divmod(column, 8)
        if at != self._at:
            self._settle()
            self._at = at
        self._octets |= bits << bit

    def _settle(self) -> None:
        """Set the bits of the texts that were added last."""
        places = slice(self._at, None, ROW_OCTETS)
        octets = int.from_bytes(self._bits[places], "little") | self._octets
        self._bits[places] = octets.to_bytes(BUCKETS, "little")
        self._octets = 0

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
