"""Aliases in the admin, with where they lead."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, F, Model, Prefetch, QuerySet, Window
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from accounts import directory
from accounts.admin.pages import EnablePage, as_form_error
from accounts.directory import DirectoryError
from accounts.directory.names import check_address, check_local_part
from accounts.models import Alias, AliasTarget, Mailbox

SHOWN_TARGETS = 3


class AliasForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Alias
        fields = ["domain", "local_part", "is_enabled"]

    def clean_local_part(self) -> str:
        local_part = self.cleaned_data["local_part"].strip()
        if local_part in ("", "*"):
            return ""
        try:
            return check_local_part(local_part)
        except DirectoryError as error:
            raise as_form_error(error) from None

    def clean(self) -> dict[str, Any] | None:
        fields = super().clean() or self.cleaned_data
        domain, local_part = fields.get("domain"), fields.get("local_part")
        taken = Mailbox.objects.filter(domain=domain, local_part=local_part)
        if domain and local_part and taken.exists():
            raise forms.ValidationError(_("A mailbox has this address; an alias cannot."))
        if domain and domain.alias_of_id:
            raise forms.ValidationError(_("This domain stands for another; add the alias there."))
        return fields


class TargetForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = AliasTarget
        fields = ["mailbox", "forward_to"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # In a table the column's head is no label to a screen reader.
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = field.label or ""

    def clean_forward_to(self) -> str:
        address: str = self.cleaned_data["forward_to"].strip()
        if not address:
            return ""
        try:
            _local_part, domain = check_address(address)
        except DirectoryError as error:
            raise as_form_error(error) from None
        return f"{address.rpartition('@')[0]}@{domain}"

    def _get_validation_exclusions(self) -> set[str]:
        # `clean` says in words what the constraint of the database would say by its name.
        return {*super()._get_validation_exclusions(), "forward_to"}  # type: ignore[misc]

    def clean(self) -> dict[str, Any] | None:
        fields = super().clean() or self.cleaned_data
        if not self.errors and bool(fields.get("mailbox")) == bool(fields.get("forward_to")):
            raise forms.ValidationError(_("Choose a mailbox or write another address, not both."))
        return fields


class _TargetInline(TabularInline):
    model = AliasTarget
    form = TargetForm
    autocomplete_fields = ["mailbox"]
    extra = 0
    min_num = 1
    validate_min = True
    per_page = 50
    ordering = ["pk"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AliasTarget]:
        rows: QuerySet[AliasTarget] = super().get_queryset(request)
        return rows.select_related("mailbox__domain")


def _first_targets() -> QuerySet[AliasTarget]:
    """Of each alias the targets that lists show; `number` says how many it has."""
    number = Window(Count("pk"), partition_by=F("alias_id"))
    rows = AliasTarget.objects.select_related("mailbox__domain").annotate(number=number)
    return rows.order_by("pk")[:SHOWN_TARGETS]


@admin.register(Alias)
class AliasAdmin(EnablePage):
    form = AliasForm
    list_display = ["address", "leads_to", "state", "created_at"]
    list_select_related = ["domain"]
    list_filter = ["is_enabled", ("domain", AutocompleteSelectFilter)]
    search_fields = ["local_part", "domain__name", "targets__forward_to"]
    autocomplete_fields = ["domain"]
    inlines = [_TargetInline]
    enable_row = staticmethod(directory.enable_alias)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alias]:
        rows: QuerySet[Alias] = super().get_queryset(request)
        return rows.prefetch_related(Prefetch("targets", _first_targets(), "first_targets"))

    @display(description=_("address"), ordering="local_part")
    def address(self, alias: Alias) -> str:
        return alias.address

    @display(description=_("leads to"))
    def leads_to(self, alias: Alias) -> str:
        first: list[Any] = getattr(alias, "first_targets", [])
        rest = first[0].number - len(first) if first else 0
        return ", ".join(map(str, first)) + (f" +{rest}" if rest else "")

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[str], list[Model]]:
        """Where they lead, perhaps to a thousand addresses, is no news on the page that asks."""
        names = [str(alias) for alias in objs]
        return names, {Alias._meta.verbose_name_plural: len(names)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        directory.remove_alias(obj)
