"""Annotations of folders and of the server (RFC 5464): read them, set them, hear of changes.

Rules: a name comes in lower case; what a reader sees are its own private entries and the shared
ones of the folder's mailbox; all that one mailbox keeps is at most MAX_OCTETS, so an answer is too.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Length

from accounts import commit
from accounts.mailstore import rights, shared_names, special_uses
from accounts.mailstore.folder_info import FolderInfo
from accounts.mailstore.refusals import AnnotationTooLong, NoSuchFolder, TooManyAnnotations
from accounts.mailstore.rights import Right
from accounts.models import Annotation, Change, Folder
from accounts.rows import FolderGone, Rows

MAX_VALUE = 32 * 1024
MAX_OCTETS = 2 << 20
MAX_ENTRIES = 5000

PRIVATE, SHARED = "/private/", "/shared/"

SERVER = None
"""Stands for the server in the place of a folder's key."""

Values = Mapping[str, bytes]


class Changed(NamedTuple):
    """An entry that was set or removed at a MODSEQ; `folder_id` None is the server."""

    modseq: int
    folder_id: int | None
    name: str


def read(
    mailbox_id: int,
    folder_id: int | None,
    names: Iterable[str],
    *,
    levels: int | None = 0,
    owner_id: int | None = None,
) -> dict[str, bytes]:
    """The values of entries, and of those up to `levels` (None: any number) below them, by name.

    `owner_id`: the folder's mailbox, where it is not the reader's.
    """
    wanted = list(names)
    condition = Q(name__in=wanted)
    if levels != 0:
        for name in wanted:
            condition |= Q(name__startswith=name + "/")
    found = _seen_by(mailbox_id, owner_id).filter(condition, _of(folder_id))
    rows = found.exclude(value=None).order_by("name").values_list("name", "value")
    return chosen({name: bytes(value or b"") for name, value in rows}, wanted, levels)


def chosen(values: Values, names: Iterable[str], levels: int | None) -> dict[str, bytes]:
    """Those of `values` that lie at the names, or up to `levels` below them."""
    wanted = list(names)
    return {
        name: value
        for name, value in values.items()
        if any(_lies_below(name, above, levels) for above in wanted)
    }


def read_of_folders(
    mailbox_id: int, folders: Collection[FolderInfo], names: Sequence[str]
) -> dict[int, dict[str, bytes]]:
    """The values of the same entries of many folders, as their reader sees them, by folder."""
    rows = Annotation.objects.filter(mailbox_id=mailbox_id, name__in=names)
    if others := [folder.id for folder in folders if folder.mailbox_id != mailbox_id]:
        shared = [name for name in names if name.startswith(SHARED)]
        rows |= Annotation.objects.filter(folder_id__in=others, name__in=shared)
    found: dict[int, dict[str, bytes]] = {folder.id: {} for folder in folders}
    for folder_id, name, value in rows.values_list("folder_id", "name", "value"):
        if value is not None and folder_id in found:
            found[folder_id][name] = bytes(value)
    return found


def write(
    mailbox_id: int,
    folder_id: int | None,
    values: Mapping[str, bytes | None],
    *,
    owner_id: int | None = None,
) -> int:
    """Set entries (None removes one), all or none; the MODSEQ of the change in the mailbox.

    `owner_id` as in `read`: what is shared is kept there, and takes the owner's room. The entry of
    a folder's special use changes the folder. AnnotationTooLong, TooManyAnnotations, NoSuchFolder,
    NotPermitted, SpecialUseRefused.
    """
    if any(value is not None and len(value) > MAX_VALUE for value in values.values()):
        raise AnnotationTooLong(f"A value has at most {MAX_VALUE} octets.")
    owner = mailbox_id if owner_id is None else owner_id
    kept = dict(values)
    is_use_set = folder_id is not None and special_uses.ENTRY in kept
    use = kept.pop(special_uses.ENTRY) if is_use_set else None
    keepers = {name: owner if name.startswith(SHARED) else mailbox_id for name in kept}

    def work(rows: Rows, blob_id: int | None) -> int:
        rows.direct()
        if folder_id is not None:
            _require_right(rows, mailbox_id, owner, folder_id, values)
            if is_use_set:
                special_uses.assign(rows, mailbox_id, owner, folder_id, use)
        modseqs = {keeper: rows.list_changed(keeper) for keeper in sorted(set(keepers.values()))}
        if folder_id is not None and owner in modseqs:
            # RFC 7162 §3.2: an annotation counts as a change of its folder.
            rows.changed(rows.folder(folder_id), Change.Kind.FOLDER)
        for name, value in kept.items():
            _put(keepers[name], folder_id, name, value, modseqs[keepers[name]])
        for keeper in modseqs:
            _require_room(keeper)
        return modseqs.get(mailbox_id, 0)

    return commit.run(commit.Unit(frozenset((mailbox_id, owner)), work))


def _require_right(
    rows: Rows, mailbox_id: int, owner: int, folder_id: int, names: Iterable[str]
) -> None:
    """The folder is the owner's, and may be noted with: for all by who writes, else by a reader.

    RFC 5464 §3.3. NoSuchFolder, NotPermitted.
    """
    try:
        folder = rows.folder(folder_id)
    except FolderGone:
        raise NoSuchFolder("The folder no longer exists.") from None
    if folder.mailbox_id != owner:
        raise NoSuchFolder("The folder belongs to another mailbox.")
    is_shared = any(name.startswith(SHARED) for name in names)
    needed = Right.READ | Right.WRITE if is_shared else Right.READ
    rights.require(mailbox_id, owner, folder_id, needed)


def _put(
    mailbox_id: int, folder_id: int | None, name: str, value: bytes | None, modseq: int
) -> None:
    known = Annotation.objects.filter(_of(folder_id), mailbox_id=mailbox_id, name=name)
    if known.update(value=value, modseq=modseq) or value is None:
        return
    Annotation.objects.create(
        mailbox_id=mailbox_id, folder_id=folder_id, name=name, value=value, modseq=modseq
    )


def _require_room(mailbox_id: int) -> None:
    """TooManyAnnotations unless all there is now fits; what was removed goes for good first."""
    everything = Annotation.objects.filter(mailbox_id=mailbox_id)
    held = everything.aggregate(rows=Count("pk"), octets=Sum(Length("value")))
    if held["rows"] > MAX_ENTRIES:
        gone, _ = everything.filter(value=None).delete()
        held["rows"] -= gone
    if held["rows"] > MAX_ENTRIES or (held["octets"] or 0) > MAX_OCTETS:
        raise TooManyAnnotations("The mailbox has no room for more annotations.")


def changed_since(mailbox_id: int, modseq: int) -> list[Changed]:
    """Which entries of the mailbox were set or removed after `modseq`."""
    rows = Annotation.objects.filter(mailbox_id=mailbox_id, modseq__gt=modseq)
    return [Changed(*row) for row in rows.values_list("modseq", "folder_id", "name")]


def folder_names(mailbox_id: int, folder_ids: Iterable[int | None]) -> dict[int, str]:
    """The names by which the mailbox knows folders that have annotations, by their keys."""
    wanted = [folder_id for folder_id in folder_ids if folder_id is not None]
    if not wanted:
        return {}
    columns = ("pk", "name", "mailbox_id", "mailbox__local_part", "mailbox__domain__name")
    return {
        key: name if owner == mailbox_id else shared_names.join(f"{local_part}@{domain}", name)
        for key, name, owner, local_part, domain in Folder.objects.filter(
            pk__in=wanted
        ).values_list(*columns)
    }


def _of(folder_id: int | None) -> Q:
    return Q(folder=None) if folder_id is None else Q(folder_id=folder_id)


def _seen_by(mailbox_id: int, owner_id: int | None) -> QuerySet[Annotation]:
    if owner_id is None or owner_id == mailbox_id:
        return Annotation.objects.filter(mailbox_id=mailbox_id)
    return Annotation.objects.filter(
        Q(mailbox_id=mailbox_id, name__startswith=PRIVATE)
        | Q(mailbox_id=owner_id, name__startswith=SHARED)
    )


def _lies_below(name: str, above: str, levels: int | None) -> bool:
    if name == above:
        return True
    is_below = name.startswith(above + "/")
    return is_below and (levels is None or name.count("/", len(above)) <= levels)
