"""What the admin's first page says before it lists anything: the state, in one sentence."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import figures
from accounts.admin.pages import size_in_words


def describe(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """unfold's DASHBOARD_CALLBACK: adds `sentence` to the page's context."""
    counts = figures.hosted()
    domains = ngettext("%d domain", "%d domains", counts["domains"]) % counts["domains"]
    mailboxes = ngettext("%d mailbox", "%d mailboxes", counts["mailboxes"]) % counts["mailboxes"]
    size = size_in_words(counts["mailbox_octets"])
    sentence = _("%(domains)s with %(mailboxes)s hold %(size)s of mail.")
    values = {"domains": domains, "mailboxes": mailboxes, "size": size}
    return {**context, "sentence": sentence % values}
