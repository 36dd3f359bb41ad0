"""APPEND: a message from the client, spooled as it comes (RFC 3501 §6.3.11, RFC 4315)."""

from concurrent.futures import Future

from django.conf import settings

from accounts.blobs import OutOfSpace, Spool
from accounts.mailstore import append, folders, quota
from accounts.mailstore.append import Appended
from accounts.mailstore.flags import MAX_KEYWORDS
from accounts.mailstore.refusals import NoSuchFolder
from protocols.servers.imap.answers import no, ok, refused, then
from protocols.servers.imap.client import Appending, Client
from protocols.wire.imap import commands, responses
from protocols.wire.imap.responses import Continuation, Reply, Tagged


def begin(client: Client, command: commands.Append) -> Reply:
    """Say whether the message may come: a refusal now spares the client sending it."""
    try:
        folder = folders.find_folder(client.mailbox_id, command.name)
    except NoSuchFolder:
        return no(command.tag, "There is no such folder.", code=b"TRYCREATE")
    if not folder.is_selectable:
        return no(command.tag, "The folder holds only other folders.", code=b"CANNOT")
    if command.size > settings.MAILHOST.max_message_size:
        return no(command.tag, "The message is too big.", code=b"TOOBIG")
    if not command.size:
        return no(command.tag, "The message is empty.", code=b"CANNOT")
    if len(command.keywords) > MAX_KEYWORDS:
        return no(command.tag, "Too many keywords.", code=b"LIMIT")
    if not quota.would_fit(client.mailbox_id, command.size):
        return no(command.tag, "The mailbox is full.", code=b"OVERQUOTA")
    client.appending = Appending(command, folder.id, Spool())
    return Continuation(b"Ready for the message.")


def take(client: Client, chunk: commands.AppendChunk) -> None:
    """Some of the message. What fails here is answered at its end."""
    appending = client.appending
    if appending is None or appending.has_failed:
        return
    # CHAR8 is any octet but NUL (RFC 3501 §9).
    appending.has_nul |= b"\0" in chunk.data
    try:
        appending.spool.write(chunk.data)
    except OutOfSpace:
        appending.has_failed = True
        appending.spool.discard()


def finish(client: Client, command: commands.AppendEnd) -> Tagged | Future[Tagged]:
    """Store the message; OK once it is durable."""
    appending, client.appending = client.appending, None
    assert appending is not None
    tag = command.tag
    if appending.has_failed:
        return no(tag, "The mail store cannot write just now.", code=b"UNAVAILABLE")
    if appending.has_nul:
        appending.spool.discard()
        return no(tag, "A message must not hold NUL octets.", code=b"CANNOT")
    asked = appending.command
    try:
        future = append.append_message(
            client.mailbox_id,
            appending.folder_id,
            appending.spool,
            flags=asked.flags,
            keywords=asked.keywords,
            internal_date=asked.internal_date,
            zone_minutes=asked.zone_minutes,
        )
    except Exception:
        appending.spool.discard()
        raise
    if client.view is None:
        return then(future, lambda done: _answer(tag, appending.spool, done))
    # News of a selected folder take a query, so this thread waits for the commit.
    answer = _answer(tag, appending.spool, future)
    return Tagged(
        tag, answer.status, answer.text, answer.code, client.news(may_expunge=True), answer.closes
    )


def _answer(tag: bytes, spool: Spool, done: Future[Appended]) -> Tagged:
    try:
        appended = done.result()
    except Exception as error:
        refusal = refused(tag, error, try_create=True)
        if refusal is None:
            raise
        return refusal
    finally:
        spool.discard()
    return ok(tag, "Done.", code=responses.append_uid(appended.uidvalidity, (appended.uid,)))
