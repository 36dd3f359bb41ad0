"""Access control lists of folders: read, change, hand down (RFC 4314).

Rules of the file: entries are written under the owner's lock, as everything of a mailbox; an entry
names a mailbox by its key, so a renamed mailbox keeps its rights and nobody else gets them; whom it
names is told, since nobody watches what others may share one day; and no stamp of any mailbox
outlives a new entry, so that who has seen no folder of others looks again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from django.db.models import Count, F, Q, QuerySet

from accounts import commit, stamps
from accounts.mailstore import changes, rights
from accounts.mailstore.folder_info import FolderInfo
from accounts.mailstore.locked import locked_folder, run_locked
from accounts.mailstore.refusals import NoSuchIdentifier, NotPermitted, TooManyEntries
from accounts.mailstore.rights import Right
from accounts.models import Change, Folder, FolderRight, Mailbox
from accounts.rows import Rows

ANYONE = "anyone"
# More than people keep in view; who needs more makes `anyone` an entry.
MAX_ENTRIES = 200

# The same of what is not there and of what another tenant has.
_NOBODY = "There is no such mailbox in your organisation."


@dataclass(frozen=True, slots=True)
class Identifier:
    """Whom an entry is about: a mailbox, or anyone (None); negative ones take rights away."""

    mailbox_id: int | None
    is_negative: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list, as it is shown."""

    name: str
    rights: Right


def neighbour(mailbox_id: int, address: str) -> int | None:
    """The key of another live mailbox of the same tenant, by its address as it is stored."""
    local_part, _, domain = address.rpartition("@")
    tenant = Mailbox.objects.filter(pk=mailbox_id).values("domain__tenant_id")
    found = Mailbox.objects.filter(
        local_part=local_part,
        domain__name=domain,
        domain__tenant_id__in=tenant,
        removed_at=None,
    )
    return found.values_list("pk", flat=True).first()


def identified(owner: int, name: str) -> Identifier:
    """What an identifier means in the lists of a mailbox. NoSuchIdentifier.

    `anyone`, or the address of a mailbox of the tenant, with a dash before it to take away.
    """
    is_negative = name.startswith("-")
    name = name.removeprefix("-").lower()
    if name == ANYONE:
        return Identifier(None, is_negative)
    found = neighbour(owner, name)
    if found is None:
        raise NoSuchIdentifier(_NOBODY)
    return Identifier(found, is_negative)


def entries(folder: FolderInfo) -> list[Entry]:
    """A folder's list: the owner, then the others by name."""
    return [Entry(_owner_name(folder.mailbox_id), rights.ALL), *_entries(_of(folder.id))]


def root_entries(mailbox_id: int) -> list[Entry]:
    """The list that new top-level folders of a mailbox will have, without the owner."""
    return _entries(_listed(mailbox_id, None))


def _entries(rows: QuerySet[FolderRight]) -> list[Entry]:
    columns = ("is_negative", "letters", "grantee__local_part", "grantee__domain__name")
    # What no longer counts is not shown either.
    counting = rows.filter(
        Q(grantee=None) | Q(grantee__removed_at=None, grantee__domain__tenant_id=F("tenant_id"))
    )
    found = [
        Entry(
            "-" * is_negative + (f"{local_part}@{domain}" if domain else ANYONE),
            rights.parse(letters),
        )
        for is_negative, letters, local_part, domain in counting.values_list(*columns)
    ]
    return sorted(found, key=lambda entry: entry.name)


def _owner_name(mailbox_id: int) -> str:
    return Mailbox.objects.select_related("domain").get(pk=mailbox_id).address


def set_rights(actor: int, folder: FolderInfo, who: Identifier, change: str, given: Right) -> None:
    """Replace (`change` is empty), add to ("+") or take from ("-") somebody's entry.

    An entry without rights is none. NoSuchFolder, NotPermitted, NoSuchIdentifier, TooManyEntries.
    """
    run_locked(folder.mailbox_id, partial(_set, actor, folder, who, change, given))
    _tell(who)


def set_rights_everywhere(owner: int, who: Identifier, given: Right) -> None:
    """Replace somebody's entry in every folder of a mailbox and at its root; the owner's doing.

    NoSuchIdentifier, TooManyEntries.
    """
    folder_ids = frozenset(
        Folder.objects.filter(mailbox_id=owner, is_selectable=True).values_list("pk", flat=True)
    )

    def write(rows: Rows, blob_id: int | None) -> None:
        rows.direct()
        rows.before_commit(_end_all_stamps)
        _write_everywhere(owner, folder_ids, who, given)
        for folder_id in folder_ids:
            rows.changed(rows.folder(folder_id), Change.Kind.FOLDER)

    commit.run(commit.Unit(frozenset((owner,)), write, folder_ids=folder_ids))
    _tell(who)


def _tell(who: Identifier) -> None:
    """Wake whom an entry names; everybody else looks again at the next occasion."""
    if who.mailbox_id is not None:
        changes.publish([(who.mailbox_id, 0, 0)])


def _write_everywhere(owner: int, folder_ids: Iterable[int], who: Identifier, given: Right) -> None:
    everything = FolderRight.objects.filter(mailbox_id=owner)
    everything.filter(_is(who)).delete()
    if not given:
        return
    tenant_id = _tenant_for(owner, who)
    sizes = everything.order_by().values("folder_id").annotate(size=Count("pk"))
    if sizes.filter(size__gte=MAX_ENTRIES).exists():
        raise TooManyEntries(f"A list has at most {MAX_ENTRIES} entries.")
    FolderRight.objects.bulk_create(
        _entry(owner, folder_id, tenant_id, who, given) for folder_id in (None, *folder_ids)
    )


def _set(
    actor: int, folder: FolderInfo, who: Identifier, change: str, given: Right, rows: Rows
) -> None:
    owner = folder.mailbox_id
    state = locked_folder(rows, folder.id, actor, Right.ADMINISTER)
    if who.mailbox_id == owner:
        raise NotPermitted("The owner always has every right.")
    rows.direct()
    rows.before_commit(_end_all_stamps)
    if change:
        letters = _of(folder.id).filter(_is(who)).values_list("letters", flat=True).first()
        known = rights.parse(letters or "")
        given = known | given if change == "+" else known & ~given
    _write(owner, folder.id, who, given)
    # Whoever has the folder open looks again, and so do the rights.
    rows.changed(state, Change.Kind.FOLDER)


def _write(owner: int, folder_id: int | None, who: Identifier, given: Right) -> None:
    listed = _listed(owner, folder_id)
    entry = listed.filter(_is(who))
    if not given:
        entry.delete()
        return
    tenant_id = _tenant_for(owner, who)
    if entry.update(letters=rights.spell(given)):
        return
    if listed.count() >= MAX_ENTRIES:
        raise TooManyEntries(f"A list has at most {MAX_ENTRIES} entries.")
    _entry(owner, folder_id, tenant_id, who, given).save()


def _tenant_for(owner: int, who: Identifier) -> int:
    """The tenant of an entry; asked under the lock, so that none ever leads to another."""
    tenant_id = Mailbox.objects.values_list("domain__tenant_id", flat=True).get(pk=owner)
    if who.mailbox_id is not None:
        theirs = Mailbox.objects.filter(pk=who.mailbox_id, domain__tenant_id=tenant_id)
        if not theirs.exists():
            raise NoSuchIdentifier(_NOBODY)
    return tenant_id


def _entry(
    owner: int, folder_id: int | None, tenant_id: int, who: Identifier, given: Right
) -> FolderRight:
    return FolderRight(
        mailbox_id=owner,
        folder_id=folder_id,
        tenant_id=tenant_id,
        grantee_id=who.mailbox_id,
        is_negative=who.is_negative,
        letters=rights.spell(given),
    )


def inherit(rows: Rows, owner: int, parent_id: int | None, folder_ids: Sequence[int]) -> None:
    """Give new folders the list of their parent (None: the root), inside a direct Unit."""
    columns = ("tenant_id", "grantee_id", "is_negative", "letters")
    listed = _listed(owner, parent_id)
    found = list(listed.values_list(*columns))
    if found:
        rows.before_commit(_end_all_stamps)
    FolderRight.objects.bulk_create(
        FolderRight(
            mailbox_id=owner, folder_id=folder_id, **dict(zip(columns, values, strict=True))
        )
        for folder_id in folder_ids
        for values in found
    )


def _end_all_stamps() -> None:
    stamps.change()


def _listed(owner: int, folder_id: int | None) -> QuerySet[FolderRight]:
    return _of(folder_id) if folder_id else FolderRight.objects.filter(mailbox=owner, folder=None)


def _of(folder_id: int) -> QuerySet[FolderRight]:
    return FolderRight.objects.filter(folder_id=folder_id)


def _is(who: Identifier) -> Q:
    return Q(grantee_id=who.mailbox_id, is_negative=who.is_negative)
