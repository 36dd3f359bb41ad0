"""APPEND: a message from the client, spooled as it comes (RFC 3501 §6.3.11, RFC 4315)."""

import concurrent.futures
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

from django.conf import settings

from accounts.blobs import OutOfSpace, Spool
from accounts.blobs.spool import IN_MEMORY
from accounts.commit import CommitUnavailable
from accounts.mailstore import append, folders, quota
from accounts.mailstore import append_together as together
from accounts.mailstore.append import Appended
from accounts.mailstore.flags import MAX_KEYWORDS
from accounts.mailstore.names import canonical
from accounts.mailstore.refusals import NoSuchFolder, StoreRefusal
from accounts.mailstore.rights import Right
from accounts.mailstore.shared_names import split
from protocols.servers.imap import catenate
from protocols.servers.imap.answers import bad, done, no, refused
from protocols.servers.imap.appending import Appending, Target
from protocols.servers.imap.client import Client
from protocols.servers.imap.folder_view import FolderView
from protocols.servers.imap.state_at_hand import present
from protocols.servers.session import After, Home, Soon, in_pool
from protocols.wire.imap import commands, responses
from protocols.wire.imap.responses import Continuation, Reply, Tagged
from protocols.wire.imap.sequence_set import SequenceSet
from protocols.wire.message import encode_nul, is_soon_prepared

# Octets. To read an ordinary message of this size through takes about what handing it to the pool
# and back costs; storing it asks nobody and only queues the commit.
QUICK_SIZE = 64 * 1024
# Messages in one APPEND, and octets of memory that they take until its end.
MAX_TOGETHER = 1000
MAX_HELD = 16 << 20
# Octets of theirs that may wait for the committer.
MAX_UNSETTLED = 4 << 20

Outcome: TypeAlias = Appended | list[Appended] | Exception


def is_quick(
    client: Client, event: commands.Append | commands.AppendChunk | commands.AppendEnd
) -> bool:
    """Whether the event is handled without database or disk."""
    appending = client.appending
    match event:
        case commands.Append():
            return not event.steps and _known_folder(client, event) is not None
        case _ if appending is None:
            return True
        case commands.AppendChunk(data=data):
            return appending.spool.size + len(data) <= IN_MEMORY
        case commands.AppendEnd(steps=steps) if steps:
            return False
    is_small = appending.spool.size <= QUICK_SIZE and not appending.has_nul
    if not is_small or appending.earlier or appending.replaced_uid:
        return False
    return is_soon_prepared(bytes(appending.spool.octets()))


def _known_folder(client: Client, command: commands.Append) -> Target | None:
    """The folder, where a small message follows another one there: the commit tells the rest."""
    target = client.append_target
    if target is None or target.name != command.name:
        return None
    # A file becomes a segment, and could not be stored once more.
    return target if command.size <= QUICK_SIZE and not command.is_catenated else None


def foresee(client: Client, name: str) -> None:
    """Know where an APPEND to the folder that was selected by this name goes."""
    told = client.selected.told
    if client.append_target is None and told.mailbox_id == client.mailbox_id:
        client.append_target = Target(name, told.folder_id, told.mailbox_id, canonical(name))


def _looked_up(client: Client, tag: bytes, name: str) -> Target | Tagged:
    """The folder of that name, or why nothing may go there. NotPermitted."""
    try:
        folder = folders.find_folder(client.mailbox_id, name, Right.INSERT)
    except NoSuchFolder:
        return no(tag, "There is no such folder.", code=b"TRYCREATE")
    if not folder.is_selectable:
        # A CREATE makes a folder of a name that only holds others.
        return no(tag, "The name holds only other folders.", code=b"TRYCREATE")
    shared = split(name)
    own_name = shared.inner if shared is not None else canonical(name)
    return Target(name, folder.id, folder.mailbox_id, own_name)


def begin(client: Client, command: commands.Append) -> Reply:
    """Say whether the message may come: a refusal now spares the client sending it."""
    replaced_uid = 0
    if isinstance(command, commands.Replace):
        found = _replaced(client.selected, command)
        if isinstance(found, Tagged):
            return found
        replaced_uid = found
    target = _known_folder(client, command)
    if target is None:
        looked_up = _looked_up(client, command.tag, command.name)
        if isinstance(looked_up, Tagged):
            return looked_up
        target = looked_up
        if not (replaced_uid or quota.would_fit(target.owner_id, command.size)):
            return no(command.tag, "The mailbox is full.", code=b"OVERQUOTA")
    message = commands.NewMessage(
        command.flags, command.keywords, command.internal_date, command.zone_minutes
    )
    if refusal := _particulars_refusal(command.tag, message):
        return refusal
    client.appending = Appending(target, message, command.is_binary, replaced_uid=replaced_uid)
    return go_on(client, command)


def go_on(client: Client, command: commands.Append | commands.AppendMore) -> Reply:
    """Take what stands before a literal, and say whether that may come; a refusal ends all."""
    appending = client.appending
    assert appending is not None
    refusal = _take_steps(client, appending, command) or _literal_refusal(appending, command)
    if refusal is not None:
        client.drop_append()
        return refusal
    appending.is_binary = command.is_binary
    return Continuation(b"Ready for the message.")


def _take_steps(
    client: Client,
    appending: Appending,
    command: commands.Append | commands.AppendMore | commands.AppendEnd,
) -> Tagged | None:
    for step in command.steps:
        if isinstance(step, commands.Url):
            refusal = catenate.add(client, appending, command.tag, step.octets)
        else:
            refusal = _begin_next(appending, command.tag, step)
        if refusal is not None:
            return refusal
    return None


def _begin_next(appending: Appending, tag: bytes, message: commands.NewMessage) -> Tagged | None:
    """Another message begins (RFC 3502): the one before is complete."""
    if appending.replaced_uid:
        return bad(tag, "One message replaces another.")
    if len(appending.earlier) + 2 > MAX_TOGETHER or appending.held > MAX_HELD:
        return no(tag, "Too many messages at once.", code=b"LIMIT")
    refusal = _particulars_refusal(tag, message) or _complete(appending, tag)
    if refusal is None:
        appending.message, appending.spool = message, Spool()
        appending.has_nul = appending.has_bad_nul = False
    return refusal


def _particulars_refusal(tag: bytes, message: commands.NewMessage) -> Tagged | None:
    if len(message.keywords) > MAX_KEYWORDS:
        return no(tag, "Too many keywords.", code=b"LIMIT")
    return None


def _literal_refusal(
    appending: Appending, command: commands.Append | commands.AppendMore
) -> Tagged | None:
    """Why a literal may not come."""
    if isinstance(command, commands.Append) and not command.has_literal:
        return None
    size = appending.spool.size + command.size
    if size > settings.MAILHOST.max_message_size:
        return no(command.tag, "The message is too big.", code=b"TOOBIG")
    if not (command.size or command.is_catenated):
        return no(command.tag, "The message is empty.", code=b"CANNOT")
    is_asked = isinstance(command, commands.Append) and not command.steps
    if is_asked or appending.replaced_uid:
        return None
    number = len(appending.earlier) + 1
    if not quota.would_fit(appending.target.owner_id, appending.octets + size, number):
        return no(command.tag, "The mailbox is full.", code=b"OVERQUOTA")
    return None


def _complete(appending: Appending, tag: bytes) -> Tagged | None:
    """A message has come whole: store its octets, or say why not."""
    if refusal := _flaw(appending, tag):
        return refusal
    message = appending.message
    stored = together.store(
        appending.spool,
        flags=message.flags,
        keywords=message.keywords,
        internal_date=message.internal_date,
        zone_minutes=message.zone_minutes,
    )
    appending.earlier.append(stored)
    appending.octets += stored.size
    appending.unsettled += stored.size
    appending.held += stored.held
    if appending.unsettled > MAX_UNSETTLED:
        # Commits keep their order: with the last one all are done.
        concurrent.futures.wait((stored.blob,))
        appending.unsettled = 0
    return None


def _flaw(appending: Appending, tag: bytes) -> Tagged | None:
    """What is wrong with a message that has come whole; NUL in it is encoded."""
    if appending.has_failed:
        return no(tag, "The mail store cannot write just now.", code=b"UNAVAILABLE")
    if not appending.spool.size:
        return no(tag, "The message is empty.", code=b"CANNOT")
    return _encode_nul(appending, tag) if appending.has_nul else None


def _replaced(view: FolderView, command: commands.Replace) -> int | Tagged:
    """The UID that a REPLACE names, or why it may not (RFC 8508 §3.1)."""
    number = SequenceSet(((command.number, command.number),))
    spans = view.select(number, is_uid=command.is_uid)
    if spans is None:
        return bad(command.tag, "No such message.")
    if view.is_read_only:
        return no(command.tag, "The folder is open for reading only.", code=b"CANNOT")
    if not spans:
        return no(command.tag, "There is no such message.", code=b"NONEXISTENT")
    return view.uids[spans[0][0]]


def take(client: Client, chunk: commands.AppendChunk) -> None:
    """Some of the message. What fails here is answered at its end."""
    appending = client.appending
    if appending is None or appending.has_failed:
        return
    appending.has_bad_nul |= b"\0" in chunk.data and not appending.is_binary
    try:
        appending.write(chunk.data)
    except (OutOfSpace, CommitUnavailable):
        appending.has_failed = True
        appending.spool.discard()


def abort(client: Client, command: commands.AppendAborted) -> Tagged:
    """The grammar broke the message off; it has the answer ready."""
    client.drop_append()
    return command.reply


def finish(client: Client, command: commands.AppendEnd) -> Tagged | Soon | Home | After:
    """Store the message; OK once it is durable."""
    appending, client.appending = client.appending, None
    assert appending is not None
    tag = command.tag
    try:
        refusal = _take_steps(client, appending, command)
        refusal = refusal or (_complete if appending.earlier else _flaw)(appending, tag)
        if refusal is not None:
            appending.spool.discard()
            return refusal
        return _store(client, tag, appending)
    except Exception:
        appending.spool.discard()
        raise


def _store(client: Client, tag: bytes, appending: Appending) -> Soon | Home | After:
    future = _stored(client, appending)
    answer = partial(_answer, client, tag, appending)
    if client.view is None:
        # Without a folder there is no news to look up: the committer's thread makes the answer.
        return Soon(future, lambda done: answer(_outcome(done, appending.spool)))
    return Home(future, partial(_beside, client, appending.spool, answer))


def _beside(
    client: Client, spool: Spool, answer: Callable[..., Tagged | After], done: "Future[Any]"
) -> Tagged | After:
    """The answer where a folder is selected, whose news are part of it."""
    picture = present(client)
    if picture is None or spool.path is not None:
        return in_pool(lambda: answer(_outcome(done, spool)))
    return answer(_outcome(done, spool), picture.highest_modseq)


def _store_elsewhere(
    client: Client, tag: bytes, appending: Appending, _done: None
) -> Tagged | Soon | Home | After:
    """Store the message in the folder that has the name now."""
    looked_up = _looked_up(client, tag, appending.target.name)
    if isinstance(looked_up, Tagged):
        appending.spool.discard()
        return looked_up
    appending.target = looked_up
    return _store(client, tag, appending)


def _stored(client: Client, appending: Appending) -> Future[Appended] | Future[list[Appended]]:
    target, message = appending.target, appending.message
    if appending.earlier:
        return together.append_stored(
            target.owner_id,
            target.folder_id,
            appending.earlier,
            folder_name=target.own_name,
            actor=client.mailbox_id,
        )
    return append.append_message(
        target.owner_id,
        target.folder_id,
        appending.spool,
        folder_name=target.own_name,
        flags=message.flags,
        keywords=message.keywords,
        internal_date=message.internal_date,
        zone_minutes=message.zone_minutes,
        replaced=(client.folder_id, appending.replaced_uid) if appending.replaced_uid else None,
        actor=client.mailbox_id,
    )


def _encode_nul(appending: Appending, tag: bytes) -> Tagged | None:
    """Encode what holds NUL, so that all stored mail can be told as text; or say why not."""
    came = appending.spool
    if appending.has_bad_nul:
        # CHAR8 is any octet but NUL (RFC 3501 §9).
        came.discard()
        return no(tag, "A message must not hold NUL octets.", code=b"CANNOT")
    try:
        pieces = encode_nul(came.octets())
        if pieces is None:
            return no(tag, "NUL stands where nothing can be encoded.", code=b"UNKNOWN-CTE")
        appending.spool = Spool()
        for piece in pieces:
            appending.write(piece)
        if appending.spool.size > settings.MAILHOST.max_message_size:
            appending.spool.discard()
            return no(tag, "The message is too big.", code=b"TOOBIG")
    except (OutOfSpace, CommitUnavailable) as error:
        appending.spool.discard()
        return refused(tag, error)
    finally:
        came.discard()
    return None


def _outcome(done: Future[Any], spool: Spool) -> Outcome:
    """What came of it; a refusal is no failure, for it has an answer."""
    error = done.exception()
    if not isinstance(error, NoSuchFolder):
        # Else it may go to another folder.
        spool.discard()
    if error is None:
        outcome: Outcome = done.result()
        return outcome
    if isinstance(error, StoreRefusal | CommitUnavailable | OutOfSpace):
        return error
    raise error


def _answer(
    client: Client,
    tag: bytes,
    appending: Appending,
    outcome: Outcome,
    news_after: int | None = None,
) -> Tagged | After:
    if isinstance(outcome, Exception):
        is_remembered = appending.target is client.append_target
        client.append_target = None
        if is_remembered and isinstance(outcome, NoSuchFolder):
            # The name stands for another folder now, or none.
            at_once: Future[None] = Future()
            at_once.set_result(None)
            return After(at_once, partial(_store_elsewhere, client, tag, appending))
        appending.spool.discard()
        refusal = refused(tag, outcome, try_create=True)
        assert refusal is not None
        return refusal
    if appending.target.owner_id == client.mailbox_id:
        # Another's address may become somebody else's, and the commit looks at keys.
        client.append_target = appending.target
    appended = outcome if isinstance(outcome, list) else [outcome]
    code = responses.append_uid(appended[0].uidvalidity, [each.uid for each in appended])
    if appended[0].has_replaced:
        # RFC 8508 §3.3: where it went is said before what it replaced is gone.
        lines = responses.untagged("OK", "Replacement ready.", code)
        removed = (appending.replaced_uid,)
        answer = done(client, tag, untagged=lines, removed=removed, after=news_after)
        return replace(answer, code=client.modseq_code())
    return done(client, tag, code=code, after=news_after)
