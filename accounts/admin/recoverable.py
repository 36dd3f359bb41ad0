"""Deleted mail in the admin: what can be brought back, and the action that does it."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import formats, timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin.pages import LookOnly, LookOnlyInline, size_in_words
from accounts.mailstore import recovery
from accounts.mailstore.refusals import OverQuota, StoreRefusal
from accounts.models import Recoverable


class RecoverableInline(LookOnlyInline):
    """Below a mailbox: what was deleted from it lately."""

    model = Recoverable
    ordering = ["-at", "-pk"]
    fields = ["at", "folder_name", "messages"]
    readonly_fields = fields
    per_page = 20
    tab = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return recovery.kept(super().get_queryset(request))


@admin.register(Recoverable)
class RecoverableAdmin(LookOnly):
    list_display = ["at", "mailbox", "folder_name", "messages", "size", "until"]
    list_select_related = ["mailbox__domain"]
    search_fields = ["mailbox__local_part", "mailbox__domain__name", "folder_name"]
    search_help_text = _("Address, or part of it, or the folder's name")
    ordering = ["-at", "-pk"]
    fields = ["mailbox", "folder_name", "at", "messages", "size", "until"]
    readonly_fields = fields
    actions = ["bring_back"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return recovery.kept(super().get_queryset(request))

    @display(description=_("size"), ordering="octets")
    def size(self, batch: Recoverable) -> str:
        return size_in_words(batch.octets)

    @display(description=_("until"))
    def until(self, batch: Recoverable) -> str:
        end = batch.at + timedelta(days=batch.mailbox.domain.recoverable_days)
        # The page of one row would show it as Python does.
        return formats.localize(timezone.localtime(end))

    def has_restore_permission(self, request: HttpRequest) -> bool:
        """Whoever may change mailboxes: mail only comes back to where it was."""
        return bool(request.user.has_perm("accounts.change_mailbox"))

    @admin.action(description=_("Bring the messages back"), permissions=["restore"])
    def bring_back(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        chosen: dict[int, list[int]] = {}
        gone = set(rows.exclude(mailbox__removed_at=None).values_list("pk", flat=True))
        for key, mailbox_id in rows.values_list("pk", "mailbox_id"):
            if key not in gone:
                chosen.setdefault(mailbox_id, []).append(key)
        if gone:
            messages.warning(request, gettext("Restore the removed mailbox first."))
        for mailbox_id, keys in chosen.items():
            self._bring_back(request, mailbox_id, keys)

    def _bring_back(self, request: HttpRequest, mailbox_id: int, keys: list[int]) -> None:
        try:
            came = recovery.restore(mailbox_id, keys)
        except OverQuota:
            text = gettext("The mailbox has no room for that; raise its quota first.")
            messages.error(request, text)
            return
        except StoreRefusal as refusal:
            messages.error(request, str(refusal))
            return
        for folder, count in came.items():
            text = ngettext(
                "%(count)d message is in “%(folder)s” again.",
                "%(count)d messages are in “%(folder)s” again.",
                count,
            )
            messages.success(request, text % {"count": count, "folder": folder})
