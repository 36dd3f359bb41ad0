"""The parts of a CATENATE that URLs name: messages of the same login, copied as they lie there.

What an APPEND may cost is bounded: so many URLs, so many octets of messages looked into for their
parts, and the octets of a message at most (RFC 4469 §3).
"""

import re

from django.conf import settings

from accounts.blobs import BlobMissing, OutOfSpace
from accounts.commit import CommitUnavailable
from accounts.mailstore import fetch, folders
from accounts.mailstore.fetch import Columns, FetchRow
from accounts.mailstore.refusals import FolderError, NotPermitted
from accounts.mailstore.rights import Right
from protocols.servers.imap.answers import no, refused
from protocols.servers.imap.appending import Appending
from protocols.servers.imap.client import Client
from protocols.servers.imap.sections import Structures, section_range
from protocols.wire.imap.fetch_items import SectionKind
from protocols.wire.imap.responses import Tagged
from protocols.wire.imap.url import MessageUrl, parse_url

MAX_URLS = 500
MAX_LOOKED_INTO = 512 << 20
PIECE = 256 * 1024

# RFC 4469 §5: any TEXT-CHAR but "]".
_UNSPEAKABLE = re.compile(rb"[^\x21-\x5c\x5e-\x7e]")


def add(client: Client, appending: Appending, tag: bytes, url: bytes) -> Tagged | None:
    """Put what a URL names behind the message so far, or say why not."""
    appending.urls += 1
    if appending.urls > MAX_URLS or appending.looked_into > MAX_LOOKED_INTO:
        return no(tag, "Too many parts.", code=b"LIMIT")
    parsed = parse_url(url)
    row = _row(client, parsed) if parsed is not None else None
    if parsed is None or row is None:
        return _bad_url(tag, url)
    part = _part(appending, parsed, row)
    if part is None:
        return _bad_url(tag, url)
    octets, start, end = part
    start = min(start + parsed.offset, end)
    if parsed.count >= 0:
        end = min(start + parsed.count, end)
    if appending.spool.size + end - start > settings.MAILHOST.max_message_size:
        return no(tag, "The message is too big.", code=b"TOOBIG")
    try:
        while start < end:
            piece = (
                octets[start:end] if octets else fetch.octets(row, start, min(PIECE, end - start))
            )
            appending.write(piece)
            start += len(piece)
    except (OutOfSpace, CommitUnavailable) as error:
        return refused(tag, error)
    except BlobMissing:
        return _bad_url(tag, url)
    return None


def _row(client: Client, url: MessageUrl) -> FetchRow | None:
    """The message, where the URL is one of this server and this login, who may read it."""
    assert client.identity is not None
    is_ours = url.host in ("", settings.MAILHOST.hostname.lower())
    is_own = url.user.lower() in ("", client.identity.address.lower())
    if not (is_ours and is_own):
        return None
    try:
        folder = folders.find_folder(client.mailbox_id, url.folder, Right.READ)
    except (FolderError, NotPermitted):
        return None
    if url.uidvalidity not in (0, folder.uidvalidity):
        return None
    rows = fetch.fetch(
        folder.id, [url.uid], columns=Columns.OCTETS | Columns.SIZE | Columns.MESSAGE
    )
    return rows[0] if rows else None


def _part(appending: Appending, url: MessageUrl, row: FetchRow) -> tuple[bytes, int, int] | None:
    """Octets (b"": those of the message) and the range of them that the URL's section is."""
    section = url.section
    if section.path or section.kind is not SectionKind.WHOLE:
        # Clients copy the parts of one message one after the other.
        known, structures = appending.source
        if known != row.message_id:
            structures = Structures()
            appending.source = (row.message_id, structures)
            appending.looked_into += row.size or 0
    else:
        structures = Structures()
    found = section_range(section, row, structures)
    if isinstance(found, bytes):
        return found, 0, len(found)
    return None if found is None else (b"", *found)


def _bad_url(tag: bytes, url: bytes) -> Tagged:
    told = _UNSPEAKABLE.sub(lambda octet: b"%%%02X" % octet[0][0], url[:1000])
    return no(tag, "That names nothing here.", code=b"BADURL " + (told or b"%20"))
