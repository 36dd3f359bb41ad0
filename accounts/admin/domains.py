"""Domains in the admin."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from accounts import directory, figures
from accounts.admin.pages import (
    STATE_LABELS,
    DirectoryPage,
    LookOnlyInline,
    SuspendPage,
    as_form_error,
    held_back,
    state_label,
)
from accounts.directory import DirectoryError
from accounts.directory.domains import check_alias_of, require_no_mailboxes
from accounts.directory.names import check_domain
from accounts.models import Alias, DkimKey, Domain, Mailbox


class DomainForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Domain
        fields = ["name", "tenant", "alias_of", "plus_separator", "recoverable_days"]

    def clean_name(self) -> str:
        try:
            return check_domain(self.cleaned_data["name"])
        except DirectoryError as error:
            raise as_form_error(error) from None

    def clean_alias_of(self) -> Domain | None:
        alias_of: Domain | None = self.cleaned_data["alias_of"]
        if alias_of is None:
            return None
        if self.instance.pk and (
            self.instance.mailboxes.exists() or self.instance.alias_domains.exists()
        ):
            raise forms.ValidationError(
                _("A domain with mailboxes or alias domains of its own cannot stand for another.")
            )
        try:
            check_alias_of(self.cleaned_data.get("name", self.instance.name), alias_of)
        except DirectoryError as error:
            raise as_form_error(error) from None
        return alias_of


class _MailboxInline(LookOnlyInline):
    model = Mailbox
    related = ("domain",)
    fields = ["local_part", "name", "is_suspended", "created_at"]
    readonly_fields = fields
    per_page = 20
    tab = True


class _AliasInline(LookOnlyInline):
    model = Alias
    related = ("domain",)
    fields = ["local_part", "is_enabled", "created_at"]
    readonly_fields = fields
    per_page = 20
    tab = True


class _KeyInline(LookOnlyInline):
    model = DkimKey
    related = ("domain",)
    ordering = ["selector"]
    fields = ["selector", "algorithm", "is_active", "created_at"]
    readonly_fields = fields
    tab = True


@admin.register(Domain)
class DomainAdmin(SuspendPage, DirectoryPage):
    form = DomainForm
    list_display = ["name", "tenant", "mailboxes_held", "aliases_held", "alias_of", "state"]
    list_select_related = ["tenant", "alias_of"]
    list_filter = ["is_suspended", ("tenant", AutocompleteSelectFilter)]
    search_fields = ["name", "tenant__name"]
    autocomplete_fields = ["tenant", "alias_of"]
    fields = [
        *("name", "tenant", "alias_of"),
        *("plus_separator", "recoverable_days", "is_suspended"),
    ]
    readonly_fields = ["is_suspended"]
    inlines = [_MailboxInline, _AliasInline, _KeyInline]
    suspend_row = staticmethod(directory.suspend_domain)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # Addresses in clients and in DNS lead to the name: another name is another domain.
        return [*self.readonly_fields, "name"] if obj else list(self.readonly_fields)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Domain]:
        rows: QuerySet[Domain] = super().get_queryset(request)
        return figures.with_counts(rows)

    @display(description=_("mailboxes"), ordering="mailbox_count")
    def mailboxes_held(self, domain: Domain) -> int:
        return int(getattr(domain, "mailbox_count", 0))

    @display(description=_("aliases"), ordering="alias_count")
    def aliases_held(self, domain: Domain) -> int:
        return int(getattr(domain, "alias_count", 0))

    @display(description=_("state"), label=STATE_LABELS)
    def state(self, domain: Domain) -> Any:
        return state_label(domain.is_suspended)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[str], list[Any]]:
        """Tens of thousands of mailboxes and aliases are counted, not listed."""
        aliases = Alias.objects.filter(Q(domain__in=objs) | Q(domain__alias_of__in=objs)).count()
        counts = {
            Domain._meta.verbose_name_plural: len(objs),
            Alias._meta.verbose_name_plural: aliases,
        }
        may_delete = not aliases or request.user.has_perm("accounts.delete_alias")
        lacking = set() if may_delete else {str(Alias._meta.verbose_name)}
        names = [str(each) for each in objs]
        return names, counts, lacking, held_back(objs, require_no_mailboxes)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        # Once the page's transaction is over: the aliases go some at a time.
        transaction.on_commit(partial(_remove, request, obj))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Domain]) -> None:
        for domain in queryset:
            _remove(request, domain)


def _remove(request: HttpRequest, domain: Domain) -> None:
    try:
        directory.remove_domain(domain)
    except DirectoryError as error:
        messages.error(request, str(error))
