"""The outbound queue is these three tables; everything else only wakes somebody up."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class QueuedMessage(models.Model):
    """A message to send: `prefix` followed by the blob, as in `accounts.Message`."""

    queue_id = models.CharField(_("queue id"), max_length=24, unique=True)
    blob = models.ForeignKey("accounts.Blob", models.PROTECT, related_name="queued")
    prefix = models.BinaryField(default=b"")
    size = models.BigIntegerField(_("size"))
    return_path = models.CharField(
        _("return path"), max_length=320, blank=True, help_text=_("Empty for bounces.")
    )
    tenant = models.ForeignKey(
        "accounts.Tenant",
        models.PROTECT,
        null=True,
        related_name="queued",
        verbose_name=_("tenant"),
    )
    sender = models.ForeignKey(
        "accounts.Mailbox",
        models.SET_NULL,
        null=True,
        related_name="queued",
        help_text=_("The mailbox that submitted it, if one of ours did."),
        verbose_name=_("sent by mailbox"),
    )
    is_8bit = models.BooleanField(_("8-bit"), default=False)
    is_smtputf8 = models.BooleanField(_("SMTPUTF8"), default=False)
    queued_at = models.DateTimeField(_("queued"))

    class Meta:
        verbose_name = _("queued message")
        verbose_name_plural = _("queued messages")
        ordering = ["-queued_at"]

    def __str__(self) -> str:
        return self.queue_id


class QueuedRecipient(models.Model):
    """The unit of the queue: one recipient with a clock of its own."""

    class State(models.TextChoices):
        PENDING = "pending", _("pending")
        HELD = "held", _("held")
        DELIVERED = "delivered", _("delivered")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    message = models.ForeignKey(
        QueuedMessage, models.CASCADE, related_name="recipients", verbose_name=_("message")
    )
    address = models.CharField(_("recipient"), max_length=320)
    original_address = models.CharField(
        _("original recipient"),
        max_length=320,
        blank=True,
        help_text=_("What the sender wrote, where an alias led elsewhere."),
    )
    destination = models.CharField(
        _("destination"), max_length=255, help_text=_("Domain (A-labels) or address literal.")
    )
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.PENDING
    )
    next_attempt_at = models.DateTimeField(_("next try"), null=True)
    claimed_until = models.DateTimeField(_("claimed until"), null=True)
    attempt_no = models.PositiveIntegerField(_("tries"), default=0)
    is_ambiguous = models.BooleanField(
        _("ambiguous"),
        default=False,
        help_text=_("A try ended after the final dot without an answer: it may arrive twice."),
    )
    is_delay_notified = models.BooleanField(_("sender told of the delay"), default=False)
    last_reply = models.TextField(_("last reply"), blank=True)
    settled_at = models.DateTimeField(_("settled"), null=True)

    class Meta:
        verbose_name = _("queued recipient")
        verbose_name_plural = _("queued recipients")
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(state="pending"),
                name="queuedrecipient_due",
            ),
            models.Index(fields=["destination", "state"], name="queuedrecipient_dest"),
        ]

    def __str__(self) -> str:
        return self.address


class Attempt(models.Model):
    """One try at one recipient, opened when it is claimed and closed when it is settled."""

    class Result(models.TextChoices):
        OPEN = "open", _("under way")
        DELIVERED = "delivered", _("delivered")
        DEFERRED = "deferred", _("deferred")
        FAILED = "failed", _("failed")
        AMBIGUOUS = "ambiguous", _("ambiguous")

    recipient = models.ForeignKey(
        QueuedRecipient, models.CASCADE, related_name="attempts", verbose_name=_("recipient")
    )
    attempt_no = models.PositiveIntegerField(_("try"))
    started_at = models.DateTimeField(_("started"))
    ended_at = models.DateTimeField(_("ended"), null=True)
    result = models.CharField(
        _("result"), max_length=10, choices=Result.choices, default=Result.OPEN
    )
    host = models.CharField(_("host"), max_length=300, blank=True)
    tls = models.CharField(_("TLS"), max_length=60, blank=True)
    reply = models.TextField(_("reply"), blank=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["recipient", "attempt_no"]
        constraints = [
            models.UniqueConstraint(fields=["recipient", "attempt_no"], name="attempt_no"),
        ]

    def __str__(self) -> str:
        return f"{self.recipient} #{self.attempt_no}: {self.get_result_display()}"
