"""System checks: what cannot work is said at start, with an id and a way out, not at 3 a.m.

Errors stop `up`; warnings are for `manage.py check --deploy`.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register

from accounts import limits, marks_of_life
from accounts.directory.names import DirectoryError, check_address, check_domain

WEAK_KEY = 24
# A server and a worker. The server's own processes take turns, and count as one.
MOST_WRITERS = 2


@register(Tags.security)
def secret_key(**_: Any) -> Iterator[CheckMessage]:
    key = settings.SECRET_KEY
    if len(key) < WEAK_KEY or len(set(key)) < 5:
        yield Error(
            f"The secret key is too weak: {len(key)} characters.",
            hint="Set MAILHOST_SECRET_KEY to 50 random characters, or leave it out: one is made.",
            id="mailhost.E001",
        )


@register()
def home(**_: Any) -> Iterator[CheckMessage]:
    path: Path = settings.HOME
    nearest = next(p for p in (path, *path.parents) if p.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        yield Error(
            f"The home {path} cannot be written to.",
            hint="Set MAILHOST_HOME to a directory of the user who runs Mailhost.",
            id="mailhost.E002",
        )


@register()
def blobs(**_: Any) -> Iterator[CheckMessage]:
    url = settings.MAILHOST.blobs_url
    scheme, separator, _rest = url.partition("://")
    if separator and scheme != "file":
        yield Error(
            f"Messages cannot be kept at {scheme}:// yet.",
            hint="Set MAILHOST_BLOBS_URL to a directory.",
            id="mailhost.E003",
        )
        return
    path = settings.MAILHOST.blobs_directory
    nearest = next(p for p in (path, *path.absolute().parents) if p.exists())
    if url and not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        yield Error(
            f"The directory {path} for messages cannot be written to.",
            hint="Set MAILHOST_BLOBS_URL to a directory of the user who runs Mailhost.",
            id="mailhost.E017",
        )


@register()
def ports(**_: Any) -> Iterator[CheckMessage]:
    known = settings.MAILHOST.ports
    for port, count in Counter(known.values()).items():
        if count > 1:
            names = " and ".join(f"MAILHOST_{n.upper()}" for n, p in known.items() if p == port)
            yield Error(
                f"Port {port} is given to {names}.",
                hint="Every listener needs a port of its own.",
                id="mailhost.E004",
            )


@register()
def names(**_: Any) -> Iterator[CheckMessage]:
    config = settings.MAILHOST
    if not _is_host_name(config.hostname):
        yield Error(
            f"MAILHOST_HOSTNAME is “{config.hostname}”, which is no host name.",
            hint="Set it to the name that MX records lead to, for example mail.example.org; "
            "one with other letters as DNS has it, xn--….",
            id="mailhost.E005",
        )
    if config.postmaster:
        try:
            check_address(config.postmaster)
        except DirectoryError as error:
            yield Error(f"MAILHOST_POSTMASTER: {error}", id="mailhost.E006")


@register()
def tls_files(**_: Any) -> Iterator[CheckMessage]:
    config = settings.MAILHOST
    if config.tls_cert is None and config.tls_key is None:
        return
    if config.tls_cert is None or config.tls_key is None:
        yield Error(
            "MAILHOST_TLS_CERT and MAILHOST_TLS_KEY go together; only one is set.",
            hint="Set both, or neither: then a self-signed certificate is made.",
            id="mailhost.E007",
        )
        return
    read: list[bytes] = []
    for name, path in (
        ("MAILHOST_TLS_CERT", config.tls_cert),
        ("MAILHOST_TLS_KEY", config.tls_key),
    ):
        try:
            read.append(path.read_bytes())
        except OSError as error:
            yield Error(
                f"{name} names {path}, which cannot be read: {error.strerror}.",
                hint="The user who runs Mailhost must be able to read it.",
                id="mailhost.E008",
            )
    if len(read) == 2 and not _belong_together(*read):
        yield Error(
            f"The key {config.tls_key} does not belong to the certificate {config.tls_cert}.",
            hint="Both must be PEM; the certificate of this host comes first in its file.",
            id="mailhost.E009",
        )


def _belong_together(cert: bytes, key: bytes) -> bool:
    # Late: every process loads the checks, and few have such files.
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        certificate = x509.load_pem_x509_certificates(cert)[0]
        private = serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError, IndexError):
        return False
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return certificate.public_key().public_bytes(*form) == private.public_key().public_bytes(*form)


@register()
def outbound(**_: Any) -> Iterator[CheckMessage]:
    config = settings.MAILHOST
    yield from _schedule(config.retry_schedule)
    for server in config.dns_servers:
        if not _is_server(server):
            yield Error(
                f"MAILHOST_DNS_SERVERS holds “{server}”.",
                hint="Write IP addresses, with :PORT where it is not 53: 127.0.0.1:5353, [::1]:53.",
                id="mailhost.E012",
            )
    if config.relayhost and not _is_relay(config.relayhost):
        yield Error(
            f"MAILHOST_RELAYHOST is “{config.relayhost}”.",
            hint="Write HOST or HOST:PORT; [HOST] is not looked up as MX.",
            id="mailhost.E013",
        )
    if config.outbound_bind and not _is_address(config.outbound_bind):
        yield Error(
            f"MAILHOST_OUTBOUND_BIND is “{config.outbound_bind}”, which is no IP address.",
            id="mailhost.E014",
        )


@register()
def server_processes(**_: Any) -> Iterator[CheckMessage]:
    count, most = settings.MAILHOST.server_processes, limits.SERVERS_ON_SQLITE
    if settings.MAILHOST.is_embedded and count > most:
        yield Error(
            f"MAILHOST_SERVER_PROCESSES is {count}; the embedded database takes {most}.",
            hint=f"Set it to {most}, or MAILHOST_DATABASE_URL to a PostgreSQL database.",
            id="mailhost.E016",
        )


@register()
def writers(**_: Any) -> Iterator[CheckMessage]:
    """SQLite lets one process write at a time: a second server would only make the first wait."""
    if not settings.MAILHOST.is_embedded:
        return
    count = len(marks_of_life.living(settings.HOME))
    if count > MOST_WRITERS:
        yield Error(
            f"{count} servers and workers write to the embedded database; it takes {MOST_WRITERS}.",
            hint="Stop one, or set MAILHOST_DATABASE_URL to a PostgreSQL database.",
            id="mailhost.E015",
        )


def _schedule(spans: Sequence[timedelta]) -> Iterator[CheckMessage]:
    if any(span <= timedelta(0) for span in spans):
        yield Error(
            "MAILHOST_RETRY_SCHEDULE holds a wait of nothing.",
            hint="Each entry is how long to wait before the next try, for example 30m,2h,8h.",
            id="mailhost.E010",
        )
    elif spans and sum(spans, timedelta(0)) < timedelta(days=4):
        yield checks.Warning(
            "MAILHOST_RETRY_SCHEDULE gives up in less than four days (RFC 5321 §4.5.4.1).",
            hint="Leave it out for 30 minutes to five days; short ones are for tests.",
            id="mailhost.W011",
        )


def _is_host_name(text: str) -> bool:
    """Whether greetings can say it as it is."""
    try:
        return check_domain(text) == text.lower()
    except DirectoryError:
        return False


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_server(text: str) -> bool:
    # Imported late, as below: dnspython takes its time, and few commands look at this.
    from delivery.dns import parse_server

    try:
        parse_server(text)
    except ValueError:
        return False
    return True


def _is_relay(text: str) -> bool:
    from delivery.transport.mx import parse_relay

    try:
        host, _port, _is_fixed = parse_relay(text)
        return _is_address(host) or bool(check_domain(host))
    except (ValueError, DirectoryError):
        return False


@register(Tags.security, deploy=True)
def for_strangers(**_: Any) -> Iterator[CheckMessage]:
    """What is fine for trying out and wrong where strangers reach the host."""
    config = settings.MAILHOST
    if config.tls_cert is None:
        yield checks.Warning(
            "TLS uses a self-signed certificate.",
            hint="Set MAILHOST_TLS_CERT and MAILHOST_TLS_KEY.",
            id="mailhost.W020",
        )
    if config.hostname.endswith((".test", ".example", ".invalid", ".localhost")):
        yield checks.Warning(
            f"MAILHOST_HOSTNAME is “{config.hostname}”, a name nobody can look up.",
            hint="Set it to the name that the MX records of your domains lead to.",
            id="mailhost.W021",
        )
    if config.debug:
        yield Error("MAILHOST_DEBUG shows strangers the inside.", id="mailhost.E022")
