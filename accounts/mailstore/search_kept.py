"""Texts of messages that SEARCH has read before, so that each is decoded once.

They are made from octets when a search first needs them and kept by a commit that nobody waits for.
What is not kept (yet, or because it is large) is read from octets, so no search misses a message.
Losing what is kept costs time only.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import zstandard
from django.db import connection

from accounts import commit
from accounts.entry_sql import entries_of
from accounts.key_lists import listed
from accounts.mailstore.search_text import TEXT_LIMIT, fold
from accounts.models import Message, SearchText
from accounts.rows import Rows
from protocols.wire.message import decoded_header, decoded_text, parse

# To be raised with every change of decoding or folding.
VERSION = 13
# Octets of folded text. The words of larger messages are read from octets each time, so that those
# of a whole slice may be in memory together.
LARGEST_KEPT = 64 << 10

# No piece of a needle: an IMAP string holds no NUL.
SEPARATOR = "\0"
_SEPARATOR_OCTETS = SEPARATOR.encode()


@dataclass(frozen=True, slots=True)
class Texts:
    """Folded pieces of a message with SEPARATOR between them, as octets."""

    header: bytes
    body: bytes

    @property
    def octets(self) -> bytes:
        """All of it."""
        return self.body + _SEPARATOR_OCTETS + self.header if self.header else self.body


def texts_of(octets: bytes) -> Texts:
    """What of a message SEARCH TEXT and SEARCH BODY look through."""
    root = parse(octets)
    return Texts(
        _joined(decoded_header(octets, root=root)),
        _joined(decoded_text(octets, TEXT_LIMIT, root)),
    )


def _joined(pieces: Iterator[str]) -> bytes:
    folded: list[str] = []
    left = TEXT_LIMIT
    for piece in pieces:
        if left <= 0:
            break
        folded.append(fold(piece, left))
        left -= len(folded[-1])
    return SEPARATOR.join(folded).encode("utf-8", "surrogatepass")


_SELECT = (
    "SELECT e.uid, {columns} FROM {entries} e"  # noqa: S608
    f" LEFT JOIN {SearchText._meta.db_table} s"
    " ON s.message_id = e.message_id AND s.version = %s ORDER BY e.uid"
)


def read(
    folder_id: int, uids: Sequence[int], *, with_header: bool
) -> Iterator[tuple[int, Texts | None]]:
    """The kept texts of the entries with these (ascending) UIDs; None where there are none.

    The header is empty unless it is asked for.
    """
    entries, chosen = entries_of(folder_id, uids)
    columns = "s.body, s.header" if with_header else "s.body"
    with connection.cursor() as cursor:
        statement = _SELECT.format(columns=columns, entries=entries)
        cursor.execute(statement, [*chosen, VERSION])
        rows = cursor.fetchall()
    unpack = zstandard.ZstdDecompressor().decompress
    for uid, *packed in rows:
        if packed[0] is None:
            yield uid, None
        else:
            yield uid, Texts(unpack(packed[1]) if with_header else b"", unpack(packed[0]))


# A message that was removed meanwhile is passed over.
_KEEP = (
    f"INSERT INTO {SearchText._meta.db_table} (message_id, version, header, body)"  # noqa: S608
    f" SELECT %s, %s, %s, %s WHERE EXISTS (SELECT 1 FROM {Message._meta.db_table} WHERE id = %s)"
    " ON CONFLICT (message_id) DO UPDATE"
    " SET version = excluded.version, header = excluded.header, body = excluded.body"
)


def keep_soon(made: Sequence[tuple[int, Texts]]) -> None:
    """Keep the texts of messages, given with their keys, by the next commit."""
    values = packed(made)

    def write(rows: Rows, blob_id: int | None) -> None:
        rows.direct()
        keep(values)

    if values:
        commit.submit(commit.Unit(frozenset(), write, rows=len(values)))


def packed(made: Iterable[tuple[int, Texts]]) -> list[tuple[Any, ...]]:
    """What `keep` writes of texts, given with their messages' keys; large ones are left out."""
    pack = zstandard.ZstdCompressor().compress
    return [
        (key, VERSION, pack(texts.header), pack(texts.body), key)
        for key, texts in made
        if len(texts.header) + len(texts.body) <= LARGEST_KEPT
    ]


def keep(values: Sequence[tuple[Any, ...]]) -> None:
    """Write packed texts from inside a direct Unit."""
    with connection.cursor() as cursor:
        cursor.executemany(_KEEP, values)


def kept_keys(keys: Sequence[int]) -> set[int]:
    """Those of the messages whose texts are kept."""
    return set(
        SearchText.objects.filter(version=VERSION, pk__in=listed(keys)).values_list("pk", flat=True)
    )


def read_kept(keys: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """(key, header and body) of those messages whose texts are kept."""
    rows = SearchText.objects.filter(version=VERSION, pk__in=listed(keys))
    unpack = zstandard.ZstdDecompressor().decompress
    for key, header, body in rows.values_list("pk", "header", "body"):
        yield key, Texts(unpack(header), unpack(body)).octets
