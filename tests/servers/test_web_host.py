"""The host of the web application: limits on bodies, clear text only from near, nothing leaks."""

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings
from twisted.internet.address import IPv6Address
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport

from protocols.servers import web, web_peers
from protocols.servers.listeners import listen, open_socket
from protocols.servers.web import Web
from tests.servers.shell_kit import until
from tests.transcripts.real import on_reactor, reactor, tls_server


def _application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    if environ["PATH_INFO"] == "/broken":
        raise RuntimeError("the secret of the house")
    if environ["PATH_INFO"] == "/told":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ.get("HTTP_X_FORWARDED_FOR", "nothing").encode()]
    size = len(environ["wsgi.input"].read())
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d %s" % (size, environ["wsgi.url_scheme"].encode())]


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    monkeypatch.setattr(web, "get_wsgi_application", lambda: _application)
    monkeypatch.setattr(web, "BODY_LIMIT", 100_000)
    monkeypatch.setattr(web, "BODY_IN_MEMORY", 10_000)
    host = Web(reactor, tls_server())
    host.start()
    sock = open_socket("127.0.0.1", 0)
    name = sock.getsockname()
    port = on_reactor(listen, reactor, sock, host.factory(is_tls=False))
    yield name
    on_reactor(port.stopListening)
    host.stop()


def ask(address: tuple[str, int], method: str, path: str, **more: Any) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*address, timeout=10)
    try:
        connection.request(method, path, **more)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("size", [0, 5_000, 50_000])
def test_bodies_within_the_limit_arrive(address: tuple[str, int], size: int) -> None:
    assert ask(address, "POST", "/", body=b"x" * size) == (200, b"%d http" % size)


@pytest.mark.parametrize(
    "request_", [b"GET / HT", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"]
)
def test_a_request_said_octet_by_octet_is_not_awaited_for_ever(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch, request_: bytes
) -> None:
    monkeypatch.setattr(web_peers, "TRICKLE_TIMEOUT", 0.3)
    with socket.create_connection(address, 10) as sock:
        sock.sendall(request_)
        sock.settimeout(0.05)
        end = time.monotonic() + 10
        while _is_awaited(sock):
            assert time.monotonic() < end


def test_who_gets_on_is_awaited(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_peers, "TRICKLE_TIMEOUT", 1.0)
    monkeypatch.setattr(web_peers, "TRICKLE_SIZE", 1000)
    body = (time.sleep(0.25) or b"x" * 1000 for _ in range(6))
    assert ask(address, "POST", "/", body=body, headers={"Content-Length": "6000"}) == (
        200,
        b"6000 http",
    )


def _is_awaited(sock: socket.socket) -> bool:
    try:
        sock.sendall(b"y")
        return sock.recv(1) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False


def test_one_address_holds_only_so_many_connections(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_peers, "MAX_OF_ONE", 2)
    with contextlib.ExitStack() as stack:

        def open_one() -> http.client.HTTPConnection:
            connection = http.client.HTTPConnection(*address, timeout=10)
            stack.callback(connection.close)
            connection.request("POST", "/", body=b"")
            return connection

        several = [open_one() for _ in range(3)]
        # Loopback is near.
        assert [each.getresponse().read() for each in several] == [b"0 http"] * 3
        monkeypatch.setattr(web_peers, "is_near", lambda host: False)
        with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
            open_one().getresponse()
        for each in several[:2]:
            each.close()
        until(lambda: _is_let_in(address))


@pytest.mark.parametrize(
    ("hosts", "stranger"),
    [
        (("2001:db8::1", "2001:db8::ffff:2"), "2001:db8:0:1::1"),
        (("::ffff:192.0.2.1", "::ffff:192.0.2.1"), "::ffff:192.0.2.2"),
        (("fe80::1%eth0", "fe80::2%eth0"), "::ffff:192.0.2.2"),
    ],
)
def test_addresses_of_one_network_hold_only_so_many_connections_together(
    monkeypatch: pytest.MonkeyPatch, hosts: tuple[str, str], stranger: str
) -> None:
    monkeypatch.setattr(web_peers, "MAX_OF_ONE", 2)
    peers = web_peers.WebPeers(reactor, Factory.forProtocol(Protocol))

    def come(host: str) -> Any:
        address = IPv6Address("TCP", host, 1)
        protocol = peers.buildProtocol(address)
        if protocol is not None:
            protocol.makeConnection(StringTransport(peerAddress=address))
        return protocol

    first, second = map(come, hosts)
    assert first
    assert second
    assert come(hosts[0]) is None
    assert come(stranger)
    first.connectionLost()
    assert come(hosts[1])


def test_all_together_hold_only_so_many_connections(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_peers, "MAX_CONNECTIONS", 1)
    with socket.create_connection(address, 10) as first:
        first.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        assert first.recv(100).startswith(b"HTTP/1.1 200 ")
        assert not _is_let_in(address)
    until(lambda: _is_let_in(address))


def _is_let_in(address: tuple[str, int]) -> bool:
    try:
        return ask(address, "POST", "/", body=b"") == (200, b"0 http")
    except OSError:
        return False


def test_no_other_spelling_of_a_header_stands_in_for_what_a_proxy_says(
    address: tuple[str, int],
) -> None:
    forged = {"X-Forwarded-For": "192.0.2.1", "X_Forwarded_For": "127.0.0.1"}
    assert ask(address, "GET", "/told", headers=forged) == (200, b"192.0.2.1")
    assert ask(address, "GET", "/told", headers={"X_FORWARDED-For": "::1"}) == (200, b"nothing")


def test_a_body_announced_too_large_is_refused_unread(address: tuple[str, int]) -> None:
    with socket.create_connection(address, 10) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_grows_too_large_is_refused(address: tuple[str, int]) -> None:
    with socket.create_connection(address, 10) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(11):
            sock.sendall(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_bug_shows_nothing(address: tuple[str, int]) -> None:
    status, body = ask(address, "GET", "/broken")
    assert status == 500
    assert b"secret" not in body
    assert b"Traceback" not in body


def test_strangers_are_sent_to_tls(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "is_near", lambda host: False)
    connection = http.client.HTTPConnection(*address, timeout=10)
    connection.request("GET", "/admin/?a=b", headers={"Host": "mail.example.test:8080"})
    answer = connection.getresponse()
    assert answer.status == 308
    wanted = f"https://mail.example.test:{settings.MAILHOST.webs_port}/admin/?a=b"
    assert answer.getheader("location") == wanted
    connection.close()
    assert ask(address, "GET", "/healthz")[0] == 200


@pytest.mark.parametrize(
    ("client", "is_near"),
    [("127.0.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True), ("10.1.2.3", True),
     ("10.2.0.1", False), ("192.0.2.7", False), ("", False)],
)  # fmt: skip
def test_near_is_loopback_and_named_proxies(client: str, is_near: bool) -> None:
    config = settings.MAILHOST
    proxies = type(config)(**{**config.model_dump(), "proxy_networks": "10.1.0.0/16"})
    with override_settings(MAILHOST=proxies):
        assert web_peers.is_near(client) is is_near
