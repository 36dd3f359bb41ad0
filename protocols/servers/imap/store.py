"""STORE and EXPUNGE: change flags, and remove what is \\Deleted (RFC 3501 §6.4.3, §6.4.6)."""

from collections.abc import Iterator, Sequence

from accounts.mailstore import expunge, flags
from accounts.mailstore.flags import Flag
from accounts.mailstore.picture import Picture
from protocols.servers.imap import rendering
from protocols.servers.imap.answers import bad, no, ok
from protocols.servers.imap.client import Client
from protocols.servers.imap.folder_view import Chunk, FlagBits, FolderView
from protocols.wire.imap import commands
from protocols.wire.imap.commands import StoreMode
from protocols.wire.imap.responses import Push, Reply, Tagged

# A write transaction holds the mailbox no longer than this many rows take.
CHUNK = 2_000

_MODES = {
    StoreMode.SET: flags.StoreMode.SET,
    StoreMode.ADD: flags.StoreMode.ADD,
    StoreMode.REMOVE: flags.StoreMode.REMOVE,
}


def store(client: Client, command: commands.Store) -> Iterator[Push | Reply]:
    """STORE and UID STORE, in chunks."""
    view = client.selected
    yield client.news(may_expunge=command.is_uid)
    spans = view.select(command.sequence_set, is_uid=command.is_uid)
    if spans is None:
        yield bad(command.tag, "No such message.")
        return
    if view.is_read_only:
        yield no(command.tag, "The folder is open for reading only.", code=b"CANNOT")
        return
    has_ghosts = False
    for chunk in view.chunks(spans, CHUNK):
        has_ghosts |= chunk.has_ghosts
        if chunk:
            yield from _store_chunk(client, command, chunk)
    if has_ghosts and not command.is_uid:
        yield no(command.tag, "Some of the messages are gone.", code=b"EXPUNGEISSUED")
    else:
        yield ok(command.tag, "Done.", untagged=client.news(may_expunge=command.is_uid))


def _store_chunk(client: Client, command: commands.Store, chunk: Chunk) -> Iterator[Push]:
    view = client.selected
    before = view.told
    uids = list(rendering.pick(before.uids, chunk.places))
    mode = _MODES[command.mode]
    flags.store_flags(client.folder_id, uids, mode, command.flags, command.keywords)
    if command.is_silent:
        known = _expected(before, chunk.places, command)
        yield client.news(may_expunge=False, known=known)
        return
    # The FETCH lines below tell these messages' flags, changed by us or by others.
    yield client.news(may_expunge=False, untold=uids)
    places = [view.told.position(uid) for uid in uids]
    numbers = [number for number, place in zip(chunk.numbers, places, strict=True) if place >= 0]
    places = [place for place in places if place >= 0]
    yield flag_lines(view, numbers, places, with_uid=command.is_uid)


def flag_lines(
    view: FolderView, numbers: Sequence[int], places: Sequence[int], *, with_uid: bool
) -> bytes:
    """FETCH lines that tell the flags of these messages."""
    texts = rendering.flag_texts(view, places)
    if with_uid:
        uids = rendering.pick(view.told.uids, places)
        return rendering.lines(b"* %d FETCH (UID %d FLAGS (%b))\r\n", [numbers, uids, texts])
    return rendering.lines(b"* %d FETCH (FLAGS (%b))\r\n", [numbers, texts])


def _expected(
    picture: Picture, places: Sequence[int], command: commands.Store
) -> dict[int, FlagBits]:
    """What the client of a STORE.SILENT takes its messages' flags to be now."""
    bit_of = {name.casefold(): 1 << bit for bit, name in enumerate(picture.keyword_names)}
    named = 0
    for name in command.keywords:
        named |= bit_of.get(name.casefold(), 0)
    expected = {}
    for place in places:
        now, keywords = picture.flags[place], picture.keywords[place]
        match command.mode:
            case StoreMode.SET:
                bits = command.flags, named
            case StoreMode.ADD:
                bits = now | command.flags, keywords | named
            case StoreMode.REMOVE:
                bits = now & ~command.flags, keywords & ~named
        expected[picture.uids[place]] = bits
    return expected


def expunge_deleted(client: Client, command: commands.Expunge) -> Iterator[Push | Reply]:
    """EXPUNGE, and UID EXPUNGE of some (RFC 4315 §2.1)."""
    view = client.selected
    yield client.news(may_expunge=True)
    if view.is_read_only:
        yield no(command.tag, "The folder is open for reading only.", code=b"CANNOT")
        return
    uids = deleted_uids(view.told)
    if command.uids is not None:
        within = view.select(command.uids, is_uid=True) or []
        named = {view.uids[place] for span in within for place in range(*span)}
        uids = [uid for uid in uids if uid in named]
    for start in range(0, len(uids), CHUNK):
        expunge.expunge_uids(client.folder_id, uids[start : start + CHUNK])
        yield client.news(may_expunge=True)
    yield ok(command.tag, "Done.")


def close(client: Client, command: commands.Close) -> Tagged:
    """CLOSE removes without a word (RFC 3501 §6.4.2)."""
    view = client.selected
    if not view.is_read_only:
        expunge.expunge_uids(client.folder_id, None)
    client.leave_folder()
    return ok(command.tag, "Done.")


def deleted_uids(picture: Picture) -> list[int]:
    """The UIDs that EXPUNGE would remove."""
    return [
        uid for uid, bits in zip(picture.uids, picture.flags, strict=True) if bits & Flag.DELETED
    ]
