"""App passwords below a mailbox: made there, shown once on the page that follows, and revoked."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts import app_passwords, scopes
from accounts.admin.pages import as_form_error, may_let_in
from accounts.directory import DirectoryError
from accounts.models import Credential, Mailbox


class AppPasswordForm(forms.ModelForm):  # type: ignore[type-arg]
    label = forms.CharField(
        label=_("label"),
        max_length=scopes.MAX_LABEL,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("What program or device it is for."),
    )
    protocols = forms.MultipleChoiceField(
        label=_("for"),
        choices=[(name, name.upper()) for name in scopes.PROTOCOLS],
        initial=list(scopes.PROTOCOLS),
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = Credential
        fields = ["label"]

    # The password itself, between its making and the page that shows it.
    generated = ""

    def clean_label(self) -> str:
        try:
            return scopes.check_label(self.cleaned_data["label"])
        except DirectoryError as error:
            raise as_form_error(error) from None


class AppPasswordFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """Writes through `accounts.app_passwords` alone."""

    instance: Mailbox

    def clean(self) -> None:
        super().clean()
        if self.instance._state.adding:
            return
        if self.instance.is_shared and any(form.has_changed() for form in self.extra_forms):
            raise forms.ValidationError(
                _("A shared mailbox has no password: nobody logs in to it.")
            )
        known = {row.label for row in app_passwords.list_app_passwords(self.instance)}
        for form in self.extra_forms:
            label = form.cleaned_data.get("label")
            if label in known:
                form.add_error("label", _("There is one with this label already."))
            elif label:
                known.add(label)
        if len(known) > app_passwords.MAX_PER_MAILBOX:
            raise forms.ValidationError(_("There are too many; revoke one first."))

    def save_new(self, form: Any, commit: bool = True) -> Credential:
        fields = form.cleaned_data
        made, form.generated = app_passwords.create_app_password(
            self.instance, fields["label"], fields["protocols"]
        )
        return made

    def delete_existing(self, obj: Credential, commit: bool = True) -> None:
        app_passwords.revoke_app_password(self.instance, obj.pk)


class AppPasswordInline(TabularInline):
    model = Credential
    form = AppPasswordForm
    formset = AppPasswordFormSet
    verbose_name = _("app password")
    verbose_name_plural = _("app passwords")
    extra = 0
    fields = ["label", "protocols", "created_at", "last_used_at"]
    readonly_fields = ["created_at", "last_used_at"]
    ordering = ["pk"]
    hide_title = True
    tab = True

    # In the place of the form's field, which only one that is being made has.
    @display(description=_("for"))
    def protocols(self, row: Credential) -> str:
        return row.scopes.replace(",", ", ")

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request).select_related("mailbox__domain")
        return rows.filter(kind=Credential.Kind.APP_PASSWORD)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        can_have = obj is not None and not obj.is_shared and may_let_in(request, obj)
        return can_have and bool(super().has_add_permission(request, obj))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def tell_generated(request: HttpRequest, formset: Any) -> None:
    """Show what was just made, this once."""
    for form in getattr(formset, "extra_forms", ()):
        if password := getattr(form, "generated", ""):
            text = _("App password “%(label)s”, shown this once: %(password)s")
            messages.success(
                request, text % {"label": form.cleaned_data["label"], "password": password}
            )
