"""The queue in the admin: to look at, and to act on through the verbs of `delivery.queue` alone."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from accounts.admin.pages import LookOnly, LookOnlyInline, size_in_words
from delivery import queue
from delivery.models import Attempt, QueuedMessage, QueuedRecipient
from delivery.queue import Changed, Selection

State = QueuedRecipient.State
STATE_LABELS = {
    State.PENDING.value: "info",
    State.HELD.value: "warning",
    State.DELIVERED.value: "success",
    State.FAILED.value: "danger",
    State.CANCELLED.value: "",
}
RESULT_LABELS = {
    Attempt.Result.OPEN.value: "info",
    Attempt.Result.DELIVERED.value: "success",
    Attempt.Result.DEFERRED.value: "warning",
    Attempt.Result.AMBIGUOUS.value: "warning",
    Attempt.Result.FAILED.value: "danger",
}


class _Operated(LookOnly):
    """A page whose rows nobody edits; what is chosen is retried, held, released or cancelled."""

    actions = ["retry", "hold", "release", "cancel"]

    def selection(self, rows: QuerySet[Any]) -> Selection:
        raise NotImplementedError

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("delivery.change_queuedrecipient")

    @admin.action(description=_("Try again now"), permissions=["operate"])
    def retry(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self._change(request, rows, queue.retry)

    @admin.action(description=_("Hold"), permissions=["operate"])
    def hold(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self._change(request, rows, queue.hold)

    @admin.action(description=_("Release"), permissions=["operate"])
    def release(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self._change(request, rows, queue.release)

    @admin.action(description=_("Cancel…"), permissions=["operate"])
    def cancel(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        if "confirmed" in request.POST:
            self._change(request, rows, queue.cancel)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": _("Cancel"),
            "opts": self.model._meta,
            "rows": rows,
        }
        return TemplateResponse(request, "delivery/confirm_cancel.html", context)

    def _change(
        self,
        request: HttpRequest,
        rows: QuerySet[Any],
        change: Callable[[Selection, datetime], Changed],
    ) -> None:
        changed = change(self.selection(rows), queue.now())
        if changed.busy:
            text = ngettext(
                "%d is being tried just now and was left alone.",
                "%d are being tried just now and were left alone.",
                changed.busy,
            )
            messages.warning(request, text % changed.busy)
        if changed.done:
            text = ngettext("%d recipient changed.", "%d recipients changed.", changed.done)
            messages.success(request, text % changed.done)
        elif not changed.busy:
            messages.info(request, _("There was nothing to change."))


class _RecipientInline(LookOnlyInline):
    model = QueuedRecipient
    fields: Sequence[str] = ["address", "state", "attempt_no", "next_attempt_at", "last_reply"]
    readonly_fields = fields
    ordering = ["id"]
    per_page = 50


class _AttemptInline(LookOnlyInline):
    model = Attempt
    fields: Sequence[str] = [
        "attempt_no", "started_at", "ended_at", "result", "host", "tls", "reply",
    ]  # fmt: skip
    readonly_fields = fields
    ordering = ["attempt_no"]
    show_change_link = False
    per_page = 50


@admin.register(QueuedMessage)
class QueuedMessageAdmin(_Operated):
    list_display = ["queue_id", "sent_by", "shown_size", "queued_at", "recipients_count"]
    list_filter = [("queued_at", RangeDateTimeFilter), "recipients__state"]
    search_fields = ["queue_id", "return_path", "recipients__address"]
    fields: Sequence[str] = [
        "queue_id", "return_path", "tenant", "sender", "shown_size", "is_8bit", "is_smtputf8",
        "queued_at",
    ]  # fmt: skip
    readonly_fields = fields
    inlines = [_RecipientInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        # Apart from the rows that filters and a search join: those would be counted again.
        theirs = QueuedRecipient.objects.filter(message=OuterRef("pk")).order_by()
        number = theirs.values("message").annotate(n=Count("pk")).values("n")
        counted: QuerySet[Any] = rows.annotate(recipients_number=Coalesce(Subquery(number), 0))
        return counted

    def selection(self, rows: QuerySet[Any]) -> Selection:
        return Selection(queue_ids=list(rows.values_list("queue_id", flat=True)))

    @display(description=_("sender"), ordering="return_path")
    def sent_by(self, message: QueuedMessage) -> str:
        return message.return_path or "<>"

    @display(description=_("size"), ordering="size")
    def shown_size(self, message: QueuedMessage) -> str:
        return size_in_words(message.size)

    @display(description=_("recipients"), ordering="recipients_number")
    def recipients_count(self, message: Model) -> int:
        return int(getattr(message, "recipients_number", 0))


@admin.register(QueuedRecipient)
class QueuedRecipientAdmin(_Operated):
    list_display = [
        "address", "shown_state", "message", "attempt_no", "next_attempt_at", "last_reply",
        "remark",
    ]  # fmt: skip
    list_filter = ["state", "is_ambiguous", ("next_attempt_at", RangeDateTimeFilter)]
    list_select_related = ["message"]
    search_fields = ["address", "original_address", "destination", "message__queue_id"]
    ordering = ["-id"]
    fields: Sequence[str] = [
        "message", "address", "original_address", "destination", "state", "attempt_no",
        "next_attempt_at", "claimed_until", "is_ambiguous", "was_told_of_delay", "last_reply",
        "settled_at",
    ]  # fmt: skip
    readonly_fields = fields
    inlines = [_AttemptInline]

    def selection(self, rows: QuerySet[Any]) -> Selection:
        return Selection(recipient_ids=list(rows.values_list("pk", flat=True)))

    @display(description=_("state"), ordering="state", label=STATE_LABELS)
    def shown_state(self, recipient: QueuedRecipient) -> tuple[str, str]:
        return recipient.state, recipient.get_state_display()

    @display(description=_("remark"))
    def remark(self, recipient: QueuedRecipient) -> Any:
        return _("may arrive twice") if recipient.is_ambiguous else None

    @display(description=_("sender told of the delay"), boolean=True)
    def was_told_of_delay(self, recipient: QueuedRecipient) -> bool:
        return recipient.is_delay_notified


@admin.register(Attempt)
class AttemptAdmin(LookOnly):
    list_display = ["recipient", "attempt_no", "started_at", "shown_result", "host", "tls", "reply"]
    list_filter = ["result", ("started_at", RangeDateTimeFilter)]
    list_select_related = ["recipient"]
    search_fields = ["recipient__address", "host", "recipient__message__queue_id"]
    ordering = ["-id"]

    @display(description=_("result"), ordering="result", label=RESULT_LABELS)
    def shown_result(self, attempt: Attempt) -> tuple[str, str]:
        return attempt.result, attempt.get_result_display()
