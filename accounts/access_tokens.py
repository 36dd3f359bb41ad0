"""Bearer tokens (RFC 7628): made by hand, shown once, opening a mailbox until they expire."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import generated_secrets, scopes
from accounts.directory import DirectoryError, require_owner, shut_sessions
from accounts.models import AccessToken, Mailbox

MAX_PER_MAILBOX = 100


def list_tokens(mailbox: Mailbox) -> Sequence[AccessToken]:
    """The oldest first, expired ones too."""
    return list(AccessToken.objects.filter(mailbox=mailbox).order_by("pk"))


@transaction.atomic
def create_token(
    mailbox: Mailbox,
    label: str,
    protocols: Collection[str],
    lifetime: timedelta | None = None,
) -> tuple[AccessToken, str]:
    """The row and the token itself; without a lifetime it lasts until revoked. DirectoryError."""
    require_owner(mailbox)
    label = scopes.check_label(label)
    wanted = scopes.join(protocols)
    if lifetime is not None and lifetime <= timedelta(0):
        raise DirectoryError(_("A token has to last for some time."))
    now = timezone.now()
    AccessToken.objects.filter(mailbox=mailbox, expires_at__lt=now).delete()
    if AccessToken.objects.filter(mailbox=mailbox).count() >= MAX_PER_MAILBOX:
        text = _("“%(mailbox)s” has %(max_per_mailbox)s tokens; revoke one first.")
        raise DirectoryError(text % {"mailbox": mailbox, "max_per_mailbox": MAX_PER_MAILBOX})
    token = generated_secrets.make_token()
    made = AccessToken.objects.create(
        mailbox=mailbox,
        digest=generated_secrets.digest(token),
        scopes=wanted,
        label=label,
        expires_at=now + lifetime if lifetime is not None else None,
    )
    return made, token


@transaction.atomic
def revoke_token(mailbox: Mailbox, token_id: int) -> AccessToken:
    """End it, and every open session of the mailbox, for one may be its; DirectoryError."""
    row = AccessToken.objects.filter(mailbox=mailbox, pk=token_id).first()
    if row is None:
        text = _("“%(mailbox)s” has no token %(token_id)s.")
        raise DirectoryError(text % {"mailbox": mailbox, "token_id": token_id})
    row.delete()
    row.pk = token_id
    shut_sessions(mailbox)
    return row
