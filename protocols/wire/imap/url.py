"""IMAP URLs that name a message or a part of one (RFC 5092), as CATENATE uses them."""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from .fetch_grammar import body_section
from .fetch_items import BodySection
from .sequence_set import MAX_NUMBER

_AUTHORITY = re.compile(
    rb"imap://(?:([^@/?#\s]*+)@)?([^@:/?#\s]++)(?::[0-9]{1,5})?(?=/)", re.IGNORECASE
)
_MAILBOX = re.compile(rb"/([^;?#\s]++)(?:;UIDVALIDITY=([1-9][0-9]{0,9}))?", re.IGNORECASE)
_UID = re.compile(rb"UID=([1-9][0-9]{0,9})", re.IGNORECASE)
_SECTION = re.compile(rb"SECTION=([^;?#\s]++)", re.IGNORECASE)
_PARTIAL = re.compile(rb"PARTIAL=([0-9]{1,10})(?:\.([1-9][0-9]{0,9}))?", re.IGNORECASE)
_AUTH = re.compile(rb";AUTH=.*", re.IGNORECASE)

MAX_URL = 8 * 1024


@dataclass(frozen=True, slots=True)
class MessageUrl:
    """A message, or part of one. `user` and `host` are "" where the URL has none.

    `uidvalidity` is 0 where it is not told; `count` is -1 for all from `offset` on (octets).
    """

    user: str
    host: str
    folder: str
    uidvalidity: int
    uid: int
    section: BodySection
    offset: int = 0
    count: int = -1


def parse_url(text: bytes) -> MessageUrl | None:
    """The URL of a message; None for anything else, such as one that needs URLAUTH."""
    if len(text) > MAX_URL:
        return None
    user: str | None = ""
    host = ""
    if authority := _AUTHORITY.match(text):
        user = _decoded(_AUTH.sub(b"", authority[1] or b"", count=1))
        host = authority[2].decode("latin-1").lower()
        text = text[authority.end() :]
    # A semicolon in a name or a section is written %3B, so that this cuts at the right places.
    path, *parts = text.split(b"/;")
    mailbox = _MAILBOX.fullmatch(path)
    uid = _UID.fullmatch(parts.pop(0)) if parts else None
    if mailbox is None or uid is None or user is None:
        return None
    folder = _decoded(mailbox[1])
    section = body_section(b"")
    if parts and (match := _SECTION.fullmatch(parts[0])):
        section = body_section(unquote_to_bytes(match[1]))
        del parts[0]
    offset, count = 0, -1
    if parts and (match := _PARTIAL.fullmatch(parts[0])):
        offset, count = int(match[1]), int(match[2] or -1)
        del parts[0]
    uidvalidity = int(mailbox[2] or 0)
    if folder is None or section is None or parts or max(uidvalidity, int(uid[1])) > MAX_NUMBER:
        return None
    name = "INBOX" if folder.isascii() and folder.upper() == "INBOX" else folder
    return MessageUrl(user, host, name, uidvalidity, int(uid[1]), section, offset, count)


def _decoded(octets: bytes) -> str | None:
    try:
        text = unquote_to_bytes(octets).decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
