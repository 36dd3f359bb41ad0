"""Mailboxes in the admin. Secrets can be set here, never read: no page shows a hash."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminPasswordWidget

from accounts import app_passwords, directory, effects
from accounts.admin.app_passwords import AppPasswordInline, tell_generated
from accounts.admin.pages import (
    PURGED,
    RESTORED,
    LookOnlyInline,
    SizeField,
    SuspendPage,
    apply,
    as_form_error,
    may_let_in,
    size_in_words,
    state_label,
    unlimited_or_size,
)
from accounts.admin.recoverable import RecoverableInline
from accounts.admin.sharing import (
    SHARING_FIELDS,
    GivenRightInline,
    SenderInline,
    SharingForm,
    share_later,
)
from accounts.directory import DirectoryError
from accounts.directory.mailboxes import MAX_COUNT, check_password_form
from accounts.models import AccessToken, AliasTarget, Folder, Mailbox
from accounts.nudging import nudge

NEARLY_FULL = 0.8
# Seconds after which a worker looks for what is to be purged by itself.
HOUR = 3600


class MailboxForm(SharingForm):
    quota_bytes = SizeField(
        label=_("Quota"), required=False, help_text=_("500M, 5G; 0 means unlimited.")
    )
    quota_messages = forms.IntegerField(
        label=_("Messages allowed"),
        required=False,
        min_value=0,
        max_value=MAX_COUNT,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("In all folders together; 0 means unlimited."),
    )
    quota_folders = forms.IntegerField(
        label=_("Folders allowed"),
        required=False,
        min_value=0,
        max_value=MAX_COUNT,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("0 means as many as anybody may have."),
    )
    password = forms.CharField(
        label=_("New password"),
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=_("Left empty, the password stays. A new one ends every open session."),
    )

    class Meta:
        model = Mailbox
        fields = [
            *("domain", "local_part", "name", "is_shared", "app_passwords_only", "sets_quotas"),
            *("pop_deletion", "pop_since"),
            *("quota_bytes", "quota_messages", "quota_folders"),
        ]

    # Whether this page may say who gets in.
    lets_in = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in () if self.lets_in else ("password", *SHARING_FIELDS):
            field = self.fields[name]
            field.disabled = True
            field.help_text = _("Its owner may use the admin: who may change users changes this.")

    def clean_quota_messages(self) -> int:
        return self.cleaned_data["quota_messages"] or 0

    def clean_quota_folders(self) -> int:
        return self.cleaned_data["quota_folders"] or 0

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        try:
            if password or not (self.instance.pk or self.cleaned_data.get("is_shared")):
                check_password_form(password)
        except DirectoryError as error:
            raise as_form_error(error) from None
        return password

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors or self.instance.pk:
            return
        # Made here and not in `save_model`, where a refusal could no longer be shown in the form.
        # A page that fails after this is rolled back with it: the admin saves in one transaction.
        fields = self.cleaned_data
        try:
            made = directory.create_mailbox(
                f"{fields['local_part']}@{fields['domain'].name}",
                fields["password"] or None,
                is_shared=fields["is_shared"],
                quota_bytes=fields["quota_bytes"],
                name=fields["name"],
            )
            if fields["quota_messages"] or fields["quota_folders"]:
                directory.set_quota(
                    made, messages=fields["quota_messages"], folders=fields["quota_folders"]
                )
        except DirectoryError as error:
            self.add_error(None, as_form_error(error))
        else:
            self.instance = made


class _TokenInline(LookOnlyInline):
    model = AccessToken
    related = ("mailbox__domain",)
    ordering = ["pk"]
    fields = ["label", "scopes", "created_at", "last_used_at", "expires_at"]
    readonly_fields = fields
    show_change_link = False
    hide_title = True
    tab = True


class _FolderInline(LookOnlyInline):
    model = Folder
    fields = ["folder", "special_use", "exists_count", "unseen_count"]
    readonly_fields = fields
    show_change_link = False
    hide_title = True
    tab = True

    @display(description=_("name"))
    def folder(self, folder: Folder) -> str:
        page = reverse("admin:accounts_folder_change", args=[folder.pk])
        return format_html('<a class="underline" href="{}">{}</a>', page, folder.name)


class _AliasTargetInline(LookOnlyInline):
    model = AliasTarget
    verbose_name_plural = _("Aliases that lead here")
    related = ("alias__domain", "mailbox__domain")
    ordering = ["pk"]
    fields = ["alias"]
    readonly_fields = fields
    show_change_link = False
    hide_title = True
    per_page = 20
    tab = True


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("suspended", _("suspended")), ("removed", _("removed")), ("full", _("full"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Mailbox]) -> QuerySet[Mailbox]:
        match self.value():
            case "suspended":
                return queryset.filter(is_suspended=True)
            case "removed":
                return queryset.filter(removed_at__isnull=False)
            case "full":
                return queryset.filter(full_since__isnull=False)
        return queryset


@admin.register(Mailbox)
class MailboxAdmin(SuspendPage):
    form = MailboxForm
    list_display = ["address", "name", "used_of_quota", "state", "created_at"]
    list_filter = [StateFilter, ("domain", AutocompleteSelectFilter)]
    search_fields = ["local_part", "name", "domain__name"]
    search_help_text = _("Address, or part of it, or the owner's name")
    autocomplete_fields = ["domain"]
    inlines = [
        _FolderInline,
        RecoverableInline,
        GivenRightInline,
        SenderInline,
        _AliasTargetInline,
        AppPasswordInline,
        _TokenInline,
    ]
    suspend_row = staticmethod(directory.suspend_mailbox)
    actions = [*SuspendPage.actions, "restore", "purge"]
    readonly_fields = ["used", "used_messages", "full_since", "state_in_words"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Mailbox]:
        # Not for lists alone: who looks for one is shown addresses, too.
        rows: QuerySet[Mailbox] = super().get_queryset(request)
        return rows.select_related("domain")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        # Two beside each other at most: beside its label a third has no room for an address.
        counts = ("quota_messages", "quota_folders")
        written = [("local_part", "domain"), "name", "quota_bytes", counts, "is_shared", "password"]
        if obj:
            who, *what = SHARING_FIELDS
            written += [
                "app_passwords_only",
                "sets_quotas",
                ("pop_deletion", "pop_since"),
                who,
                tuple(what),
            ]
        return (
            [*written, ("used", "used_messages"), ("full_since", "state_in_words")]
            if obj
            else written
        )

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, **kwargs)
        form.lets_in = obj is None or may_let_in(request, obj)
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # An address is what aliases and mail programs know it by: no form changes it.
        return ["local_part", "domain", *self.readonly_fields] if obj else []

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        local_part, at, domain = search_term.strip().partition("@")
        if at and " " not in search_term.strip():
            found = queryset.filter(
                local_part__startswith=local_part.lower(), domain__name__startswith=domain.lower()
            )
            return found, False
        found, has_duplicates = super().get_search_results(request, queryset, search_term)
        return found, bool(has_duplicates)

    @display(description=_("address"), ordering="local_part")
    def address(self, mailbox: Mailbox) -> str:
        return mailbox.address

    @display(description=_("used"))
    def used(self, mailbox: Mailbox) -> str:
        return size_in_words(mailbox.used_bytes)

    @display(
        description=_("used"),
        ordering="used_bytes",
        label={"full": "danger", "nearly": "warning"},
    )
    def used_of_quota(self, mailbox: Mailbox) -> str | tuple[str, str]:
        words = f"{size_in_words(mailbox.used_bytes)} / {unlimited_or_size(mailbox.quota_bytes)}"
        fullest = max(
            used / quota if quota else 0.0
            for used, quota in (
                (mailbox.used_bytes, mailbox.quota_bytes),
                (mailbox.used_messages, mailbox.quota_messages),
            )
        )
        if fullest < NEARLY_FULL:
            return words
        return ("full" if fullest >= 1 else "nearly"), words

    @display(
        description=_("state"), label={"active": "", "removed": "danger", "suspended": "warning"}
    )
    def state(self, mailbox: Mailbox) -> Any:
        if mailbox.purge_asked_at is not None:
            return "removed", _("being purged")
        if mailbox.removed_at is not None:
            return "removed", _("removed")
        return state_label(mailbox.is_suspended)

    @display(description=_("state"))
    def state_in_words(self, mailbox: Mailbox) -> Any:
        return self.state(mailbox)[1]

    @admin.action(description=_("Restore removed mailboxes"), permissions=["delete"])
    def restore(self, request: HttpRequest, rows: QuerySet[Mailbox]) -> None:
        apply(request, rows, directory.restore_mailbox, RESTORED)

    @admin.action(
        description=_("Purge removed mailboxes and their mail, for good"), permissions=["delete"]
    )
    def purge(self, request: HttpRequest, rows: QuerySet[Mailbox]) -> None:
        if rows.filter(removed_at=None).exists():
            messages.warning(request, _("Only what was removed before can be purged."))
        if removed := list(rows.exclude(removed_at=None)):
            apply(request, removed, directory.ask_purge, PURGED)
            # It may take minutes.
            effects.soon("purge", partial(nudge, "accounts.purge_mailboxes", within=HOUR))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """A new mailbox was made by the form; a changed one is written verb by verb."""
        if not change:
            return
        if "name" in form.changed_data:
            Mailbox.objects.filter(pk=obj.pk).update(name=obj.name)
        quotas = ("quota_bytes", "quota_messages", "quota_folders")
        if not set(form.changed_data).isdisjoint(quotas):
            octets, most, folders = (form.cleaned_data[name] for name in quotas)
            directory.set_quota(obj, octets, messages=most, folders=folders)
        if "sets_quotas" in form.changed_data:
            directory.set_quota_setter(obj, is_one=obj.sets_quotas)
        if "is_shared" in form.changed_data:
            directory.set_shared(obj, is_shared=obj.is_shared)
        if not {"pop_deletion", "pop_since"}.isdisjoint(form.changed_data):
            directory.set_pop(obj, obj.pop_deletion, obj.pop_since)
        share_later(request, obj, form)
        if password := form.cleaned_data["password"]:
            directory.set_password(obj, password)
        if "app_passwords_only" in form.changed_data:
            # The form has changed the row in memory already.
            wanted, obj.app_passwords_only = obj.app_passwords_only, not obj.app_passwords_only
            app_passwords.allow_app_passwords_only(obj, is_so=wanted)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        tell_generated(request, formset)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[str], list[Model]]:
        """Removal takes nothing with it: the mail stays until the mailbox is purged."""
        names = [str(mailbox) for mailbox in objs]
        return names, {Mailbox._meta.verbose_name_plural: len(names)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Mailbox) -> None:
        if obj.removed_at is None:
            directory.remove_mailbox(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Mailbox]) -> None:
        for mailbox in queryset.filter(removed_at=None):
            directory.remove_mailbox(mailbox)
