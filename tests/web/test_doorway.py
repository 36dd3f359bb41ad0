"""Who may come in clear, and whose word about a client is believed."""

from ipaddress import ip_network
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from protocols.web.doorway import Doorway

STRANGER = "192.0.2.1"
PROXY = "10.0.0.5"


@pytest.fixture(autouse=True)
def _proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings.MAILHOST.model_copy(
        update={
            "proxy_networks": [ip_network("10.0.0.0/8")],
            "metrics_networks": [ip_network("192.0.2.64/26")],
        }
    )
    monkeypatch.setattr(settings, "MAILHOST", config)


def come(path: str = "/admin/?next=1", *, secure: bool = False, **headers: str) -> Any:
    """What the doorway answers; 200 stands for "let in", with the client it saw."""

    def let_in(request: HttpRequest) -> HttpResponse:
        return HttpResponse(f"{request.META['REMOTE_ADDR']} {request.scheme}")

    request = RequestFactory().get(path, secure=secure, **headers)
    return Doorway(let_in)(request)


def test_strangers_in_clear_are_sent_to_tls() -> None:
    answer = come(REMOTE_ADDR=STRANGER, HTTP_HOST="mx.example.test:8080")
    assert answer.status_code == 301
    assert answer["Location"] == "https://mx.example.test:8443/admin/?next=1"


def test_the_usual_port_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings.MAILHOST.model_copy(update={"webs_port": 443})
    monkeypatch.setattr(settings, "MAILHOST", config)
    answer = come(REMOTE_ADDR=STRANGER, HTTP_HOST="mx.example.test")
    assert answer["Location"] == "https://mx.example.test/admin/?next=1"


def test_tls_and_loopback_come_in() -> None:
    assert come(secure=True, REMOTE_ADDR=STRANGER).content == b"192.0.2.1 https"
    assert come(REMOTE_ADDR="127.0.0.1").content == b"127.0.0.1 http"
    assert come(REMOTE_ADDR="::1").content == b"::1 http"


def test_a_named_proxy_is_believed() -> None:
    answer = come(
        REMOTE_ADDR=PROXY,
        HTTP_X_FORWARDED_FOR="203.0.113.9, 198.51.100.4",
        HTTP_X_FORWARDED_PROTO="https",
    )
    assert answer.content == b"198.51.100.4 https"
    assert come(REMOTE_ADDR=PROXY, HTTP_X_FORWARDED_FOR="nonsense").content == b"10.0.0.5 http"


def test_ipv4_that_comes_by_ipv6_is_ipv4() -> None:
    assert come(REMOTE_ADDR="::ffff:127.0.0.1").content == b"127.0.0.1 http"
    assert come(secure=True, REMOTE_ADDR=f"::ffff:{STRANGER}").content == b"192.0.2.1 https"
    assert come("/metrics", REMOTE_ADDR="::ffff:192.0.2.65").status_code == 200
    told = {"HTTP_X_FORWARDED_FOR": "::ffff:198.51.100.4", "HTTP_X_FORWARDED_PROTO": "https"}
    assert come(REMOTE_ADDR=f"::ffff:{PROXY}", **told).content == b"198.51.100.4 https"
    assert come(REMOTE_ADDR=f"::ffff:{STRANGER}", **told).status_code == 301


def test_an_address_is_known_without_its_interface() -> None:
    assert come(secure=True, REMOTE_ADDR="fe80::1%eth0").content == b"fe80::1 https"


def test_nobody_else_is() -> None:
    forged = {"HTTP_X_FORWARDED_FOR": "127.0.0.1", "HTTP_X_FORWARDED_PROTO": "https"}
    assert come(REMOTE_ADDR=STRANGER, **forged).status_code == 301
    assert come(secure=True, REMOTE_ADDR=STRANGER, **forged).content == b"192.0.2.1 https"


def test_metrics_may_be_scraped_in_clear() -> None:
    assert come("/metrics", REMOTE_ADDR="192.0.2.65").status_code == 200
    assert come("/metrics", REMOTE_ADDR=STRANGER).status_code == 301
    assert come("/", REMOTE_ADDR="192.0.2.65").status_code == 301


def test_a_name_that_is_not_ours_is_refused() -> None:
    answer = Client(REMOTE_ADDR=STRANGER).get("/", HTTP_HOST="evil.example")
    assert answer.status_code == 400
