"""FETCH: in chunks that yield, each its own short query (RFC 3501 §6.4.5).

Nothing of the database is open while the client is slow: a chunk is rendered whole before it is
handed out. Messages that another session expunged meanwhile are left out (RFC 2180 §4.1.3).
"""

from collections.abc import Generator, Iterator, Sequence
from enum import IntFlag
from functools import partial
from typing import TypeVar

import structlog

from accounts.blobs import BlobMissing, Octets
from accounts.mailstore import fetch as store
from accounts.mailstore import flags, overview, previews, thread_ids
from accounts.mailstore.columns import Found, large_ones, read_columns
from accounts.mailstore.fetch import FetchRow
from accounts.mailstore.flags import Flag
from accounts.mailstore.locked import mailbox_of
from accounts.mailstore.picture import pick
from accounts.uid_sets import as_range
from protocols.servers.imap import binary, fetch_few
from protocols.servers.imap.answers import bad, no, ok, pauses
from protocols.servers.imap.client import Client
from protocols.servers.imap.enabled import note_condstore
from protocols.servers.imap.fetch_lines import Plan, beginning, lines, lines_with, nstring
from protocols.servers.imap.folder_view import FolderView
from protocols.servers.imap.kept_lines import KeptLines
from protocols.servers.imap.overview_lines import overview_lines
from protocols.servers.imap.resync import vanished_line
from protocols.servers.imap.sections import Structure, section_octets, section_range
from protocols.servers.imap.spans import Chunk, Span, paged
from protocols.wire.imap import commands
from protocols.wire.imap.fetch_items import Attribute, BodySection, FetchItem
from protocols.wire.imap.responses import Bye, InPieces, Push, Reply

log = structlog.get_logger(__name__)

CHUNK = 500
# Octets in memory for one slice of an answer, each section counted as the whole message; what is
# larger is streamed.
SLICE_OCTETS = 1 << 20
PIECE_OCTETS = 1 << 18
# Longer texts of a message are read one at a time.
TEXT_OCTETS = 16 << 10

_T = TypeVar("_T")

_kept = KeptLines()


class LeftOut(IntFlag):
    """Why some messages are not in an answer."""

    GONE = 1
    UNDECODABLE = 2


def fetch(client: Client, command: commands.Fetch) -> Iterator[Push | Reply]:
    """FETCH and UID FETCH."""
    view = client.selected
    if command.wants_vanished and not client.resyncs:
        yield bad(command.tag, "Enable QRESYNC first.")
        return
    if Attribute.MODSEQ in command.items:
        yield note_condstore(client)
    yield client.news(may_expunge=command.is_uid)
    if Attribute.MODSEQ in command.items:
        yield client.delayed_line()
    spans = view.select(command.sequence_set, is_uid=command.is_uid)
    if spans is None:
        yield bad(command.tag, "No such message.")
        return
    if Attribute.THREADID in command.items:
        yield from pauses(thread_ids.catch_up(mailbox_of(client.folder_id)))
    if command.page is not None:
        # RFC 9394 §3.4: before it is asked which of them changed.
        spans = paged(spans, command.page)
    if command.changed_since is not None:
        if command.wants_vanished:
            yield vanished_line(view.told, command.changed_since, command.sequence_set)
        spans = view.changed_spans(spans, command.changed_since)
    plan = fetch_few.plan_of(command.items, sets_seen=view.marks_seen)
    left_out = yield from fetched(client, plan, spans)
    if LeftOut.UNDECODABLE in left_out:
        # RFC 3516 §4.3.
        yield no(command.tag, "Some parts are in an unknown encoding.", code=b"UNKNOWN-CTE")
    elif not left_out or command.is_uid:
        yield ok(command.tag, "Done.")
    else:
        yield no(command.tag, "Some of the messages are gone.", code=b"EXPUNGEISSUED")


def fetched(client: Client, plan: Plan, spans: Sequence[Span]) -> Generator[Push, None, LeftOut]:
    """The FETCH responses of the messages in `spans`; the value tells why some are missing."""
    view = client.selected
    left_out = LeftOut(0)
    for chunk in view.chunks(spans, CHUNK):
        if chunk.has_ghosts:
            left_out |= LeftOut.GONE
        if not chunk:
            continue
        told = from_memory(client, plan, chunk) or _overview_lines(client, plan, chunk)
        if told is None and not _is_shared(view, chunk):
            told = fetch_few.read(client, plan, chunk)
        if told is None:
            left_out |= yield from _fetch_rows(client, plan, chunk)
        else:
            yield told
    return left_out


def from_memory(client: Client, plan: Plan, chunk: Chunk) -> bytes | InPieces | None:
    """The lines of a chunk, where nothing needs to be read for them."""
    view = client.selected
    known = _kept_lines(view, plan, chunk)
    if known is not None:
        return known
    if plan.columns or plan.sets_seen:
        return fetch_few.at_hand(client, plan, chunk)
    return _remembered_lines(view, plan, chunk)


def _remembered_lines(view: FolderView, plan: Plan, chunk: Chunk) -> bytes:
    """UID and FLAGS of a chunk, kept with the picture where all clients are told the same."""
    places = chunk.places
    if not _is_shared(view, chunk):
        return lines(view, plan.items, chunk.numbers, places)
    memo = view.told.memo
    key = (plan.items, places[0], view.wording)
    known: bytes | None = memo.get(key)
    if known is None:
        known = memo[key] = lines(view, plan.items, chunk.numbers, places)
    return known


def _is_shared(view: FolderView, chunk: Chunk) -> bool:
    """Whether every client that asks for this chunk of the picture is told the same."""
    places = chunk.places
    runs = view.recent_runs()
    has_recent = bool(runs) and view.told.uids[places[-1]] >= runs[0].start
    is_whole = isinstance(places, range) and (
        len(places) == CHUNK or (places.start % CHUNK == 0 and places.stop == len(view.told))
    )
    return is_whole and view.is_current and not has_recent


def _kept_lines(view: FolderView, plan: Plan, chunk: Chunk) -> bytes | None:
    """The lines of a chunk, where the same was read from columns before."""
    if not plan.columns or plan.sections or plan.sets_seen or not _is_shared(view, chunk):
        return None
    return _kept.get(view, plan.items, chunk.places[0])


def _overview_lines(client: Client, plan: Plan, chunk: Chunk) -> bytes | None:
    """The lines of a chunk, where overviews have all that is asked for."""
    if not plan.is_overview or plan.sets_seen:
        return None
    view = client.selected
    uids = as_range(pick(view.told.uids, chunk.places))
    told = overview_lines(view, plan.items, chunk, partial(overview.read, client.folder_id, uids))
    if told is not None and _is_shared(view, chunk):
        _kept.put(view, plan.items, chunk.places[0], told)
    return told


def _fetch_rows(client: Client, plan: Plan, chunk: Chunk) -> Generator[Push, None, LeftOut]:
    """The lines of a chunk; the value tells why messages are missing in it."""
    view = client.selected
    uids = as_range(pick(view.told.uids, chunk.places))
    if plan.sections or plan.sets_seen:
        rows = store.fetch(client.folder_id, uids, columns=plan.columns)
        if plan.makes_previews:
            made = previews.missing(client.folder_id, (r.uid for r in rows if r.preview is None))
            rows = [row._replace(preview=made.get(row.uid, row.preview)) for row in rows]
        there: Sequence[int] = [row.uid for row in rows]
        found: Found = {}
    else:
        found = _read(client, plan, uids, at_most=TEXT_OCTETS)
        rows, there = [], found["uid"]
    numbers: Sequence[int] = chunk.numbers
    places: Sequence[int] = chunk.places
    is_complete = len(there) == len(uids)
    if not is_complete:
        known = frozenset(there)
        kept = [at for at, uid in enumerate(uids) if uid in known]
        numbers = [numbers[at] for at in kept]
        places = [places[at] for at in kept]
    if found and is_complete and _is_shared(view, chunk) and not large_ones(found):
        told = lines(view, plan.items, numbers, places, found)
        if None not in found.get("preview", ()):
            _kept.put(view, plan.items, places[0], told)
        yield told
        return LeftOut(0)
    left_out = LeftOut(0) if is_complete else LeftOut.GONE
    if found:
        return left_out | (yield from _column_lines(client, plan, numbers, places, found))
    for start, stop in _groups(rows, len(plan.sections)):
        group = _fetch_group(
            client, plan, numbers[start:stop], places[start:stop], rows[start:stop]
        )
        left_out |= yield from group
    return left_out


def _read(client: Client, plan: Plan, uids: Sequence[int], *, at_most: int = 0) -> Found:
    found = read_columns(client.folder_id, uids, columns=plan.columns, at_most=at_most)
    return previews.completed(client.folder_id, found) if plan.makes_previews else found


def _column_lines(
    client: Client, plan: Plan, numbers: Sequence[int], places: Sequence[int], found: Found
) -> Generator[Push, None, LeftOut]:
    """The lines of a chunk; messages with large texts are read and told one at a time."""
    view = client.selected
    left_out = LeftOut(0)
    start = 0
    for at in large_ones(found):
        if at > start:
            some = _rows_of(found, start, at)
            yield lines(view, plan.items, numbers[start:at], places[start:at], some)
        alone = _read(client, plan, [found["uid"][at]])
        if alone["uid"]:
            yield lines(view, plan.items, numbers[at : at + 1], places[at : at + 1], alone)
        else:
            left_out = LeftOut.GONE
        start = at + 1
    if not start:
        yield lines(view, plan.items, numbers, places, found)
    elif start < len(numbers):
        some = _rows_of(found, start, len(numbers))
        yield lines(view, plan.items, numbers[start:], places[start:], some)
    return left_out


def _rows_of(found: Found, start: int, stop: int) -> Found:
    return {name: values[start:stop] for name, values in found.items()}


def _groups(rows: Sequence[FetchRow], sections: int) -> Iterator[tuple[int, int]]:
    """Runs of rows whose answers are at most SLICE_OCTETS together; a larger one stands alone."""
    start = total = 0
    for at, row in enumerate(rows):
        size = (row.size or 0) * sections
        if at > start and total + size > SLICE_OCTETS:
            yield start, at
            start, total = at, 0
        total += size
    if start < len(rows):
        yield start, len(rows)


def _fetch_group(
    client: Client,
    plan: Plan,
    numbers: Sequence[int],
    places: Sequence[int],
    rows: Sequence[FetchRow],
) -> Generator[Push, None, LeftOut]:
    view = client.selected
    is_large = len(rows) == 1 and (rows[0].size or 0) * len(plan.sections) > SLICE_OCTETS
    octets = _octets(plan, rows) if plan.sections and not is_large else []
    structures = _structures(client, plan, rows, octets)
    kept = [at for at, each in enumerate(structures) if binary.can_decode(plan.binaries, each)]
    left_out = LeftOut.UNDECODABLE if len(kept) < len(structures) else LeftOut(0)
    if left_out:
        numbers, places, rows = _pick(numbers, kept), _pick(places, kept), _pick(rows, kept)
        octets, structures = _pick(octets, kept), _pick(structures, kept)
    items = plan.items
    if plan.sets_seen:
        has_changed = yield from _set_seen(client, rows)
        items = plan.items_with(flags=has_changed, modseq=client.tells_modseq)
        places = [view.told.position(row.uid) for row in rows]
        if -1 in places:
            # Expunged this instant: the octets are there, but the flags are not.
            kept = [at for at, place in enumerate(places) if place >= 0]
            numbers, rows, places = _pick(numbers, kept), _pick(rows, kept), _pick(places, kept)
            octets, structures = _pick(octets, kept), _pick(structures, kept)
    if not rows:
        return left_out
    if is_large:
        yield beginning(view, items, plan.sections, numbers[0], places[0], _columns(rows))
        yield from _large_sections(client, plan, rows[0], is_first=len(items) == len(plan.sections))
        return left_out
    bodies: dict[FetchItem, Sequence[Octets | None]] = {}
    for section in plan.sections:
        if not isinstance(section, BodySection):
            parsed = zip(octets, structures, strict=True)
            bodies[section] = [binary.value(section, bytes(each), of) for each, of in parsed]
        elif plan.is_whole:
            bodies[section] = octets
        else:
            bodies[section] = [
                section_octets(section, bytes(each), row.uid, client.structures)
                for row, each in zip(rows, octets, strict=True)
            ]
    prefixes = [row.prefix or b"" for row in rows] if plan.is_whole else ()
    yield lines_with(bodies, view, items, numbers, places, _columns(rows), prefixes)
    return left_out


def _octets(plan: Plan, rows: Sequence[FetchRow]) -> Sequence[Octets]:
    """The octets of messages; what most programs ask for are whole ones, which nobody copies."""
    return store.octets_behind(rows) if plan.is_whole else store.octets_many(rows)


def _structures(
    client: Client, plan: Plan, rows: Sequence[FetchRow], octets: Sequence[Octets]
) -> list[Structure]:
    """The structures of messages whose parts are to be decoded; none where nothing is."""
    if not plan.binaries:
        return []
    if not octets:
        return [client.structures.of_row(row) for row in rows]
    pairs = zip(rows, octets, strict=True)
    return [client.structures.of_octets(row.uid, bytes(each)) for row, each in pairs]


def _pick(values: Sequence[_T], places: Sequence[int]) -> list[_T]:
    return [values[at] for at in places] if values else []


def _columns(rows: Sequence[FetchRow]) -> Found:
    values = zip(*rows, strict=True) if rows else [()] * len(FetchRow._fields)
    return dict(zip(FetchRow._fields, values, strict=True))


def _set_seen(client: Client, rows: Sequence[FetchRow]) -> Generator[Push, None, bool]:
    """Set \\Seen where it is not; the value tells whether anything changed."""
    told = client.selected.told
    unseen = []
    for row in rows:
        place = told.position(row.uid)
        if place >= 0 and not told.flags[place] & Flag.SEEN:
            unseen.append(row.uid)
    if unseen:
        flags.store_flags(
            client.folder_id, unseen, flags.StoreMode.ADD, Flag.SEEN, actor=client.mailbox_id
        )
        yield client.news(may_expunge=False, untold=unseen)
    return bool(unseen)


def _large_sections(client: Client, plan: Plan, row: FetchRow, *, is_first: bool) -> Iterator[Push]:
    """The sections of a large message, in pieces, and the end of its FETCH response."""
    try:
        for section in plan.sections:
            label = section.label if is_first else b" " + section.label
            is_first = False
            if not isinstance(section, BodySection):
                yield label + b" "
                yield from binary.streamed(section, row, client.structures.of_row(row))
                continue
            found = section_range(section, row, client.structures)
            if not isinstance(found, tuple):
                yield label + b" " + nstring(found)
                continue
            start, end = found
            yield label + b" {%d}\r\n" % (end - start)
            while start < end:
                piece = store.octets(row, start, min(PIECE_OCTETS, end - start))
                if not piece:
                    raise BlobMissing(f"message {row.uid} ends at octet {start}")
                yield piece
                start += len(piece)
        yield b")\r\n"
    except Exception as error:
        # A literal that was announced cannot be taken back: only hanging up is honest.
        log.exception("fetch_broken", folder=client.folder_id, uid=row.uid)
        is_damaged = isinstance(error, BlobMissing)
        yield Bye("The message cannot be read.", b"CORRUPTION" if is_damaged else b"SERVERBUG")
