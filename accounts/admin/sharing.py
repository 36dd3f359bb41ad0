"""Below a mailbox in the admin: with whom it is shared, and who may send as it."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts import directory
from accounts.admin.pages import LookOnlyInline, as_form_error
from accounts.directory import DirectoryError
from accounts.models import FolderRight, Mailbox, SenderRight

SHARING_FIELDS = ("delegate", "delegate_rights", "delegate_sends")
_SENDS = {"": None, "yes": True, "no": False}


class SharingForm(forms.ModelForm):  # type: ignore[type-arg]
    """Fields that say one delegate's rights in the whole mailbox anew."""

    delegate = forms.CharField(
        label=_("Share with"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Address of a mailbox of the same tenant, or “anyone” for all of them."),
    )
    delegate_rights = forms.ChoiceField(
        label=_("Rights in all folders"),
        required=False,
        widget=UnfoldAdminSelectWidget,
        choices=[
            ("", _("as they are")),
            ("none", _("none")),
            ("read", _("read")),
            ("write", _("read, file, delete")),
            ("all", _("everything, folders and rights too")),
        ],
    )
    delegate_sends = forms.ChoiceField(
        label=_("Send as this mailbox"),
        required=False,
        widget=UnfoldAdminSelectWidget,
        choices=[("", _("as it is")), ("yes", _("allowed")), ("no", _("not allowed"))],
    )

    def clean(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().clean() or self.cleaned_data
        name, given, sends = (fields.get(name) for name in SHARING_FIELDS)
        if not (name or given or sends):
            return fields
        if not name:
            raise forms.ValidationError({"delegate": gettext("Say with whom.")})
        if not (given or sends):
            raise forms.ValidationError({"delegate": gettext("Say what is to change for them.")})
        try:
            directory.check_sharing(self.instance, name, given or None, send=_SENDS[sends or ""])
        except DirectoryError as error:
            raise forms.ValidationError({"delegate": as_form_error(error)}) from None
        return fields


def share_later(request: HttpRequest, mailbox: Mailbox, form: forms.Form) -> None:
    """Do what the fields of SharingForm say, once the page's transaction is over."""
    name, given, sends = (form.cleaned_data[name] for name in SHARING_FIELDS)
    if name:
        transaction.on_commit(
            partial(_share, request, mailbox, name, given or None, send=_SENDS[sends])
        )


def _share(
    request: HttpRequest, mailbox: Mailbox, name: str, given: str | None, *, send: bool | None
) -> None:
    try:
        directory.share_mailbox(mailbox, name, given, send=send)
    except DirectoryError as error:
        messages.error(request, str(error))


class GivenRightInline(LookOnlyInline):
    model = FolderRight
    fk_name = "mailbox"
    verbose_name_plural = _("Shared with")
    related = ("mailbox__domain", "grantee__domain", "folder")
    ordering = ["pk"]
    fields = ["grantee", "letters", "is_negative"]
    readonly_fields = fields
    show_change_link = False
    hide_title = True
    per_page = 20
    tab = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those at the root: what the fields above change, and new folders inherit."""
        return super().get_queryset(request).filter(folder=None)


class SenderInline(LookOnlyInline):
    model = SenderRight
    fk_name = "mailbox"
    verbose_name_plural = _("Who sends as this mailbox")
    related = ("mailbox__domain", "grantee__domain")
    ordering = ["pk"]
    fields = ["grantee"]
    readonly_fields = fields
    show_change_link = False
    hide_title = True
    per_page = 20
    tab = True
