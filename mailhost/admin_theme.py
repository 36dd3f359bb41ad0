"""How the admin looks and is laid out: the colours of the design, the names in its rail."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

_LIGHTNESS = (0.975, 0.945, 0.89, 0.83, 0.74, 0.62, 0.5, 0.45, 0.38, 0.32, 0.24)
_CHROMA = (0.01, 0.018, 0.035, 0.06, 0.085, 0.088, 0.088, 0.085, 0.07, 0.055, 0.035)
_STEPS = ("50", "100", "200", "300", "400", "500", "600", "700", "800", "900", "950")
# The desk and the text of the design lie beyond the scale's ends, hence lightness of their own.
_BASE_LIGHTNESS = (0.972, 0.945, 0.905, 0.85, 0.69, 0.54, 0.44, 0.36, 0.27, 0.225, 0.185)
# Large light surfaces would look blue with the chroma that greys their text.
_BASE_CHROMA = (0.004, 0.006, 0.008, 0.01, *(0.012,) * 7)


def _scale(lightness: tuple[float, ...], chroma: tuple[float, ...], hue: int) -> dict[str, str]:
    return {
        step: f"oklch({light:.1%} {colour:.3f} {hue})"
        for step, light, colour in zip(_STEPS, lightness, chroma, strict=True)
    }


def _link(title: Any, icon: str, name: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{name}_changelist")}


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Mailhost",
    "SITE_HEADER": "Mailhost",
    "SITE_SUBHEADER": _("Administration"),
    "SITE_URL": "/",
    "SITE_SYMBOL": "mail",
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("mailhost/mark.svg"),
        }
    ],
    "DASHBOARD_CALLBACK": "mailhost.start_page.describe",
    "LOGIN": {"form": "mailhost.login_form.LoginForm"},
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "6px",
    "SCRIPTS": [lambda request: static("mailhost/admin.js")],
    "STYLES": [lambda request: static("mailhost/admin.css")],
    "COLORS": {
        "primary": _scale(_LIGHTNESS, _CHROMA, 222),
        "base": _scale(_BASE_LIGHTNESS, _BASE_CHROMA, 230),
    },
    "SIDEBAR": {
        "show_search": True,
        "navigation": [
            {
                "title": _("Directory"),
                "items": [
                    _link(_("Tenants"), "apartment", "accounts_tenant"),
                    _link(_("Domains"), "dns", "accounts_domain"),
                    _link(_("Mailboxes"), "inbox", "accounts_mailbox"),
                    _link(_("Aliases"), "alt_route", "accounts_alias"),
                    _link(_("Users"), "person", "accounts_user"),
                    _link(_("Client rules"), "toggle_on", "accounts_clientrule"),
                ],
            },
            {
                "title": _("Mail in motion"),
                "separator": True,
                "items": [
                    _link(_("Queue"), "outbox", "delivery_queuedmessage"),
                    _link(_("Recipients"), "forward_to_inbox", "delivery_queuedrecipient"),
                    _link(_("Tries"), "published_with_changes", "delivery_attempt"),
                ],
            },
            {
                "title": _("Mail at rest"),
                "separator": True,
                "items": [
                    _link(_("Folders"), "folder", "accounts_folder"),
                    _link(_("Messages"), "mail", "accounts_message"),
                    _link(_("Entries"), "list", "accounts_entry"),
                    _link(_("Recoverable"), "restore_from_trash", "accounts_recoverable"),
                    _link(_("Vanished"), "playlist_remove", "accounts_vanished"),
                    _link(_("Changes"), "history", "accounts_change"),
                    _link(_("Blobs"), "database", "accounts_blob"),
                    _link(_("Segments"), "storage", "accounts_segment"),
                ],
            },
        ],
    },
}
