"""Tenants in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display

from accounts import directory
from accounts.admin.pages import (
    STATE_LABELS,
    DirectoryPage,
    LookOnlyInline,
    SuspendPage,
    held_back,
    state_label,
)
from accounts.directory.tenants import require_empty
from accounts.models import Domain, Membership, Tenant


class _MembershipInline(TabularInline):
    model = Membership
    extra = 0
    per_page = 50
    ordering = ["pk"]
    autocomplete_fields = ["user"]
    tab = True


class _DomainInline(LookOnlyInline):
    model = Domain
    fields = ["name", "is_suspended", "created_at"]
    readonly_fields = fields
    per_page = 20
    tab = True


@admin.register(Tenant)
class TenantAdmin(SuspendPage, DirectoryPage):
    list_display = ["name", "slug", "parent", "domains_held", "state", "created_at"]
    list_select_related = ["parent"]
    list_filter = ["is_suspended"]
    search_fields = ["name", "slug"]
    autocomplete_fields = ["parent"]
    prepopulated_fields = {"slug": ["name"]}
    fields = ["name", "slug", "parent", "is_suspended"]
    readonly_fields = ["is_suspended"]
    inlines = [_DomainInline, _MembershipInline]
    suspend_row = staticmethod(directory.suspend_tenant)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        rows: QuerySet[Tenant] = super().get_queryset(request)
        return rows.annotate(domain_count=Count("domains"))

    @display(description=_("domains"), ordering="domain_count")
    def domains_held(self, tenant: Tenant) -> int:
        return int(getattr(tenant, "domain_count", 0))

    @display(description=_("state"), label=STATE_LABELS)
    def state(self, tenant: Tenant) -> Any:
        return state_label(tenant.is_suspended)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[str], list[Any]]:
        """What keeps a tenant is told in a sentence: it may be all of the queue."""
        counts = {Tenant._meta.verbose_name_plural: len(objs)}
        return [str(each) for each in objs], counts, set(), held_back(objs, require_empty)
