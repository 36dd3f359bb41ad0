"""The certificate: made once, private, taken from settings, renewed without a restart."""

import contextlib
import os
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509

from protocols.servers import tls
from protocols.servers.tls import TlsError, TlsServer, certificate_files


def test_a_self_signed_certificate_is_made_once(tmp_path: Path) -> None:
    cert, key = certificate_files(tmp_path, "mx.example.test")
    first = cert.read_bytes()
    assert certificate_files(tmp_path, "mx.example.test") == (cert, key)
    assert cert.read_bytes() == first
    assert key.stat().st_mode & 0o777 == 0o600
    parsed = x509.load_pem_x509_certificate(first)
    names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mx.example.test", "localhost"]
    assert parsed.not_valid_after_utc > datetime.now(UTC) + timedelta(days=1000)


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    start = threading.Barrier(4)
    failures: list[Exception] = []

    def begin() -> None:
        start.wait()
        try:
            TlsServer(*certificate_files(tmp_path, "mx.example.test"))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(os.listdir(tmp_path / "keys")) == ["tls-cert.pem", "tls-key.pem"]


def test_files_that_do_not_fit_are_told_in_a_line(tmp_path: Path) -> None:
    cert, _key = certificate_files(tmp_path / "a", "a.test")
    _cert, key = certificate_files(tmp_path / "b", "b.test")
    for pair in ((cert, key), (cert, tmp_path / "absent")):
        with pytest.raises(TlsError, match="cannot be used"):
            TlsServer(*pair)


def test_a_renewed_certificate_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    _issue("old.test", cert, key)
    server = TlsServer(cert, key)
    old = server.context()
    _issue("new.test", cert, key)
    assert server.context() is old  # not looked at again yet
    monkeypatch.setattr(tls, "LOOK_INTERVAL", 0.0)
    new = server.context()
    assert new is not old
    key.write_text("rubbish")
    assert server.context() is new  # half a renewal breaks nothing
    _issue("newer.test", cert, key)
    assert server.context() is not new
    assert b"newer.test" in _shown(server)


def test_no_state_is_kept_for_sessions_to_come(tmp_path: Path) -> None:
    server = TlsServer(*certificate_files(tmp_path, "a.test"))
    session = _handshake(server, ssl.TLSVersion.TLSv1_2).session
    assert session is not None
    assert not session.has_ticket


def _issue(name: str, cert: Path, key: Path) -> None:
    issued = trustme.CA().issue_cert(name)
    issued.private_key_pem.write_to_path(str(key))
    issued.cert_chain_pems[0].write_to_path(str(cert))


def _shown(server: TlsServer) -> bytes:
    """The certificate a client is shown."""
    return _handshake(server).getpeercert(binary_form=True) or b""


def _handshake(
    server: TlsServer, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> ssl.SSLObject:
    """A client that has shaken hands, and has read what came behind."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = version
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing)
    connection = server.serverConnectionForTLS(object())
    connection.set_accept_state()
    for _ in range(4):
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
            client.read()
        if outgoing.pending:
            connection.bio_write(outgoing.read())
        with contextlib.suppress(tls.SSL.WantReadError):
            connection.do_handshake()
        with contextlib.suppress(tls.SSL.WantReadError):
            incoming.write(connection.bio_read(1 << 16))
    return client
