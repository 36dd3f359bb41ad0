"""Users in the admin: persons on the web. The owner of a mailbox gets its password there."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserCreationForm

from accounts.admin.pages import DirectoryPage
from accounts.models import Membership, User

admin.site.unregister(Group)


class _MembershipInline(TabularInline):
    model = Membership
    extra = 0
    per_page = 50
    ordering = ["pk"]
    autocomplete_fields = ["tenant"]
    tab = True


@admin.register(User)
class UserAdmin(DjangoUserAdmin, DirectoryPage):  # type: ignore[type-arg]
    # Django's own form shows what the password's hash is made of.
    form = forms.ModelForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "full_name", "kind", "is_active", "last_login"]
    list_filter = ["is_superuser", "is_staff", "is_active"]
    list_select_related = ["mailbox"]
    search_fields = ["username", "full_name"]
    ordering = ["username"]
    filter_horizontal = []
    readonly_fields = ["last_login", "created_at", "password_change"]
    fieldsets = [
        (None, {"fields": ["username", "full_name", "password_change"]}),
        (_("Rights"), {"fields": ["is_active", "is_staff", "is_superuser"]}),
        (_("Times"), {"fields": ["last_login", "created_at"]}),
    ]
    add_fieldsets = [
        (None, {"classes": ["wide"], "fields": ["username", "password1", "password2"]}),
    ]
    inlines = [_MembershipInline]

    @display(description=_("kind"), label={"admin": "warning", "mailbox": "info", "person": ""})
    def kind(self, user: User) -> Any:
        if user.is_superuser:
            return "admin", _("admin")
        return ("mailbox", _("mailbox")) if hasattr(user, "mailbox") else ("person", _("person"))

    @display(description=_("password"))
    def password_change(self, user: User) -> str:
        return format_html('<a class="underline" href="../password/">{}</a>', _("Set another…"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        rows: QuerySet[User] = super().get_queryset(request)
        return rows.select_related("mailbox")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        found = super().get_fieldsets(request, obj)
        if obj is not None and hasattr(obj, "mailbox"):
            # Its password is the mailbox's: one set here would open nothing.
            return [(None, {"fields": ["username", "full_name"]}), *found[1:]]
        return found

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        names = [*super().get_readonly_fields(request, obj)]
        return [*names, "username"] if obj is not None and hasattr(obj, "mailbox") else names
