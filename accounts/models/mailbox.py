"""An address that logs in and stores mail, and the secrets that open it."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class PopDeletion(models.TextChoices):
    """What becomes of a message that a POP3 program deletes."""

    REMOVE = "remove", _("it is removed")
    READ = "read", _("it stays, is marked as read and no longer shown over POP3")
    TRASH = "trash", _("it goes to Trash")


class Mailbox(models.Model):
    """The only lock of the mail store: UIDs, MODSEQ and usage are allocated under this row."""

    domain = models.ForeignKey(
        "accounts.Domain", models.PROTECT, related_name="mailboxes", verbose_name=_("domain")
    )
    local_part = models.CharField(
        _("local part"), max_length=255, help_text=_("What stands before the @, in lower case.")
    )
    name = models.CharField(_("display name"), max_length=200, blank=True)
    user = models.OneToOneField(
        "accounts.User",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="mailbox",
        verbose_name=_("user"),
    )
    quota_bytes = models.BigIntegerField(
        _("quota"), default=0, help_text=_("Octets; 0 means unlimited.")
    )
    used_bytes = models.BigIntegerField(_("used"), default=0, editable=False)
    quota_messages = models.BigIntegerField(
        _("messages allowed"),
        default=0,
        help_text=_("In all folders together; 0 means unlimited."),
    )
    used_messages = models.BigIntegerField(_("messages"), default=0, editable=False)
    quota_folders = models.PositiveIntegerField(
        _("folders allowed"), default=0, help_text=_("0 means as many as anybody may have.")
    )
    highest_modseq = models.BigIntegerField(default=1, editable=False)
    # Changes to the list of folders up to here may be forgotten (`accounts.mailstore.history`).
    pruned_modseq = models.BigIntegerField(default=0, editable=False)
    next_uidvalidity = models.BigIntegerField(default=1, editable=False)
    full_since = models.DateTimeField(_("full since"), null=True, blank=True, editable=False)
    is_suspended = models.BooleanField(_("suspended"), default=False)
    removed_at = models.DateTimeField(
        _("removed"),
        null=True,
        blank=True,
        editable=False,
        db_index=True,
        help_text=_("It takes no mail and no login; until it is purged it can be restored."),
    )
    # From here on a part of its mail may be gone: it cannot be restored, and is purged to the end.
    purge_asked_at = models.DateTimeField(null=True, editable=False)
    app_passwords_only = models.BooleanField(
        _("app passwords only"),
        default=False,
        help_text=_("IMAP, POP3 and submission take app passwords and tokens, not the password."),
    )
    is_shared = models.BooleanField(
        _("shared mailbox"),
        default=False,
        help_text=_("Nobody logs in to it: those it is shared with use it from their own mailbox."),
    )
    sets_quotas = models.BooleanField(
        _("sets quotas"),
        default=False,
        help_text=_("Its mail program may set the quotas of all mailboxes of the domain (IMAP)."),
    )
    pop_deletion = models.CharField(
        _("deleted over POP3"),
        max_length=6,
        choices=PopDeletion.choices,
        default=PopDeletion.REMOVE,
        help_text=_("POP3 programs see the inbox, and most delete what they have fetched."),
    )
    pop_since = models.DateField(
        _("POP3 shows mail since"),
        null=True,
        blank=True,
        help_text=_("What came into the inbox before that day is not shown; empty: all of it."),
    )
    credential_version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("mailbox")
        verbose_name_plural = _("mailboxes")
        ordering = ["domain__name", "local_part"]
        constraints = [
            models.UniqueConstraint(fields=["domain", "local_part"], name="mailbox_address"),
        ]

    def __str__(self) -> str:
        return self.address

    @property
    def address(self) -> str:
        return f"{self.local_part}@{self.domain.name}"


class Credential(models.Model):
    """One secret that opens a mailbox; only a hash of it is kept."""

    class Kind(models.TextChoices):
        PASSWORD = "password", _("password")
        APP_PASSWORD = "app-password", _("app password")

    mailbox = models.ForeignKey(
        Mailbox, models.CASCADE, related_name="credentials", verbose_name=_("mailbox")
    )
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices, default=Kind.PASSWORD)
    hash = models.CharField(
        _("hash"),
        max_length=300,
        editable=False,
        help_text=_(
            "argon2id in PHC form, or an imported {SCHEME}hash until the next login; "
            "of an app password its SHA-256."
        ),
    )
    # Of an app password, in the form of RFC 5803 §2; people's own passwords have none.
    scram = models.CharField(max_length=200, blank=True, editable=False)
    scopes = models.CharField(
        _("for"),
        max_length=100,
        blank=True,
        help_text=_("Of an app password: the protocols it opens, with a comma between them."),
    )
    label = models.CharField(_("label"), max_length=100, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("credential")
        verbose_name_plural = _("credentials")
        constraints = [
            models.UniqueConstraint(
                fields=["mailbox"],
                condition=models.Q(kind="password"),
                name="credential_one_password",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mailbox} · {self.get_kind_display()} {self.label}".strip()


class MaildropLock(models.Model):
    """The exclusive lock of a POP3 session (RFC 1939 §4). It ends by itself at `expires_at`."""

    mailbox = models.OneToOneField(
        Mailbox, models.CASCADE, primary_key=True, related_name="maildrop_lock"
    )
    token = models.UUIDField()
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.mailbox_id} until {self.expires_at}"
