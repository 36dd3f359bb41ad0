"""The envelope of one message, where it came from, and the trace fields that tell of both.

Pure values and octets (RFC 5321 §4.4); nothing here knows Django. `RouteT` is what the directory
says of a recipient.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Generic, TypeVar

from delivery.a_labels import with_a_labels

RouteT = TypeVar("RouteT")

# What a client calls itself is not ours to trust: only what can stand in a header field is kept.
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9.:_\[\]-]")


@dataclass(frozen=True, slots=True)
class Source:
    """Who gave us a message, and how. `tls` is such as `TLSv1.3 TLS_AES_256_GCM_SHA384`, or ""."""

    helo: str
    address: str
    is_extended: bool = True
    tls: str = ""
    is_authenticated: bool = False
    is_loopback: bool = False

    def protocol(self, *, is_smtputf8: bool) -> str:
        """The keyword after `with` (RFC 3848, RFC 6531 §3.7.3)."""
        if not self.is_extended:
            return "SMTP"
        security = ("S" if self.tls else "") + ("A" if self.is_authenticated else "")
        return ("UTF8SMTP" if is_smtputf8 else "ESMTP") + security


@dataclass(frozen=True, slots=True)
class Recipient(Generic[RouteT]):
    """`address` is what the sender wrote."""

    address: str
    route: RouteT


@dataclass(slots=True)
class Envelope(Generic[RouteT]):
    """`return_path` is "" for the null return path."""

    return_path: str
    source: Source
    is_smtputf8: bool = False
    recipients: list[Recipient[RouteT]] = field(default_factory=list)

    @property
    def is_ascii(self) -> bool:
        return self.return_path.isascii() and all(
            each.address.isascii() for each in self.recipients
        )


@lru_cache(maxsize=8)
def date_of(second: int) -> str:
    """A second of Unix time as RFC 5322 §3.3 writes it; many messages come in each."""
    return format_datetime(datetime.fromtimestamp(second, UTC))


def received_field(envelope: Envelope[RouteT], *, hostname: str, queue_id: str, at: int) -> bytes:
    """The Received field; `at` in Unix seconds.

    A recipient is named only where it is the only one: Bcc stays blind. The field is ASCII, or it
    would be what makes a message need SMTPUTF8 (RFC 6531 §3.7.3 allows more).
    """
    source = envelope.source
    helo = _NOT_IN_A_NAME.sub("?", source.helo) or "unknown"
    # RFC 5321 §4.1.3 writes IPv6 addresses with a tag.
    address = f"IPv6:{source.address}" if ":" in source.address else source.address
    tls = f"\r\n\t(using {source.tls})" if source.tls else ""
    protocol = source.protocol(is_smtputf8=envelope.is_smtputf8)
    names = {each.address for each in envelope.recipients}
    only = with_a_labels(names.pop()) if len(names) == 1 else ""
    name = f"\r\n\tfor <{only}>" if only and only.isascii() else ""
    return (
        f"Received: from {helo} ([{address}]){tls}\r\n"
        f"\tby {hostname} (Mailhost) with {protocol} id {queue_id}{name};\r\n"
        f"\t{date_of(at)}\r\n"
    ).encode()


def delivery_fields(*, return_path: str, original: str, delivered_to: str) -> bytes:
    """What the final delivery into one mailbox puts on top of all (RFC 5321 §4.4)."""
    return (
        f"Return-Path: <{return_path}>\r\n"
        f"X-Original-To: {original}\r\n"
        f"Delivered-To: {delivered_to}\r\n"
    ).encode()
