"""App passwords: generated, shown once, for one program or device, opening only what they are for.

All those of a mailbox share one SCRAM salt: SCRAM names the salt before it knows which password the
client has, and the proof is then tried against each (docs/decisions/0003).
"""

from collections.abc import Collection, Sequence

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts import generated_secrets, scopes, scram_secrets
from accounts.directory import DirectoryError, require_owner, shut_sessions
from accounts.models import Credential, Mailbox
from protocols.wire import sasl

# A proof costs some microseconds for each.
MAX_PER_MAILBOX = 50


def list_app_passwords(mailbox: Mailbox) -> Sequence[Credential]:
    """The oldest first."""
    return list(_rows(mailbox))


@transaction.atomic
def create_app_password(
    mailbox: Mailbox, label: str, protocols: Collection[str]
) -> tuple[Credential, str]:
    """The row and the password itself, which nobody can ever see again; DirectoryError."""
    require_owner(mailbox)
    label = scopes.check_label(label)
    wanted = scopes.join(protocols)
    # Locked, so that two made at once agree on the salt.
    Mailbox.objects.select_for_update().get(pk=mailbox.pk)
    rows = list(_rows(mailbox))
    if len(rows) >= MAX_PER_MAILBOX:
        text = _("“%(mailbox)s” has %(count)s app passwords; revoke one first.")
        raise DirectoryError(text % {"mailbox": mailbox, "count": len(rows)})
    if any(row.label == label for row in rows):
        text = _("“%(mailbox)s” has an app password “%(label)s” already.")
        raise DirectoryError(text % {"mailbox": mailbox, "label": label})
    password = generated_secrets.make_app_password()
    kept = next((row.scram for row in rows if row.scram), "")
    if kept:
        known = scram_secrets.read(0, kept)
        salt, iterations = known.salt, known.iterations
    else:
        salt, iterations = generated_secrets.scram_salt(mailbox.address), sasl.ITERATIONS
    made = Credential.objects.create(
        mailbox=mailbox,
        kind=Credential.Kind.APP_PASSWORD,
        hash=generated_secrets.digest(password),
        scram=scram_secrets.make(password, salt, iterations),
        scopes=wanted,
        label=label,
    )
    return made, password


@transaction.atomic
def revoke_app_password(mailbox: Mailbox, credential_id: int) -> Credential:
    """End it, and every open session of the mailbox, for one may be its; DirectoryError."""
    row = _rows(mailbox).filter(pk=credential_id).first()
    if row is None:
        text = _("“%(mailbox)s” has no app password %(credential_id)s.")
        raise DirectoryError(text % {"mailbox": mailbox, "credential_id": credential_id})
    row.delete()
    row.pk = credential_id
    shut_sessions(mailbox)
    return row


@transaction.atomic
def allow_app_passwords_only(mailbox: Mailbox, *, is_so: bool = True) -> None:
    """Whether IMAP, POP3 and submission refuse the mailbox's own password; sessions end."""
    if mailbox.app_passwords_only is not is_so:
        mailbox.app_passwords_only = is_so
        mailbox.save(update_fields=["app_passwords_only"])
        shut_sessions(mailbox)


def _rows(mailbox: Mailbox) -> QuerySet[Credential]:
    rows = Credential.objects.filter(mailbox=mailbox, kind=Credential.Kind.APP_PASSWORD)
    return rows.order_by("pk")
