"""What the admin pages share: bounded lists, pages to look at only, sizes and states in words."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from django import forms
from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import formats
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts import directory, limits
from accounts.directory import DirectoryError
from accounts.models import Mailbox

M = TypeVar("M", bound=Model)

# Keys are what is never translated: a label is looked up by them in every language.
STATE_LABELS = {"active": "", "suspended": "danger"}
ENABLED = ngettext_lazy("%d was enabled.", "%d were enabled.")
DISABLED = ngettext_lazy("%d was disabled.", "%d were disabled.")
SUSPENDED = ngettext_lazy("%d was suspended.", "%d were suspended.")
RESUMED = ngettext_lazy("%d was resumed.", "%d were resumed.")
RESTORED = ngettext_lazy("%d was restored.", "%d were restored.")
PURGED = ngettext_lazy(
    "%d is being purged: its mail goes little by little, and the entry with the last of it.",
    "%d are being purged: their mail goes little by little, and each entry with the last of it.",
)


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than `MOST`: counting ten million entries would outlast the reader."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[: self.MOST].count()


class Page(ModelAdmin):
    """A list of fifty rows; nothing about a list grows with the table."""

    list_per_page = 50
    show_full_result_count = False
    paginator: Any = BoundedPaginator
    list_filter_submit = True
    warn_unsaved_form = True
    compressed_fields = True


class SuspendPage(Page):
    """A list whose rows can be suspended, by `suspend_row`."""

    actions: Sequence[Any] = ("suspend", "resume")
    # The directory's verb.
    suspend_row: Callable[..., object]

    @admin.action(description=_("Suspend: no mail, no logins"), permissions=["change"])
    def suspend(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        apply(request, rows, self.suspend_row, SUSPENDED)

    @admin.action(description=_("Resume"), permissions=["change"])
    def resume(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        apply(request, rows, partial(self.suspend_row, is_suspended=False), RESUMED)


class DirectoryPage(Page):
    """Rows that the directory's answers are made of: every process hears of a change."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        directory.touch()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        super().delete_queryset(request, queryset)
        directory.touch()


class EnablePage(DirectoryPage):
    """A list whose rows can be switched off and on, by `enable_row`."""

    actions: Sequence[Any] = ("enable", "disable")
    # The directory's verb.
    enable_row: Callable[..., object]

    @display(description=_("state"), label={"enabled": "", "disabled": "danger"})
    def state(self, row: Any) -> Any:
        return ("enabled", _("enabled")) if row.is_enabled else ("disabled", _("disabled"))

    @admin.action(description=_("Enable"), permissions=["change"])
    def enable(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        apply(request, rows, self.enable_row, ENABLED)

    @admin.action(description=_("Disable"), permissions=["change"])
    def disable(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        apply(request, rows, partial(self.enable_row, is_enabled=False), DISABLED)


class LookOnly(Page):
    """Rows that only the mail store may write."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LookOnlyInline(TabularInline):
    """Rows below a page, each with a link. `related` is what their names are made of."""

    extra = 0
    can_delete = False
    show_change_link = True
    per_page: Any = 50
    related: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.select_related(*self.related) if self.related else rows

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class SizeField(forms.CharField):
    """Octets, written as 500M or 5G; 0 is unlimited."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return limits.format_size(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        try:
            return limits.parse_size(super().clean(value) or "0")
        except ValueError:
            text = gettext("“%(text)s” is no size; write for example 500M or 5G.")
            raise forms.ValidationError(text % {"text": value}) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.prepare_value(initial) != data)


def size_in_words(octets: int) -> str:
    """Octets as in `limits.format_size`, with the decimal sign of the reader's language."""
    return limits.format_size(octets).replace(".", formats.get_format("DECIMAL_SEPARATOR"))


def state_label(is_suspended: bool) -> tuple[str, Any]:
    """What `STATE_LABELS` colours, and the word that is read."""
    return ("suspended", gettext("suspended")) if is_suspended else ("active", gettext("active"))


def apply(request: HttpRequest, rows: Iterable[M], verb: Callable[[M], object], done: Any) -> None:
    """Do `verb` to each row and say how it went; `done` is one of the sentences above."""
    count = 0
    for row in rows:
        try:
            verb(row)
            count += 1
        except DirectoryError as error:
            messages.error(request, str(error))
    if count:
        messages.success(request, done % count)


def may_let_in(request: HttpRequest, mailbox: Mailbox) -> bool:
    """Whether it is theirs to say who gets into the mailbox.

    Its owner may be an admin, with more rights than theirs: whoever knows its password has them.
    """
    owner, asking = mailbox.user, request.user
    is_admin = owner is not None and (owner.is_staff or owner.is_superuser)
    return not is_admin or owner == asking or asking.has_perm("accounts.change_user")


def held_back(rows: Iterable[M], require: Callable[[M], object]) -> list[str]:
    """What `require` has against deleting rows, in its words: a page that asks lists no more."""
    found = []
    for row in rows:
        try:
            require(row)
        except DirectoryError as error:
            found.append(str(error))
    return found


def as_form_error(error: DirectoryError) -> forms.ValidationError:
    return forms.ValidationError(str(error))


def unlimited_or_size(octets: int) -> str:
    return size_in_words(octets) if octets else gettext("unlimited")
