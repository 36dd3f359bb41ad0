"""What an app password or a token may be for, and how it is written down."""

from collections.abc import Collection

from django.utils.translation import gettext as _

from accounts.directory import DirectoryError

# Name: the service that asks for it. The web takes neither app passwords nor tokens.
PROTOCOLS = {"imap": "imap", "pop": "pop3", "smtp": "submission"}
_BY_SERVICE = {service: name for name, service in PROTOCOLS.items()}
MAX_LABEL = 100


def join(protocols: Collection[str]) -> str:
    """Names as a column keeps them, with a comma between; DirectoryError for one we do not have."""
    wanted = {name.strip().lower() for name in protocols}
    known = ", ".join(PROTOCOLS)
    if unknown := wanted - PROTOCOLS.keys():
        text = _("“%(unknown)s” is nothing it can be for; there are %(known)s.") % {
            "unknown": min(unknown),
            "known": known,
        }
        raise DirectoryError(text)
    if not wanted:
        raise DirectoryError(_("Say what it is for: %(known)s.") % {"known": known})
    return ",".join(name for name in PROTOCOLS if name in wanted)


def covers(kept: str, service: str) -> bool:
    """Whether a column of names is for this service."""
    return _BY_SERVICE.get(service) in kept.split(",")


def is_scoped(service: str) -> bool:
    """Whether a service takes app passwords and tokens at all."""
    return service in _BY_SERVICE


def check_label(label: str) -> str:
    """The label without spaces around it; DirectoryError where it is none."""
    label = label.strip()
    if not label:
        raise DirectoryError(_("Give it a label: what program or device it is for."))
    if len(label) > MAX_LABEL or not label.isprintable():
        text = _("A label has at most %(max_label)s characters, all of them printable.")
        raise DirectoryError(text % {"max_label": MAX_LABEL})
    return label
