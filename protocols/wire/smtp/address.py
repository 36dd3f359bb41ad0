"""Mail addresses as the envelope writes them (RFC 5321 §4.1.2, RFC 6531 §3.3).

An Address holds the meaning: the local part without quotes, the domain as written (an address
literal keeps its brackets). `str()` writes the form for the wire again.
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

# RFC 5321 §4.5.3.1.1 asks for 64 octets of local part and says that more should work where it
# can; bounce addresses made by list programs need it. 320 octets is what our rows hold.
LOCAL_LIMIT = 255
ADDRESS_LIMIT = 320

# Written as what they are not: `re` takes 50 ms, at every start, for ranges of all of Unicode.
_ATEXT = r'[^\x00- "(),.:;<>@\[\\\]\x7f]'
_DOT_STRING = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
_QUOTED = re.compile(r'"((?:[^"\\\x00-\x1f\x7f]|\\[ -~])*)"')
_LETTER_OR_DIGIT = r"[^\x00-/:-@\[-^`{-\x7f]"
_OR_HYPHEN = r"[^\x00-,./:-@\[-^`{-\x7f]"
_LABEL = rf"{_LETTER_OR_DIGIT}(?:{_OR_HYPHEN}*{_LETTER_OR_DIGIT})?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LITERAL = re.compile(r"\[([0-9A-Za-z:.-]{1,64})\]")
_SOURCE_ROUTE = re.compile(rf"@{_LABEL}(?:\.{_LABEL})*(?:,@{_LABEL}(?:\.{_LABEL})*)*:")
_PLAIN_PATH = re.compile(
    r"<([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)"
    r"@([A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*)>"
)


class BadAddress(ValueError):
    """What stands there is no address; the text says why in words for the peer."""


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox address. `domain` is "" only for `<postmaster>` (RFC 5321 §4.1.1.3)."""

    local: str
    domain: str

    def __str__(self) -> str:
        local = self.local if _DOT_STRING.fullmatch(self.local) else quote_local(self.local)
        return f"{local}@{self.domain}" if self.domain else local

    @property
    def is_ascii(self) -> bool:
        return self.local.isascii() and self.domain.isascii()


def quote_local(local: str) -> str:
    """A local part as a quoted string."""
    return '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse_address(text: str) -> Address:
    """`local@domain` as a whole; BadAddress when it is none."""
    address, end = _read_mailbox(text, 0)
    if end != len(text):
        raise BadAddress("Bad address syntax")
    return address


def parse_path(text: str) -> tuple[Address | None, str]:
    """A reverse or forward path and what follows it; None is the null path `<>`.

    A source route is read and dropped (RFC 5321 §4.1.1.3, appendix C). BadAddress otherwise.
    """
    plain = _PLAIN_PATH.match(text)
    if plain is not None and plain.end() <= LOCAL_LIMIT:
        return Address(plain[1], plain[2]), text[plain.end() :]
    if not text.startswith("<"):
        raise BadAddress("Write the address in angle brackets: <name@domain>")
    if text.startswith("<>"):
        return None, text[2:]
    if text[1:12].lower() == "postmaster>":
        return Address(text[1:11], ""), text[12:]
    route = _SOURCE_ROUTE.match(text, 1)
    address, end = _read_mailbox(text, route.end() if route else 1)
    if text[end : end + 1] != ">":
        raise BadAddress("Bad address syntax")
    return address, text[end + 1 :]


def is_domain(text: str) -> bool:
    """Whether `text` is a domain name or an address literal."""
    return _is_name(text) or _is_literal(text)


def _read_mailbox(text: str, start: int) -> tuple[Address, int]:
    quoted = _QUOTED.match(text, start)
    if quoted is not None:
        local, end = re.sub(r"\\(.)", r"\1", quoted[1]), quoted.end()
    else:
        dot_string = _DOT_STRING.match(text, start)
        if dot_string is None:
            raise BadAddress("Bad address syntax")
        local, end = dot_string[0], dot_string.end()
    if text[end : end + 1] != "@":
        raise BadAddress("The address has no domain")
    found = (_LITERAL if text[end + 1 : end + 2] == "[" else _DOMAIN).match(text, end + 1)
    if found is None or not is_domain(found[0]):
        raise BadAddress("Bad domain in the address")
    if len(local.encode()) > LOCAL_LIMIT or found.end() - start > ADDRESS_LIMIT:
        raise BadAddress("The address is too long")
    if not (local + found[0]).isprintable():
        raise BadAddress("Bad address syntax")
    return Address(local, found[0]), found.end()


def _is_name(text: str) -> bool:
    return (
        0 < len(text) <= 255
        and _DOMAIN.fullmatch(text) is not None
        and all(len(label) <= 63 for label in text.split("."))
    )


def _is_literal(text: str) -> bool:
    found = _LITERAL.fullmatch(text)
    if found is None:
        return False
    try:
        if found[1][:5].lower() == "ipv6:":
            IPv6Address(found[1][5:])
        else:
            IPv4Address(found[1])
    except AddressValueError:
        return False
    return True
