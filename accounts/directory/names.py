"""How domains and addresses are spelt inside the house.

A domain is its A-label form in lower case, as in DNS; a local part is compared without regard to
case, so it is kept in lower case (RFC 5321 §2.4 leaves this to the receiving host).
"""

import re

import idna
from django.utils.translation import gettext as _

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_ATEXT = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u0080-\U0010ffff-]+")


class DirectoryError(Exception):
    """What was asked cannot be done; the text is a sentence for the reader who asked."""


def fold_domain(name: str) -> str:
    """The spelling used as a key; a name that cannot be ours passes and matches nothing."""
    if name.isascii():
        return name.lower().removesuffix(".")
    try:
        return idna.encode(name, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return name.lower()


def fold_local(local_part: str) -> str:
    return local_part.lower()


def split_address(address: str) -> tuple[str, str]:
    """(local part, domain) as keys; the domain is empty where the address has none."""
    local_part, at, domain = address.strip().rpartition("@")
    if not at:
        return fold_local(domain), ""
    return fold_local(local_part), fold_domain(domain)


def fold_address(address: str) -> str:
    """The whole address as a key."""
    return "@".join(split_address(address))


def check_domain(name: str) -> str:
    """The A-label form of a name that may be hosted; DirectoryError says what is wrong with it."""
    folded = fold_domain(name.strip())
    labels = folded.split(".")
    if len(folded) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise DirectoryError(_("“%(name)s” is no domain name.") % {"name": name})
    if labels[-1].isdigit():
        raise DirectoryError(_("“%(name)s” is an IP address, not a domain name.") % {"name": name})
    return folded


def check_local_part(local_part: str) -> str:
    """The stored form of a local part that may be created here (RFC 5321 §4.1.2, §4.5.3.1.1)."""
    folded = fold_local(local_part.strip())
    is_dotted_well = not folded.startswith(".") and not folded.endswith(".") and ".." not in folded
    if not _ATEXT.fullmatch(folded) or not is_dotted_well:
        raise DirectoryError(
            _("“%(local_part)s” cannot stand before the @ of an address.")
            % {"local_part": local_part}
        )
    if len(folded.encode()) > 64:
        raise DirectoryError(
            _("“%(local_part)s” is longer than 64 octets (RFC 5321 §4.5.3.1.1).")
            % {"local_part": local_part}
        )
    return folded


def check_address(address: str) -> tuple[str, str]:
    """(local part, domain) of an address that may be created or written to; else DirectoryError."""
    local_part, at, domain = address.strip().rpartition("@")
    if not at or not local_part or not domain:
        raise DirectoryError(
            _("“%(address)s” is no address; write it as name@domain.") % {"address": address}
        )
    return check_local_part(local_part), check_domain(domain)
