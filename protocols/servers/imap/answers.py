"""Tagged answers that all groups of commands give: done, refused, and those of a Future."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from accounts.commit import CommitUnavailable, OutOfSpace
from accounts.mailstore import refusals
from protocols.wire.imap.responses import Bye, Tagged

ResultT = TypeVar("ResultT")

# RFC 5530 §3, RFC 9208 §4.4.
_CODES: tuple[tuple[type[Exception], bytes], ...] = (
    (refusals.OverQuota, b"OVERQUOTA"),
    (refusals.TooManyKeywords, b"LIMIT"),
    (refusals.TooManyFolders, b"LIMIT"),
    (refusals.FolderExists, b"ALREADYEXISTS"),
    (refusals.NoSuchFolder, b"NONEXISTENT"),
    (refusals.FolderHasChildren, b"HASCHILDREN"),
    (refusals.InboxIsFixed, b"CANNOT"),
    (refusals.BadFolderName, b"CANNOT"),
)

FOLDER_DELETED = Bye("The selected folder was deleted.", b"UNAVAILABLE")


def ok(tag: bytes, text: str, *, code: bytes = b"", untagged: bytes = b"") -> Tagged:
    """The command is done."""
    return Tagged(tag, "OK", text, code, untagged)


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
    if try_create and isinstance(error, refusals.NoSuchFolder):
        return no(tag, "There is no such folder.", code=b"TRYCREATE")
    code = next((code for kind, code in _CODES if isinstance(error, kind)), b"")
    return no(tag, str(error), code=code)


def then(future: Future[ResultT], answer: Callable[[Future[ResultT]], Tagged]) -> Future[Tagged]:
    """The answer that `answer` makes of a Future, in whatever thread resolves it."""
    promised: Future[Tagged] = Future()

    def resolve(done: Future[ResultT]) -> None:
        try:
            promised.set_result(answer(done))
        except Exception as error:  # noqa: BLE001 (the shell logs it and answers SERVERBUG)
            promised.set_exception(error)

    future.add_done_callback(resolve)
    return promised
