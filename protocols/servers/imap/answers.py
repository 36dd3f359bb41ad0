"""Tagged answers that all groups of commands give: done, refused, senseless."""

from collections.abc import Collection, Iterable, Iterator

import structlog

from accounts.commit import DATABASE_AWAY, CommitUnavailable, OutOfSpace
from accounts.mailstore import refusals
from accounts.mailstore.annotations import MAX_VALUE
from accounts.rows import FolderGone
from protocols.servers.imap.client import Client
from protocols.wire.imap.responses import Bye, Status, Tagged

log = structlog.get_logger(__name__)

# RFC 5530 §3, RFC 6154 §3, RFC 9208 §4.4.
_CODES: tuple[tuple[type[Exception], bytes], ...] = (
    (refusals.OverQuota, b"OVERQUOTA"),
    (refusals.TooManyKeywords, b"LIMIT"),
    (refusals.FiltersTooLarge, b"LIMIT"),
    (refusals.TooManyFolders, b"LIMIT"),
    (refusals.SearchTooLarge, b"LIMIT"),
    # RFC 5464 §4.3.
    (refusals.AnnotationTooLong, b"METADATA MAXSIZE %d" % MAX_VALUE),
    (refusals.TooManyAnnotations, b"METADATA TOOMANY"),
    (refusals.TookTooLong, b"UNAVAILABLE"),
    (refusals.NoSuchMessage, b"EXPUNGEISSUED"),
    (refusals.FolderExists, b"ALREADYEXISTS"),
    (refusals.NoSuchFolder, b"NONEXISTENT"),
    (refusals.NotPermitted, b"NOPERM"),
    (refusals.TooManyEntries, b"LIMIT"),
    # Not NONEXISTENT: the folder is there.
    (refusals.NoSuchIdentifier, b"CANNOT"),
    (refusals.FolderHasChildren, b"HASCHILDREN"),
    (refusals.SpecialUseRefused, b"USEATTR"),
    (refusals.InboxIsFixed, b"CANNOT"),
    (refusals.BadFolderName, b"CANNOT"),
)

# Deleted, or no longer shared with this client.
FOLDER_GONE = Bye("The selected folder is gone.", b"UNAVAILABLE")


def ok(tag: bytes, text: str, *, code: bytes = b"", untagged: bytes = b"") -> Tagged:
    """The command is done."""
    return Tagged(tag, "OK", text, code, untagged)


def done(
    client: Client,
    tag: bytes,
    *,
    code: bytes = b"",
    untagged: bytes = b"",
    removed: Collection[int] = (),
    after: int | None = None,
) -> Tagged:
    """OK to what has changed something, with the news after it, as `Client.news` tells them.

    A selected folder that is gone meanwhile ends the session, and does not take the change back:
    who is told NO does it once more elsewhere. So where the database goes away before the news
    are read: they come with the next command.
    """
    try:
        untagged += client.news(may_expunge=True, removed=removed, after=after)
    except FolderGone:
        return folder_gone(client, tag, "OK", "Done.", code=code, untagged=untagged)
    except DATABASE_AWAY as error:
        log.warning("news_put_off", error=str(error))
    return ok(tag, "Done.", code=code, untagged=untagged)


def folder_gone(
    client: Client,
    tag: bytes,
    status: Status,
    text: str,
    *,
    code: bytes = b"",
    untagged: bytes = b"",
) -> Tagged:
    """The last answer to a client whose selected folder is gone, or no longer shared with it."""
    client.leave_folder()
    client.is_leaving = True
    return Tagged(tag, status, text, code, untagged + FOLDER_GONE.to_bytes(), closes=True)


def no(tag: bytes, text: str, *, code: bytes = b"", untagged: bytes = b"") -> Tagged:
    """The command is understood and refused."""
    return Tagged(tag, "NO", text, code, untagged)


def bad(tag: bytes, text: str, *, code: bytes = b"") -> Tagged:
    """The command makes no sense here."""
    return Tagged(tag, "BAD", text, code)


def refused(tag: bytes, error: Exception, *, try_create: bool = False) -> Tagged | None:
    """The answer to a refusal of the store, None when the exception is none.

    `try_create`: a missing folder is the target of an APPEND or COPY (RFC 3501 §6.3.11).
    """
    if isinstance(error, CommitUnavailable | OutOfSpace):
        return no(tag, "The mail store cannot write just now.", code=b"UNAVAILABLE")
    if not isinstance(error, refusals.StoreRefusal):
        return None
    if isinstance(error, refusals.UndefinedFilter):
        return no(tag, str(error), code=b"UNDEFINED-FILTER " + error.name.encode())
    if try_create and isinstance(error, refusals.NoSuchFolder):
        return no(tag, "There is no such folder.", code=b"TRYCREATE")
    code = next((code for kind, code in _CODES if isinstance(error, kind)), b"")
    return no(tag, str(error), code=code)


def pauses(work: Iterable[object]) -> Iterator[bytes]:
    """Work that has nothing to say yet, but lets others have their turn."""
    for _ in work:
        yield b""
