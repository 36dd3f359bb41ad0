"""The mail store in the admin: to look at, never to change, and never the mail itself."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin.pages import LookOnly, size_in_words
from accounts.mailstore import settling, special_uses
from accounts.mailstore.flags import Flag
from accounts.models import Blob, Change, Entry, Folder, Message, Segment, Vanished

# The prepared forms of a message are wide, and nobody's to read here.
WIDE = ("prefix", "envelope", "bodystructure", "body", "headers", "preview")


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


class _ByKey(LookOnly):
    """The latest first, and in no other order: there may be millions, and indexes for few."""

    ordering = ["-pk"]
    sortable_by = ()


class SpecialUseFilter(admin.SimpleListFilter):
    """Django's own would look through every folder for what there is."""

    title = _("special use")
    parameter_name = "special_use"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(use, use) for use in special_uses.USES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Folder]) -> QuerySet[Folder]:
        return queryset.filter(special_use=self.value()) if self.value() else queryset


@admin.register(Folder)
class FolderAdmin(LookOnly):
    list_display = ["name", "mailbox", "special_use", "exists_count", "unseen_count", "size"]
    list_select_related = ["mailbox__domain"]
    list_filter = [SpecialUseFilter, "is_selectable"]
    search_fields = ["name", "mailbox__local_part", "mailbox__domain__name"]
    # As an index has them.
    ordering = ["mailbox_id", "name"]

    @display(description=_("size"), ordering="octets")
    def size(self, folder: Folder) -> str:
        return size_in_words(folder.octets)


@admin.register(Message)
class MessageAdmin(_ByKey):
    list_display = ["pk", "mailbox", "octets", "received_at", "said_to_be_sent_at"]
    list_select_related = ["mailbox__domain"]
    search_fields = ["mailbox__local_part", "mailbox__domain__name"]
    fields = ["mailbox", "blob", "octets", "received_at", "said_to_be_sent_at"]
    readonly_fields = fields

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).defer(*WIDE)

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        # Nor guessed at, letter by letter, by how many messages an address of this list finds.
        is_theirs = lookup.partition("__")[0] in WIDE
        return not is_theirs and bool(super().lookup_allowed(lookup, value, request))

    @display(description=_("size"))
    def octets(self, message: Message) -> str:
        return size_in_words(message.size)

    @display(description=_("received"))
    def received_at(self, message: Message) -> datetime | None:
        return _moment(message.internal_date)

    @display(description=_("Date field"))
    def said_to_be_sent_at(self, message: Message) -> datetime | None:
        return _moment(message.sent_at)


@admin.register(Entry)
class EntryAdmin(_ByKey):
    list_display = ["uid", "folder", "mailbox", "flag_names", "modseq", "came_at"]
    list_select_related = ["folder__mailbox__domain"]
    search_fields = ["=uid", "folder__name", "folder__mailbox__local_part"]
    fields = ["folder", "message", "uid", "flag_names", "modseq", "came_at"]
    readonly_fields = fields

    def get_queryset(self, request: Any) -> Any:
        rows = super().get_queryset(request)
        if request.method == "POST":
            # It changes nothing here, so nobody sees the flags, and the settling would wait for its
            # transaction.
            return rows.defer("flags", "keywords", "modseq")
        settling.settle_all()
        return rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        # The folders first: Django would make a text of every UID, and compare it with each word.
        for word in search_term.split():
            theirs = Q(name__icontains=word) | Q(mailbox__local_part__icontains=word)
            found = Q(folder__in=Folder.objects.filter(theirs).order_by())
            if word.isdecimal():
                found |= Q(uid=word)
            queryset = queryset.filter(found)
        return queryset, False

    @display(description=_("mailbox"))
    def mailbox(self, entry: Entry) -> str:
        return entry.folder.mailbox.address

    @display(description=_("flags"))
    def flag_names(self, entry: Entry) -> str:
        return " ".join(flag.name.capitalize() for flag in Flag if entry.flags & flag and flag.name)

    @display(description=_("saved"))
    def came_at(self, entry: Entry) -> datetime | None:
        return _moment(entry.saved_at)


@admin.register(Vanished)
class VanishedAdmin(_ByKey):
    list_display = ["folder", "modseq", "uids"]
    list_select_related = ["folder"]
    search_fields = ["folder__name", "folder__mailbox__local_part"]


@admin.register(Change)
class ChangeAdmin(_ByKey):
    list_display = ["at", "kind", "mailbox", "folder", "modseq"]
    list_select_related = ["mailbox__domain", "folder"]
    list_filter = ["kind"]
    search_fields = ["mailbox__local_part", "mailbox__domain__name"]
    search_help_text = _("Part of the address. On SQLite, arrivals are among the entries alone.")


@admin.register(Segment)
class SegmentAdmin(LookOnly):
    list_display = ["name", "is_sealed", "octets", "created_at"]
    list_filter = ["is_sealed"]
    search_fields = ["name"]
    ordering = ["-pk"]

    @display(description=_("size"), ordering="size")
    def octets(self, segment: Segment) -> str:
        return size_in_words(segment.size)


@admin.register(Blob)
class BlobAdmin(_ByKey):
    list_display = ["pk", "segment", "offset", "length", "created_at"]
    list_select_related = ["segment"]
    search_fields = ["segment__name"]
