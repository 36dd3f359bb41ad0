"""The TLS context of every listener: one certificate, renewed in place without a restart.

`MAILHOST_TLS_CERT` and `MAILHOST_TLS_KEY` name PEM files; without them a self-signed certificate
is made at first use under `HOME/keys`. pyOpenSSL refuses changes to a context that has made a
connection, so a changed file makes a new context.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from secrets import token_hex

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

log = structlog.get_logger(__name__)

# Seconds between looks at the files.
LOOK_INTERVAL = 10.0
SELF_SIGNED_FOR = timedelta(days=3650)


class TlsError(Exception):
    """The certificate or its key cannot be used; the text is for the operator."""


@implementer(IOpenSSLServerConnectionCreator)
class TlsServer:
    """Makes the server side of TLS connections."""

    def __init__(self, cert: Path, key: Path) -> None:
        """Raises TlsError when the files cannot be used."""
        self._cert = cert
        self._key = key
        self._stamp = self._look()
        self._looked_at = time.monotonic()
        self._context = make_context(cert, key)

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        return SSL.Connection(self.context(), None)

    def context(self) -> SSL.Context:
        """The context of the files as they are now; the one before where they are broken."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_INTERVAL:
            self._looked_at = now
            self._reload_if_changed()
        return self._context

    def _reload_if_changed(self) -> None:
        stamp = self._look()
        if stamp == self._stamp:
            return
        try:
            self._context = make_context(self._cert, self._key)
        except TlsError as error:
            log.warning("certificate_not_reloaded", reason=str(error))
        else:
            self._stamp = stamp
            log.info("certificate_reloaded", file=str(self._cert))

    def _look(self) -> tuple[tuple[int, int] | None, ...]:
        stamps: list[tuple[int, int] | None] = []
        for path in (self._cert, self._key):
            try:
                stat = path.stat()
            except OSError:
                stamps.append(None)
            else:
                stamps.append((stat.st_mtime_ns, stat.st_ino))
        return tuple(stamps)


def make_context(cert: Path, key: Path) -> SSL.Context:
    """A server context as RFC 8996 and RFC 9325 want it; raises TlsError."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    # Session tickets cost 22 KiB a connection that mail programs seldom resume.
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_cipher_list(b"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES256:!aNULL:!MD5")
    try:
        context.use_certificate_chain_file(str(cert))
        context.use_privatekey_file(str(key))
        context.check_privatekey()
    except SSL.Error as error:
        raise TlsError(f"the certificate {cert} and the key {key} cannot be used") from error
    return context


def certificate_files(home: Path, hostname: str) -> tuple[Path, Path]:
    """The self-signed certificate and its key under `home`, made when they are missing."""
    directory = home / "keys"
    cert, key = directory / "tls-cert.pem", directory / "tls-key.pem"
    if not (cert.exists() and key.exists()):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_self_signed(cert, key, hostname)
    return cert, key


def _make_self_signed(cert: Path, key: Path, hostname: str) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    now = datetime.now(UTC)
    names: list[x509.GeneralName] = [x509.DNSName(hostname), x509.DNSName("localhost")]
    names += [x509.IPAddress(ip_address(address)) for address in ("127.0.0.1", "::1")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + SELF_SIGNED_FOR)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    # One file whole, then the other; two processes that start at once must agree on a pair, so
    # the first to link the key wins and the other waits for its certificate.
    if _put(key, pem):
        _put(cert, certificate.public_bytes(serialization.Encoding.PEM), replace=True)
    else:
        _wait_for(cert)


def _put(path: Path, data: bytes, *, replace: bool = False) -> bool:
    """Write a private file in one step; False when another process was first."""
    # Not named by the process id: containers that share a home may have the same.
    draft = path.with_suffix(f".{token_hex(8)}")
    draft.touch(0o600)
    draft.write_bytes(data)
    if replace:
        draft.replace(path)
        return True
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def _wait_for(path: Path, seconds: float = 5.0) -> None:
    until = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > until:
            raise TlsError(f"{path} is missing beside its key; delete the key to make both anew")
        time.sleep(0.01)
