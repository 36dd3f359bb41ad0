"""What a folder is for (RFC 6154), also as its annotation `/private/specialuse` (§4).

Rules: a folder has one use and a use one folder, which is looked at under the mailbox's lock; only
its owner gives a folder a use. The column of the folder is the truth, and no annotation is kept.
"""

from accounts.counters import INBOX
from accounts.mailstore.folder_info import FolderInfo
from accounts.mailstore.refusals import NotPermitted, SpecialUseRefused
from accounts.models import Change, Folder
from accounts.rows import Rows

# RFC 6154 §2. \All and \Flagged are views, which we do not have.
USES = ("\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash")

ENTRY = "/private/specialuse"

_SPELT = {use.upper(): use for use in USES}


def spelt(uses: str) -> str:
    """The use that these words name, as it is kept; none is "". SpecialUseRefused."""
    words = uses.split()
    if len(words) > 1:
        raise SpecialUseRefused("A folder has one special use.")
    if words and words[0].upper() not in _SPELT:
        raise SpecialUseRefused("There is no such special use.")
    return _SPELT[words[0].upper()] if words else ""


def annotation(folder: FolderInfo) -> dict[str, bytes]:
    """The annotation of a folder that has a use; nothing of one that has none."""
    return {ENTRY: folder.special_use.encode()} if folder.special_use else {}


def require_free(mailbox_id: int, use: str, *, folder_id: int | None = None) -> None:
    """SpecialUseRefused where another folder has the use; under the mailbox's lock."""
    having = Folder.objects.filter(mailbox_id=mailbox_id, special_use=use)
    if use and set(having.values_list("pk", flat=True)) - {folder_id}:
        raise SpecialUseRefused("Another folder has that special use.")


def assign(rows: Rows, mailbox_id: int, owner_id: int, folder_id: int, value: bytes | None) -> None:
    """Give a folder the use that its annotation is set to, from inside a direct Unit of the owner.

    SpecialUseRefused, NotPermitted.
    """
    use = spelt((value or b"").decode("latin-1"))
    if mailbox_id != owner_id:
        raise NotPermitted("Only its owner gives a folder a special use.")
    folder = rows.folder(folder_id)
    if use and (folder.name == INBOX or not folder.is_selectable):
        raise SpecialUseRefused("The folder cannot have a special use.")
    require_free(owner_id, use, folder_id=folder_id)
    if Folder.objects.filter(pk=folder_id).exclude(special_use=use).update(special_use=use):
        rows.changed(folder, Change.Kind.FOLDER)
