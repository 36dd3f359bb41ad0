"""Rules for broken mail programs in the admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from accounts.admin.pages import EnablePage, as_form_error
from accounts.directory import DirectoryError, switchboard
from accounts.models import ClientRule


class ClientRuleForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = ClientRule
        fields = [
            "name",
            "field",
            "value",
            "is_exact",
            "mailbox",
            "capabilities",
            "is_enabled",
        ]

    def clean_field(self) -> str:
        return str(self.cleaned_data["field"]).strip().lower()

    def clean_capabilities(self) -> str:
        try:
            return " ".join(switchboard.check_capabilities(self.cleaned_data["capabilities"]))
        except DirectoryError as error:
            raise as_form_error(error) from None

    def _get_validation_exclusions(self) -> set[str]:
        # `clean` says in words what the constraint of the database would say by its name.
        return {*super()._get_validation_exclusions(), "value"}  # type: ignore[misc]

    def clean(self) -> dict[str, Any] | None:
        fields = super().clean() or self.cleaned_data
        are_good = self.errors.keys().isdisjoint(("value", "mailbox"))
        if are_good and not (fields["value"] or fields["mailbox"]):
            raise forms.ValidationError(_("A rule is about a program, a mailbox, or both."))
        if self.instance.pk is None:
            try:
                switchboard.check_room()
            except DirectoryError as error:
                raise as_form_error(error) from None
        return fields


@admin.register(ClientRule)
class ClientRuleAdmin(EnablePage):
    form = ClientRuleForm
    list_display = ["name", "program", "mailbox", "capabilities", "state", "created_at"]
    list_select_related = ["mailbox__domain"]
    list_filter = ["is_enabled", "field", ("mailbox", AutocompleteSelectFilter)]
    search_fields = [
        "name",
        "value",
        "capabilities",
        "mailbox__local_part",
        "mailbox__domain__name",
    ]
    autocomplete_fields = ["mailbox"]
    enable_row = staticmethod(switchboard.enable_rule)

    @display(description=_("program"), ordering="value", empty_value=_("any"))
    def program(self, rule: ClientRule) -> str | None:
        return rule.program or None

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        switchboard.remove_rule(obj)
