"""Shared mailboxes and delegates: who uses a mailbox beside its owner, and who may send as it.

Rights are given in all folders of a mailbox at once, and to those that will be made; in one folder
the owner gives them, by IMAP or here. A shared mailbox has no owner: nobody logs in to it.
"""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from accounts.directory import version
from accounts.directory.mailboxes import shut_sessions
from accounts.directory.names import DirectoryError, fold_address
from accounts.mailstore import acl, folders, rights
from accounts.mailstore.refusals import StoreRefusal
from accounts.mailstore.rights import Right
from accounts.models import Mailbox, SenderRight, User

# For who does not know the letters of RFC 4314 §2.1.
PRESETS = {"none": "", "read": "lrs", "write": "lrswite", "all": "lrswipkxtea"}


@dataclass(frozen=True, slots=True)
class Delegate:
    """Somebody's rights in a mailbox, or in one folder; `name` as in access control lists."""

    name: str
    letters: str
    may_send: bool


def share_mailbox(
    mailbox: Mailbox, name: str, given: str | None = None, *, folder: str = "", send: bool | None
) -> None:
    """Give somebody rights in all folders (or one), and say whether they may send as the mailbox.

    `name` is an address of the tenant or `anyone`; `given` are letters or one of PRESETS, None
    leaves the rights as they are, as does None the right to send. Not inside a transaction: the
    mail store commits by itself. DirectoryError.
    """
    who, letters = check_sharing(mailbox, name, given, send=send)
    if letters is not None:
        _share(mailbox, who, letters, folder)
    if send is not None:
        _let_send(mailbox, who, is_allowed=send)


def check_sharing(
    mailbox: Mailbox, name: str, given: str | None, *, send: bool | None
) -> tuple[acl.Identifier, Right | None]:
    """Who and which rights are meant, where they may be given; DirectoryError says why not."""
    letters = None if given is None else read_letters(given)
    who = _identified(mailbox, name)
    if send and (who.mailbox_id is None or who.is_negative):
        raise DirectoryError(_("Only a mailbox can be allowed to send as another."))
    return who, letters


def _share(mailbox: Mailbox, who: acl.Identifier, letters: Right, folder: str) -> None:
    try:
        if folder:
            found = folders.find_folder(mailbox.pk, folder)
            acl.set_rights(mailbox.pk, found, who, "", letters)
        else:
            acl.set_rights_everywhere(mailbox.pk, who, letters)
    except StoreRefusal as refusal:
        raise DirectoryError(str(refusal)) from None


@transaction.atomic
def _let_send(mailbox: Mailbox, who: acl.Identifier, *, is_allowed: bool) -> None:
    if is_allowed:
        SenderRight.objects.get_or_create(mailbox=mailbox, grantee_id=who.mailbox_id)
    else:
        SenderRight.objects.filter(mailbox=mailbox, grantee_id=who.mailbox_id).delete()
    version.touch()


def read_letters(given: str) -> Right:
    """The rights that letters or the name of a preset stand for. DirectoryError."""
    try:
        return rights.parse(PRESETS.get(given, given))
    except StoreRefusal:
        text = _("“%(given)s” is neither letters of %(letters)s nor one of %(presets)s.")
        values = {"given": given, "letters": "".join(rights.LETTERS), "presets": ", ".join(PRESETS)}
        raise DirectoryError(text % values) from None


def _identified(mailbox: Mailbox, name: str) -> acl.Identifier:
    dash = "-" if name.startswith("-") else ""
    bare = name.removeprefix("-")
    try:
        who = acl.identified(mailbox.pk, dash + (fold_address(bare) if "@" in bare else bare))
    except StoreRefusal:
        text = _("There is no mailbox “%(address)s” of the same tenant.")
        raise DirectoryError(text % {"address": bare}) from None
    if who.mailbox_id == mailbox.pk:
        raise DirectoryError(_("A mailbox is not shared with itself."))
    return who


def delegates(mailbox: Mailbox, folder: str = "") -> list[Delegate]:
    """Who has rights at the root of the mailbox (or in a folder), or may send as it, by name.

    DirectoryError.
    """
    listed = _entries_in(mailbox, folder) if folder else acl.root_entries(mailbox.pk)
    letters = {entry.name: rights.spell(entry.rights) for entry in listed}
    rows = SenderRight.objects.filter(mailbox=mailbox).select_related("grantee__domain")
    senders = {row.grantee.address for row in rows}
    return [
        Delegate(name, letters.get(name, ""), name in senders)
        for name in sorted({*letters, *senders})
    ]


def _entries_in(mailbox: Mailbox, folder: str) -> list[acl.Entry]:
    """The list of a folder, without the owner."""
    try:
        return acl.entries(folders.find_folder(mailbox.pk, folder))[1:]
    except StoreRefusal as refusal:
        raise DirectoryError(str(refusal)) from None


def sends_as(mailbox_id: int) -> list[int]:
    """The mailboxes that a mailbox may send as, beside itself."""
    found = SenderRight.objects.filter(
        grantee_id=mailbox_id,
        mailbox__removed_at=None,
        mailbox__is_suspended=False,
        mailbox__domain__is_suspended=False,
        mailbox__domain__tenant_id=F("grantee__domain__tenant_id"),
    )
    return list(found.values_list("mailbox_id", flat=True))


@transaction.atomic
def set_shared(mailbox: Mailbox, *, is_shared: bool) -> None:
    """Make it a shared mailbox, which nobody logs in to, or one with an owner again."""
    mailbox.is_shared = is_shared
    mailbox.save(update_fields=["is_shared"])
    User.objects.filter(mailbox=mailbox).update(is_active=not is_shared)
    shut_sessions(mailbox)
