"""What a folder may be called.

A name is the whole path in Unicode, "/" between levels; INBOX as the first level is written so,
whatever the case it came in (RFC 9051 §5.1).
"""

import unicodedata

from accounts.counters import INBOX
from accounts.mailstore.refusals import BadFolderName

SEPARATOR = "/"
# PostgreSQL indexes keys of up to 2,704 octets.
MAX_OCTETS = 1000
MAX_DEPTH = 50


def canonical(name: str) -> str:
    """The name as it is stored: NFC, INBOX in capitals. Never refuses."""
    # What is longer names nothing, and Python takes a second for some tens of thousands of marks.
    if len(name) <= 4 * MAX_OCTETS:
        name = unicodedata.normalize("NFC", name)
    first, slash, rest = name.partition(SEPARATOR)
    # Of ASCII alone: the capital of the dotless "ı" is I too.
    is_inbox = first.isascii() and first.upper() == INBOX
    return INBOX + slash + rest if is_inbox else name


def checked(name: str) -> str:
    """The canonical form of a name that may be created. BadFolderName."""
    name = canonical(name)
    levels = name.split(SEPARATOR)
    if not name:
        raise BadFolderName("A folder needs a name.")
    if not all(levels):
        raise BadFolderName("A folder's name has no empty levels.")
    if len(levels) > MAX_DEPTH:
        raise BadFolderName(f"Folders nest at most {MAX_DEPTH} levels deep.")
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in name):
        raise BadFolderName("A folder's name has no control characters.")
    if "*" in name or "%" in name:
        raise BadFolderName("A folder's name has neither * nor %, which LIST takes for patterns.")
    if len(name.encode()) > MAX_OCTETS:
        raise BadFolderName(f"A folder's name has at most {MAX_OCTETS} octets.")
    return name


def parents(name: str) -> list[str]:
    """The names above a name, the topmost first."""
    levels = name.split(SEPARATOR)
    return [SEPARATOR.join(levels[:depth]) for depth in range(1, len(levels))]
