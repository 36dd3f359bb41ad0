"""/healthz, /readyz and /metrics: true when all is well, and what is missing when it is not."""

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError
from django.test import Client

from accounts import directory
from protocols.web import health
from tests.delivery.zones import unused_port

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(settings, "HOME", tmp_path)
    (tmp_path / "run").mkdir()
    health.forget()
    yield tmp_path
    health.forget()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def ready() -> tuple[int, list[str]]:
    answer = Client().get("/readyz")
    return answer.status_code, answer.json()["missing"]


def test_healthz_answers_whatever_else_is_wrong() -> None:
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert "no-store" in answer["Cache-Control"]


def supervised(home: Path, monkeypatch: pytest.MonkeyPatch, **ports: int) -> Path:
    """A home in which `up` runs, with these ports; gives the worker's mark."""
    (home / "run" / "children.json").write_text("{}")
    assert settings.MAILHOST.ports.keys() >= ports.keys()
    config = settings.MAILHOST.model_copy(
        update={**dict.fromkeys(settings.MAILHOST.ports, next(iter(ports.values()))), **ports}
    )
    monkeypatch.setattr(settings, "MAILHOST", config)
    mark = home / "run" / "worker-1.alive"
    mark.touch()
    return mark


def test_ready_means_every_port_and_the_worker(
    home: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = supervised(home, monkeypatch, smtp_port=listener.getsockname()[1])
    assert ready() == (200, [])
    health.forget()
    mark.unlink()
    assert ready() == (503, ["worker"])
    mark.touch()
    os.utime(mark, (time.time(), time.time() - health.WORKER_SILENT_AFTER - 1))
    assert ready() == (503, ["worker"])


def test_a_port_that_does_not_accept_is_named(
    home: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = listener.getsockname()[1]
    supervised(home, monkeypatch, web_port=port, imaps_port=unused_port())
    assert ready() == (503, ["imaps"])


def test_what_is_ready_is_believed_for_a_moment(
    home: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = supervised(home, monkeypatch, smtp_port=listener.getsockname()[1])
    assert ready() == (200, [])
    mark.unlink()
    assert ready() == (200, [])


def test_a_web_server_alone_answers_for_what_shares_its_home(
    home: Path, listener: socket.socket
) -> None:
    assert ready() == (200, [])
    health.forget()
    port = listener.getsockname()[1]
    (home / "run" / "server-7.ready").write_text(json.dumps({"pid": 7, "ports": {"mx": port}}))
    assert ready() == (200, [])
    health.forget()
    listener.close()
    assert ready() == (503, ["mx"])


def test_a_database_that_does_not_answer_is_missing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise DatabaseError("gone")

    monkeypatch.setattr("protocols.web.health.connection.cursor", fail)
    assert ready() == (503, ["database"])


def test_not_ready_is_no_error_in_the_log(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "run" / "worker-1.alive").touch()
    os.utime(home / "run" / "worker-1.alive", (1, 1))
    assert ready()[0] == 503
    assert caplog.records == []


def test_metrics_count_what_is_hosted(home: Path) -> None:
    directory.create_domain(directory.create_tenant("T"), "a.test")
    directory.create_mailbox("x@a.test", "secret")
    text = Client().get("/metrics").content.decode()
    assert "mailhost_mailboxes 1.0" in text
    assert "mailhost_domains 1.0" in text
    assert "mailhost_ready 1.0" in text
    assert "process_cpu_seconds_total" in text
    assert "x@a.test" not in text


def test_metrics_are_not_for_strangers() -> None:
    assert Client(REMOTE_ADDR="192.0.2.1").get("/metrics", secure=True).status_code == 404
    assert Client(REMOTE_ADDR="").get("/metrics").status_code == 404
