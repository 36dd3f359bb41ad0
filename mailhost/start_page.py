"""What the admin's first page says before it lists anything: the state, in two sentences."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import figures
from accounts.admin.pages import size_in_words
from delivery import queue


def describe(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """unfold's DASHBOARD_CALLBACK: adds `sentence` and `queue_sentence` to the page's context."""
    return {**context, "sentence": _hosted(), "queue_sentence": _queued()}


def _hosted() -> str:
    counts = figures.hosted()
    domains = ngettext("%d domain", "%d domains", counts["domains"]) % counts["domains"]
    mailboxes = ngettext("%d mailbox", "%d mailboxes", counts["mailboxes"]) % counts["mailboxes"]
    size = size_in_words(counts["mailbox_octets"])
    sentence = _("%(domains)s with %(mailboxes)s hold %(size)s of mail.")
    return sentence % {"domains": domains, "mailboxes": mailboxes, "size": size}


def _queued() -> str:
    states = queue.count_states()
    waiting, held = states.get("pending", 0), states.get("held", 0)
    sentences = [
        ngettext("%d recipient waits in the queue.", "%d recipients wait in the queue.", waiting)
        % waiting
        if waiting
        else _("No mail waits to be sent.")
    ]
    if held:
        sentences.append(ngettext("%d is held.", "%d are held.", held) % held)
    return " ".join(sentences)
