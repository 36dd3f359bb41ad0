"""What most lists of messages show, in one narrow row: reading it costs more than telling it.

An overview is wire bytes of IMAP with NULs between them: the values of INTERNALDATE, RFC822.SIZE
and BODYSTRUCTURE, and the message's OVERVIEW_FIELDS as a literal. A message that was prepared
before there were overviews, whose octets hold a NUL or that has more to show than LIMIT has none;
who asks for it reads the columns themselves.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from django.db import connection, transaction

from accounts.mailstore.columns import Found
from accounts.mailstore.fetch import CHUNK, entries_query
from accounts.mailstore.uids import chunked
from accounts.models import Overview
from accounts.statements import fetch
from protocols.wire.imap.responses import internal_date
from protocols.wire.message import Prepared

# Octets: what is longer is read by itself, so that a chunk of them stays small.
LIMIT = 16 << 10
_PARTS = 4

# All rows in one: thousands of them, fetched one by one, hand the interpreter back and forth as
# often. Both databases put together in the order of the subquery: PostgreSQL says so (chapter
# "Aggregate Functions"), SQLite never merges an ordered subquery into one that concatenates.
_JOINED = {
    "sqlite": "CAST(group_concat(octets, %s) AS BLOB)",
    "postgresql": "string_agg(octets, %s)",
}

_JOIN = f" JOIN {Overview._meta.db_table} o ON o.message_id = e.message_id"

# Many messages come in each second.
_date = lru_cache(maxsize=16)(internal_date)


def pack(prepared: Prepared, *, size: int, seconds: int, zone_minutes: int) -> bytes | None:
    """The overview of a message of `size` octets; `seconds` are its internal date's, Unix."""
    fields = prepared.overview_fields
    packed = b"%b\0%d\0%b\0{%d}\r\n%b" % (
        _date(seconds, zone_minutes),
        size,
        prepared.bodystructure,
        len(fields),
        fields,
    )
    if len(packed) > LIMIT or packed.count(b"\0") >= _PARTS:
        return None
    return packed


def renew(overviews: Mapping[int, bytes | None]) -> None:
    """Put these in the place of what the messages had, by their keys."""
    with transaction.atomic():
        Overview.objects.filter(pk__in=overviews).delete()
        Overview.objects.bulk_create(
            Overview(message_id=key, octets=octets)
            for key, octets in overviews.items()
            if octets is not None
        )


def read(folder_id: int, uids: Sequence[int], between: bytes) -> bytes | None:
    """The overviews of these entries in their order, with `between` (UTF-8) between two.

    None where an entry is gone or a message has no overview.
    """
    joined: list[bytes] = []
    # SQLite would make a text of octets, for each row anew.
    separator = between.decode() if connection.vendor == "sqlite" else between
    together = f"count(*), {_JOINED[connection.vendor]}"
    for some in chunked(uids, CHUNK):
        rows, values = entries_query("o.octets", _JOIN, folder_id, some, order="ORDER BY e.uid")
        statement = f"SELECT {together} FROM ({rows}) AS found"  # noqa: S608 ours
        [(there, octets)] = fetch(statement, (separator, *values))
        if there < len(some):
            return None
        joined.append(octets)
    return between.join(joined)


def parts(octets: bytes, count: int) -> Found | None:
    """So many overviews with a NUL between two by part, all as they are told: `date`, `digits` (the
    size), `bodystructure` and `overview`. None where their parts are not so many.
    """
    # Of thousands of messages: nothing here is done one by one.
    split = octets.split(b"\0")
    if len(split) != _PARTS * count:
        return None
    return {
        "date": split[0::_PARTS],
        "digits": split[1::_PARTS],
        "bodystructure": split[2::_PARTS],
        "overview": split[3::_PARTS],
    }
