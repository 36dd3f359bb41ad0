"""Write the blocks of the search index, as they are full, and take gone messages out of them.

Invariants (what a kill -9 at any line leaves behind):

1. A block appears whole or not at all: it is a Unit of a group commit, which waits for its turn
   where mail comes in meanwhile, instead of making that wait.
2. The blocks of a mailbox stand for all its messages up to the highest `last` among them. Keys are
   allocated under the mailbox's lock, so no message comes in below a block later.
3. A block may stand for messages that are gone: they are nowhere found. The collector makes such
   blocks anew, together with neighbours that have room.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby, islice
from typing import NamedTuple

from django.db import connection
from django.db.models import Max

from accounts import commit
from accounts.inserts import PendingRow, insert_rows
from accounts.mailstore import message_octets, search_bits, search_kept
from accounts.mailstore.search_bits import COLUMNS, PARTS, Matrix
from accounts.mailstore.search_index import VERSION, pack_keys, unpack_keys
from accounts.models import Message, SearchBits, SearchBlock
from accounts.rows import Rows

_CHUNK = 64
_BITS = ("block_id", "part", "rows")


def index_full_blocks(
    mailbox_id: int, up_to: int, pause: Callable[[], object] = lambda: None
) -> int:
    """Make the blocks that messages with keys up to `up_to` fill; how many.

    `pause` is called now and then, never inside a transaction.
    """
    made = 0
    while True:
        last = last_indexed(mailbox_id)
        messages = Message.objects.filter(mailbox_id=mailbox_id, pk__gt=last, pk__lte=up_to)
        keys = list(messages.order_by("pk").values_list("pk", flat=True)[:COLUMNS])
        if len(keys) < COLUMNS:
            return made
        _write(mailbox_id, (keys[0], keys[-1]), keys, (), pause)
        made += 1


def last_indexed(mailbox_id: int) -> int:
    """The highest key that the mailbox's blocks stand for, 0 where there are none."""
    found = SearchBlock.objects.filter(mailbox_id=mailbox_id, version=VERSION)
    return int(found.aggregate(last=Max("last"))["last"] or 0)


def drop(mailbox_id: int, *, is_outdated: bool = False) -> None:
    """Delete the mailbox's blocks (only those of other versions), one a Unit."""
    blocks = SearchBlock.objects.filter(mailbox_id=mailbox_id)
    if is_outdated:
        blocks = blocks.exclude(version=VERSION)
    for key in list(blocks.values_list("pk", flat=True)):
        _commit(partial(_delete, (key,)), rows=PARTS)


def forget_gone() -> int:
    """Make blocks anew that stand for messages that are gone; returns how many gave way."""
    gave_way = 0
    for mailbox_id, blocks in groupby(_counted(), key=lambda block: block.mailbox_id):
        for run in _runs(blocks):
            if len(run) > 1 or run[0].live < run[0].had:
                _make_anew(mailbox_id, run)
                gave_way += len(run)
    return gave_way


class _Block(NamedTuple):
    """A stored block, with the number of messages it stood for and of those there still are."""

    mailbox_id: int
    key: int
    first: int
    last: int
    had: int
    live: int


_COUNTED = (
    "SELECT mailbox_id, id, first, last, had,"  # noqa: S608 our own names
    f" (SELECT count(*) FROM {Message._meta.db_table} m"
    "  WHERE m.mailbox_id = b.mailbox_id AND m.id BETWEEN b.first AND b.last)"
    f" FROM {SearchBlock._meta.db_table} b WHERE version = %s ORDER BY mailbox_id, last"
)


def _counted() -> Iterator[_Block]:
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, [VERSION])
        yield from map(_Block._make, cursor.fetchall())


def _runs(blocks: Iterable[_Block]) -> Iterator[list[_Block]]:
    """A mailbox's blocks in order: neighbours whose messages fit into one block together."""
    run: list[_Block] = []
    for block in blocks:
        if run and sum(each.live for each in run) + block.live > COLUMNS:
            yield run
            run = []
        run.append(block)
    if run:
        yield run


def _make_anew(mailbox_id: int, run: Sequence[_Block]) -> None:
    span = run[0].first, run[-1].last
    messages = Message.objects.filter(mailbox_id=mailbox_id, pk__gte=span[0], pk__lte=span[1])
    keys = list(messages.order_by("pk").values_list("pk", flat=True))
    _write(mailbox_id, span, keys, [block.key for block in run])


def _write(
    mailbox_id: int,
    span: tuple[int, int],
    keys: Sequence[int],
    replaced: Sequence[int],
    pause: Callable[[], object] = lambda: None,
) -> None:
    """Make a block of these messages, in the place of others."""
    parts = _matrix(keys, pause).parts() if keys else []

    def work() -> None:
        _delete(replaced)
        block = _insert_block(mailbox_id, span, keys) if keys else None
        if block is None:
            return
        bits = [PendingRow((block, part, rows)) for part, rows in enumerate(parts)]
        insert_rows(SearchBits, _BITS, bits)

    _commit(work, rows=PARTS * (len(replaced) + 1))


def _commit(work: Callable[[], object], rows: int) -> None:
    """Commit what `work` does; `rows` is about how many it writes."""

    def write(each: Rows, blob_id: int | None) -> None:
        each.direct()
        work()

    commit.run(commit.Unit(frozenset(), write, rows=rows))


_INSERT = (
    f"INSERT INTO {SearchBlock._meta.db_table}"  # noqa: S608 our own names
    " (mailbox_id, version, first, last, had, keys)"
    " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (mailbox_id, last) DO NOTHING RETURNING id"
)


def _insert_block(mailbox_id: int, span: tuple[int, int], keys: Sequence[int]) -> int | None:
    """The key of a new block; None where another process was quicker."""
    values = (mailbox_id, VERSION, *span, len(keys), pack_keys(keys))
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
        row = cursor.fetchone()
    return None if row is None else int(row[0])


def _delete(keys: Sequence[int]) -> None:
    bits = SearchBits.objects.filter(block_id__in=keys)
    bits._raw_delete(bits.db)
    blocks = SearchBlock.objects.filter(pk__in=keys)
    blocks._raw_delete(blocks.db)


def _matrix(keys: Sequence[int], pause: Callable[[], object]) -> Matrix:
    matrix = Matrix()
    column_of = {key: column for column, key in enumerate(keys)}
    for count, (key, octets) in enumerate(texts_of_messages(keys), 1):
        if octets is None:
            matrix.add_unknown(column_of[key])
        else:
            matrix.add(column_of[key], octets)
        if count % _CHUNK == 0:
            pause()
    return matrix


def texts_of_messages(keys: Sequence[int]) -> Iterator[tuple[int, bytes | None]]:
    """(key, folded texts) of messages, some at a time; None for what cannot be read."""
    remaining = iter(keys)
    while some := list(islice(remaining, _CHUNK)):
        missing = set(some)
        for key, text in search_kept.read_kept(some):
            missing.discard(key)
            yield key, text
        # Those too large to be kept.
        for key, octets in message_octets.read(message_octets.rows_of(sorted(missing))):
            yield key, None if octets is None else search_kept.texts_of(octets).octets


def missed(block: SearchBlock) -> int:
    """How many messages a search by this block would miss: there should be none."""
    keys = unpack_keys(bytes(block.keys))
    column_of = {key: column for column, key in enumerate(keys)}
    stored = SearchBits.objects.filter(block=block).order_by("part")
    matrix = search_bits.unpacked([bytes(rows) for rows in stored.values_list("rows", flat=True)])
    live = Message.objects.filter(mailbox_id=block.mailbox_id, pk__range=(block.first, block.last))
    return sum(
        key not in column_of
        or (octets is not None and not search_bits.has_bits(matrix, column_of[key], octets))
        for key, octets in texts_of_messages(list(live.values_list("pk", flat=True)))
    )
