"""What most lists of messages show, in one column: reading a column costs more than rendering it.

An overview is wire bytes of IMAP with NULs between them: the values of INTERNALDATE, RFC822.SIZE
and BODYSTRUCTURE, and the message's OVERVIEW_FIELDS as a literal. A message that was prepared
before there were overviews, whose octets hold a NUL or that has more to show than LIMIT has none;
who asks for it reads the columns themselves.
"""

from collections.abc import Sequence
from functools import lru_cache

from django.db import connection

from accounts.mailstore.columns import Found, entries_query
from accounts.mailstore.fetch import CHUNK
from accounts.mailstore.uids import chunked
from protocols.wire.imap.responses import internal_date
from protocols.wire.message import Prepared

# Octets: what is longer is read by itself, so that a chunk of them stays small.
LIMIT = 16 << 10
_PARTS = 4

# The UIDs and the overviews of all rows, each in one: thousands of rows, fetched one by one, hand
# the interpreter back and forth as often.
_JOINED = {
    "sqlite": "group_concat(e.uid), CAST(group_concat(m.overview, char(0)) AS BLOB)",
    "postgresql": (
        "string_agg(e.uid::text, ',' ORDER BY e.uid),"
        " string_agg(m.overview, '\\x00'::bytea ORDER BY e.uid)"
    ),
}

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


def read(folder_id: int, uids: Sequence[int]) -> Found | None:
    """The overviews of these entries by part, all as they are told: `date`, `digits` (the size),
    `bodystructure` and `overview`.

    None where an entry is gone or a message has no overview.
    """
    joined: list[bytes] = []
    with connection.cursor() as cursor:
        for some in chunked(uids, CHUNK):
            cursor.execute(*entries_query(_JOINED[connection.vendor], folder_id, some))
            there, octets = cursor.fetchone()
            # SQLite promises no order.
            if there != ",".join(map(str, some)) or octets is None:
                return None
            joined.append(octets)
    # Of thousands of messages: nothing here is done one by one.
    parts = b"\0".join(joined).split(b"\0")
    if len(parts) != _PARTS * len(uids):
        return None
    return {
        "uid": uids,
        "date": parts[0::_PARTS],
        "digits": parts[1::_PARTS],
        "bodystructure": parts[2::_PARTS],
        "overview": parts[3::_PARTS],
    }
