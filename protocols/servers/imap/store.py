"""STORE and EXPUNGE: change flags, and remove what is \\Deleted (RFC 3501 §6.4.3, §6.4.6)."""

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from accounts.mailstore import expunge, flags, index, rights
from accounts.mailstore.flags import Flag
from accounts.mailstore.picture import Picture, pick
from accounts.mailstore.refusals import NoSuchFolder, NotPermitted
from accounts.mailstore.rights import Right
from accounts.uid_sets import as_range
from protocols.servers.imap.answers import bad, no, ok
from protocols.servers.imap.client import Client
from protocols.servers.imap.enabled import note_condstore
from protocols.servers.imap.fetch_lines import lines
from protocols.servers.imap.folder_view import FolderView
from protocols.servers.imap.foreseen import MANY, Foreseen
from protocols.servers.imap.known import Known
from protocols.servers.imap.progress import Progress
from protocols.servers.imap.spans import Chunk
from protocols.servers.session import After, Home, in_pool
from protocols.wire.imap import commands
from protocols.wire.imap.commands import StoreMode
from protocols.wire.imap.fetch_items import Attribute
from protocols.wire.imap.responses import Push, Reply, Tagged
from protocols.wire.imap.sequence_set import compact

# What is done without a thread of its own.
FEW = 100
# What is answered at once. The store makes shorter write transactions of it, several under way.
CHUNK = 10_000

_UID_AND_MODSEQ = (Attribute.UID, Attribute.MODSEQ)

_MODES = {
    StoreMode.SET: flags.StoreMode.SET,
    StoreMode.ADD: flags.StoreMode.ADD,
    StoreMode.REMOVE: flags.StoreMode.REMOVE,
}


def store(client: Client, command: commands.Store) -> Iterator[Push | Reply]:
    """STORE and UID STORE, in chunks."""
    view = client.selected
    heard = view.told
    yield client.news(may_expunge=command.is_uid)
    spans = view.select(command.sequence_set, is_uid=command.is_uid)
    if spans is None:
        yield bad(command.tag, "No such message.")
        return
    if view.is_read_only:
        yield no(command.tag, "The folder is open for reading only.", code=b"CANNOT")
        return
    if command.unchanged_since is not None:
        yield note_condstore(client)
    has_ghosts = False
    failed: list[int] = []
    progress = Progress(command.tag)
    done, goal = 0, sum(stop - start for start, stop in spans)
    for chunk in view.chunks(spans, CHUNK):
        has_ghosts |= chunk.has_ghosts
        if chunk:
            failed += yield from _store_chunk(client, command, chunk, heard)
        done += len(chunk)
        yield progress.line(done, goal)
    code = _modified(view, failed, is_uid=command.is_uid)
    if has_ghosts and not command.is_uid:
        yield no(command.tag, "Some of the messages are gone.", code=code or b"EXPUNGEISSUED")
        return
    text = "Others changed some of the messages first." if failed else "Done."
    # What the last chunk told is the news of this moment, but for what went.
    news = client.news(may_expunge=command.is_uid) if command.is_uid or not done else b""
    yield ok(command.tag, text, code=code, untagged=news)


def _modified(view: FolderView, uids: Sequence[int], *, is_uid: bool) -> bytes:
    """The MODIFIED response code: what UNCHANGEDSINCE kept from changing (RFC 7162 §3.1.3)."""
    if not uids:
        return b""
    numbers = uids if is_uid else [view.number(uid) or 0 for uid in uids]
    return b"MODIFIED " + compact(numbers)


def _store_chunk(
    client: Client, command: commands.Store, chunk: Chunk, heard: Picture
) -> Generator[Push, None, Sequence[int]]:
    """Change some messages; the value is the UIDs of those that UNCHANGEDSINCE left alone.

    `heard` is what the client knew when it gave the command.
    """
    view = client.selected
    before = view.told
    uids = as_range(pick(before.uids, chunk.places))
    mode = _MODES[command.mode]
    storing = flags.begin_store(
        client.folder_id,
        uids,
        mode,
        command.flags,
        command.keywords,
        actor=client.mailbox_id,
        unchanged_since=command.unchanged_since,
    )
    foreseen = _foreseen(client, command, chunk, storing)
    stored = storing.result()
    yield from _told_of(client, command, chunk, heard, before, stored, foreseen)
    return stored.failed


def _told_of(
    client: Client,
    command: commands.Store,
    chunk: Chunk,
    heard: Picture,
    before: Picture,
    stored: flags.Stored,
    foreseen: Foreseen | None = None,
) -> Iterator[bytes]:
    """What is said of a chunk that was changed; `before` is the picture that `chunk` is of."""
    view = client.selected
    uids = as_range(pick(before.uids, chunk.places))
    mode = _MODES[command.mode]
    if command.is_silent:
        doubtful = {*stored.failed, *_told_meanwhile(heard, before, chunk.places)}
        known = Known(
            uids,
            flags.bits_of(mode, command.flags, -1).applied(pick(before.flags, chunk.places)),
            flags.bits_of(mode, stored.keywords, -1).applied(pick(before.keywords, chunk.places)),
        )
        yield client.news(may_expunge=False, known=known.without(doubtful), after=stored.modseq)
        if command.unchanged_since is not None:
            yield _modseqs_kept(client, before, set(uids).difference(stored.failed))
        return
    # The FETCH lines below tell these messages' flags, changed by us or by others.
    yield client.news(may_expunge=False, untold=uids, after=stored.modseq)
    said = foreseen and foreseen.lines(view)
    yield said or _flag_lines(client, command, view, *_found_again(view, before, chunk, uids))


def _modseqs_kept(client: Client, before: Picture, uids: Collection[int]) -> bytes:
    """MODSEQ of those messages that were as they should become: it is no news, but is told.

    RFC 7162 §3.1.3: a conditional STORE tells it of all that it did not fail for.
    """
    view = client.selected
    now = view.told
    found = [(view.number(uid), uid, now.position(uid)) for uid in sorted(uids)]
    kept = [
        (number or 0, place)
        for number, uid, place in found
        if place >= 0 and now.modseqs[place] == before.modseqs[before.position(uid)]
    ]
    if not kept:
        return b""
    numbers, places = zip(*kept, strict=True)
    return client.delayed_line() + lines(view, _UID_AND_MODSEQ, numbers, places)


def store_at_hand(client: Client, command: commands.Store) -> Callable[[], Home] | None:
    """How to change a few messages of a folder of which the client was told all.

    None: as for the many, and for all that is out of the ordinary.
    """
    view = client.selected
    if view.is_read_only or command.unchanged_since is not None:
        return None
    spans = view.select(command.sequence_set, is_uid=command.is_uid)
    if not spans or sum(stop - start for start, stop in spans) > FEW:
        return None
    (chunk,) = view.chunks(spans, FEW)
    return partial(_store_few, client, command, chunk)


def _store_few(client: Client, command: commands.Store, chunk: Chunk) -> Home:
    told = client.selected.told
    storing = flags.submit_store(
        told.mailbox_id,
        client.folder_id,
        as_range(list(pick(told.uids, chunk.places))),
        _MODES[command.mode],
        command.flags,
        command.keywords,
        actor=client.mailbox_id,
    )
    return Home(storing, partial(_stored_few, client, command, chunk, told))


def _stored_few(
    client: Client,
    command: commands.Store,
    chunk: Chunk,
    told: Picture,
    storing: "Future[flags.Stored]",
) -> Tagged | After:
    stored = storing.result()

    def answer() -> Tagged:
        lines = b"".join(_told_of(client, command, chunk, told, told, stored))
        if command.is_uid:
            lines += client.news(may_expunge=True, after=stored.modseq)
        return ok(command.tag, "Done.", untagged=lines)

    return answer() if index.is_at_hand(client.folder_id, stored.modseq) else in_pool(answer)


def _foreseen(
    client: Client, command: commands.Store, chunk: Chunk, storing: flags.Storing
) -> Foreseen | None:
    """What will be said of a chunk if nobody else changes it; None where that is not known."""
    # The commit gives the mod-sequence, and perhaps bits to keywords.
    if len(chunk) < MANY or command.is_silent or client.tells_modseq or command.keywords:
        return None
    storing.leaves_time()
    mode = _MODES[command.mode]
    return Foreseen(
        client.selected,
        chunk.places,
        flags.bits_of(mode, command.flags, -1),
        flags.bits_of(mode, 0, -1),
        lambda view: _flag_lines(client, command, view, chunk.numbers, chunk.places),
    )


def _found_again(
    view: FolderView, before: Picture, chunk: Chunk, uids: Sequence[int]
) -> tuple[Sequence[int], Sequence[int]]:
    """The numbers and places of a chunk's messages that are there still."""
    if view.told.uids is before.uids:
        return chunk.numbers, chunk.places
    found = [view.told.position(uid) for uid in uids]
    numbers = [number for number, place in zip(chunk.numbers, found, strict=True) if place >= 0]
    return numbers, [place for place in found if place >= 0]


def _flag_lines(
    client: Client,
    command: commands.Store,
    view: FolderView,
    numbers: Sequence[int],
    places: Sequence[int],
) -> bytes:
    """FETCH lines that tell the flags of these messages, as `view` has them."""
    tells_uid = command.is_uid or client.tells_vanished or client.tells_modseq
    items = (
        # RFC 7162 §3.2.4: never a mod-sequence without it.
        *((Attribute.UID,) if tells_uid else ()),
        Attribute.FLAGS,
        *((Attribute.MODSEQ,) if client.tells_modseq else ()),
    )
    return lines(view, items, numbers, places)


def _told_meanwhile(heard: Picture, told: Picture, places: Sequence[int]) -> Iterator[int]:
    """The UIDs of messages whose flags were news inside this command.

    The client took that FETCH, which is older than its own change, for the present state: only
    another one leaves no doubt (RFC 3501 §6.4.6).
    """
    if told is heard:
        return
    for place in places:
        uid = told.uids[place]
        was = heard.position(uid)
        flags = told.flags[place], told.keywords[place]
        if was >= 0 and flags != (heard.flags[was], heard.keywords[was]):
            yield uid


def expunge_deleted(client: Client, command: commands.Expunge) -> Iterator[Push | Reply]:
    """EXPUNGE, and UID EXPUNGE of some (RFC 4315 §2.1)."""
    view = client.selected
    yield client.news(may_expunge=True)
    if view.is_read_only:
        yield no(command.tag, "The folder is open for reading only.", code=b"CANNOT")
        return
    rights.checked(view.rights, Right.EXPUNGE)
    uids = deleted_uids(view.told)
    if command.uids is not None:
        within = view.select(command.uids, is_uid=True) or []
        named = {view.uids[place] for span in within for place in range(*span)}
        uids = [uid for uid in uids if uid in named]
    progress = Progress(command.tag)
    for start in range(0, len(uids), CHUNK):
        yield progress.line(start, len(uids))
        chunk = uids[start : start + CHUNK]
        expunge.expunge_uids(client.folder_id, chunk, actor=client.mailbox_id)
        yield client.news(may_expunge=True, removed=chunk)
    yield ok(command.tag, "Done.", code=client.modseq_code() if uids else b"")


def expunge_at_hand(
    client: Client, command: commands.Expunge
) -> Callable[[], Home | Tagged] | None:
    """The same for EXPUNGE."""
    view = client.selected
    if view.is_read_only or Right.EXPUNGE not in view.rights or command.uids is not None:
        return None
    uids = view.told.with_flag(Flag.DELETED, at_most=FEW)
    if uids is None:
        return None
    return partial(_expunge_few, client, command, uids)


def _expunge_few(client: Client, command: commands.Expunge, uids: list[int]) -> Home | Tagged:
    if not uids:
        return ok(command.tag, "Done.")
    told = client.selected.told
    expunging = expunge.submit_expunge(
        told.mailbox_id, client.folder_id, uids, actor=client.mailbox_id
    )
    return Home(expunging, partial(_expunged_few, client, command, uids))


def _expunged_few(
    client: Client,
    command: commands.Expunge,
    uids: list[int],
    expunging: "Future[expunge.Expunged]",
) -> Tagged | After:
    modseq = expunging.result().modseq

    def answer() -> Tagged:
        lines = client.news(may_expunge=True, removed=uids, after=modseq)
        return ok(command.tag, "Done.", code=client.modseq_code(), untagged=lines)

    return answer() if index.is_at_hand(client.folder_id, modseq) else in_pool(answer)


def close(client: Client, command: commands.Close) -> Tagged:
    """CLOSE removes without a word (RFC 3501 §6.4.2).

    Not even with HIGHESTMODSEQ: the client has not heard of everything before it (RFC 7162 §3.2.8).
    """
    if not client.selected.is_read_only:
        # RFC 4314 §4: without the right to expunge, CLOSE only closes. To who may not look the
        # folder up it is not there.
        with suppress(NotPermitted, NoSuchFolder):
            expunge.expunge_uids(client.folder_id, None, actor=client.mailbox_id)
    client.leave_folder()
    return ok(command.tag, "Done.")


def deleted_uids(picture: Picture) -> list[int]:
    """The UIDs that EXPUNGE would remove."""
    return picture.with_flag(Flag.DELETED, at_most=len(picture)) or []
