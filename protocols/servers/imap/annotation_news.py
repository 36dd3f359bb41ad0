"""What a client hears of annotations that others set or remove (RFC 5464 §4.4.2)."""

from collections.abc import Iterable
from itertools import groupby

from accounts.mailstore import annotations
from accounts.mailstore.annotations import Changed
from accounts.mailstore.catalog import highest_modseq
from protocols.wire.imap.metadata import metadata_changed


class AnnotationNews:
    """Up to which MODSEQ a client has been told of changes; what it did itself it knows."""

    __slots__ = ("_mailbox_id", "_own", "hears_of_folders", "modseq")

    def __init__(self, mailbox_id: int, *, hears_of_folders: bool) -> None:
        self.hears_of_folders = hears_of_folders
        self._mailbox_id = mailbox_id
        self.modseq = highest_modseq(mailbox_id)
        self._own: frozenset[Changed] = frozenset()

    def note_own(self, folder_id: int | None, names: Iterable[str], modseq: int) -> None:
        """The client itself has set these entries."""
        self._own = frozenset(Changed(modseq, folder_id, name) for name in names)

    def take(self) -> list[Changed]:
        """What others have changed since the last time."""
        found = annotations.changed_since(self._mailbox_id, self.modseq)
        if found:
            self.modseq = max(each.modseq for each in found)
        news = [each for each in found if each not in self._own]
        self._own = frozenset()
        return news

    def wants(self, changed: Changed) -> bool:
        """Whether the client hears of it without NOTIFY."""
        return self.hears_of_folders or changed.folder_id is None


def changed_lines(mailbox_id: int, changed: Iterable[Changed], *, is_utf8: bool = False) -> bytes:
    """A METADATA response for each folder (or the server) of which something changed."""
    ordered = sorted(changed, key=lambda each: (each.folder_id or 0, each.name))
    by_folder = groupby(ordered, key=lambda each: each.folder_id)
    names = annotations.folder_names(mailbox_id, {each.folder_id for each in ordered})
    lines = []
    for folder_id, some in by_folder:
        folder = "" if folder_id is None else names.get(folder_id)
        # A folder that was deleted this instant took its annotations along.
        if folder is not None:
            names_changed = [each.name for each in some]
            lines.append(metadata_changed(folder, names_changed, is_utf8=is_utf8))
    return b"".join(lines)
