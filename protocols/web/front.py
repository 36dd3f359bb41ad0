"""The page at `/`: what this host is, whether everything answers, and what a mail program needs."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from protocols.web.health import missing_parts

CONTENT_SECURITY_POLICY = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'"


@require_safe
def front(request: HttpRequest) -> HttpResponse:
    config = settings.MAILHOST
    services = [
        {"name": _("Reading (IMAP)"), "tls": config.imaps_port, "starttls": config.imap_port},
        {"name": _("Reading (POP3)"), "tls": config.pop3s_port, "starttls": config.pop3_port},
        {
            "name": _("Sending (SMTP)"),
            "tls": config.submissions_port,
            "starttls": config.submission_port,
        },
    ]
    values = {"hostname": config.hostname, "services": services, "missing": missing_parts()}
    response = render(request, "mailhost/front.html", values)
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response
