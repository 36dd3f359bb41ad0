"""UIDONLY (RFC 9586): what is refused to a client that has given message numbers up."""

from protocols.servers.imap.answers import bad
from protocols.wire.imap import commands as c
from protocols.wire.imap.responses import Tagged
from protocols.wire.imap.search import asks_numbers


def refusal(event: c.Event) -> Tagged | None:
    """BAD for what names messages by their numbers, None for everything else."""
    if not _names_numbers(event):
        return None
    return bad(event.tag, "Messages have UIDs only.", code=b"UIDREQUIRED")  # type: ignore[union-attr]


def _names_numbers(event: c.Event) -> bool:
    if isinstance(event, c.Select):
        return event.resync is not None and event.resync.has_numbers
    # Commands that come with UID and without say so, whoever adds one.
    if getattr(event, "is_uid", True) is False:
        return True
    program = getattr(event, "program", None)
    return program is not None and asks_numbers(program)
