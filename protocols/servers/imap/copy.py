"""COPY and MOVE between folders (RFC 3501 §6.4.7, RFC 6851, RFC 4315)."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from accounts.mailstore import copy, folders
from accounts.mailstore.copy import Copied
from accounts.mailstore.refusals import StoreRefusal
from accounts.mailstore.rights import Right
from protocols.servers.imap.answers import bad, done, no, refused
from protocols.servers.imap.client import Client
from protocols.servers.imap.progress import Progress
from protocols.wire.imap import commands, responses
from protocols.wire.imap.responses import Push, Reply

MOVE_CHUNK = 2_000


def copy_or_move(client: Client, command: commands.Copy | commands.Move) -> Iterator[Push | Reply]:
    """Both with message numbers or UIDs. A COPY is done whole or not at all."""
    view = client.selected
    yield client.news(may_expunge=False)
    spans = view.select(command.sequence_set, is_uid=command.is_uid)
    if spans is None:
        yield bad(command.tag, "No such message.")
        return
    is_move = isinstance(command, commands.Move)
    if is_move and view.is_read_only:
        yield no(command.tag, "The folder is open for reading only.", code=b"CANNOT")
        return
    uids = list(chain.from_iterable(view.uids[slice(*span)] for span in spans))
    position = view.told.position
    there = uids if view.is_current else [uid for uid in uids if position(uid) >= 0]
    if len(there) < len(uids) and not command.is_uid:
        # RFC 2180 §4.4: another session expunged some; the client has not heard of it yet.
        news = client.news(may_expunge=True)
        text = "Some of the messages are gone."
        yield no(command.tag, text, code=b"EXPUNGEISSUED", untagged=news)
        return
    try:
        target = folders.find_folder(client.mailbox_id, command.name, Right.INSERT)
        if is_move:
            yield from _move(client, command.tag, there, target.id)
        else:
            yield from _copy(client, command.tag, there, target.id)
    except StoreRefusal as error:
        refusal = refused(command.tag, error, try_create=True)
        assert refusal is not None
        yield refusal


def _copy(client: Client, tag: bytes, uids: list[int], target_id: int) -> Iterator[Push | Reply]:
    code = b""
    if uids:
        future = copy.start_copy(client.folder_id, uids, target_id, actor=client.mailbox_id)
        # One transaction: how far it is cannot be told.
        code = _code((yield from Progress(tag).waiting(future)))
    yield done(client, tag, code=code)


def _move(client: Client, tag: bytes, uids: list[int], target_id: int) -> Iterator[Push | Reply]:
    progress = Progress(tag)
    chunk: list[int] = []
    for start in range(0, len(uids), MOVE_CHUNK):
        if chunk:
            yield client.news(may_expunge=True, removed=chunk)
        yield progress.line(start, len(uids))
        chunk = uids[start : start + MOVE_CHUNK]
        moved = copy.move_uids(client.folder_id, chunk, target_id, actor=client.mailbox_id)
        if code := _code(moved):
            # RFC 6851 §4.3: before the EXPUNGEs, so that the client knows where they went.
            yield responses.untagged("OK", "Moved.", code)
    answer = done(client, tag, removed=chunk)
    yield replace(answer, code=client.modseq_code()) if uids else answer


def _code(copied: Copied) -> bytes:
    if not copied.sources:
        return b""
    return responses.copy_uid(copied.uidvalidity, copied.sources, copied.targets)
