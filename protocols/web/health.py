"""`/healthz`: this process answers. `/readyz`: everything that should run here does.

Under `manage.py up` that is every listener and the worker; a web server that runs by itself answers
for itself and for what shares its home. What is ready is believed for two seconds, so that a
stranger who asks often costs nothing.
"""

import contextlib
import json
import os
import socket
import threading
import time
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

PROBE_TIMEOUT = 1.0
BELIEVED_FOR = 2.0
# The worker touches its mark every few seconds.
WORKER_SILENT_AFTER = 30.0

_lock = threading.Lock()
_ready_until = float("-inf")


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when nothing is missing, else 503 with the names of what is."""
    missing = missing_parts()
    status = 503 if missing else 200
    response = JsonResponse({"ready": not missing, "missing": missing}, status=status)
    # Django would log every 5xx as an error; "not yet" is an answer.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def missing_parts() -> list[str]:
    """What should answer and does not: services by name, `worker`, `database`."""
    global _ready_until
    with _lock:
        if time.monotonic() < _ready_until:
            return []
        missing = [*_silent_ports(), *_silent_worker(), *_silent_database()]
        if not missing:
            _ready_until = time.monotonic() + BELIEVED_FOR
        return missing


def forget() -> None:
    """Look again at the next question."""
    global _ready_until
    with _lock:
        _ready_until = float("-inf")


def _run() -> Path:
    return settings.HOME / "run"


def _is_supervised() -> bool:
    """Whether `up` runs here: it notes its children while it does."""
    return (_run() / "children.json").exists()


def _silent_ports() -> list[str]:
    host = settings.MAILHOST.own_address
    if _is_supervised():
        expected = {n.removesuffix("_port"): p for n, p in settings.MAILHOST.ports.items()}
    else:
        expected = _announced()
    return [name for name, port in expected.items() if not _accepts(host, port)]


def _announced() -> dict[str, int]:
    """The ports that servers with this home have said they accept on (`server-PID.ready`)."""
    ports: dict[str, int] = {}
    for path in _run().glob("server-*.ready"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            ports.update(json.loads(path.read_text())["ports"])
    return ports


def _accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=PROBE_TIMEOUT).close()
    except OSError:
        return False
    return True


def _silent_worker() -> list[str]:
    marks = list(_run().glob("worker-*.alive"))
    if not marks and not _is_supervised():
        return []
    newest = max((_touched_at(mark) for mark in marks), default=0.0)
    return [] if time.time() - newest < WORKER_SILENT_AFTER else ["worker"]


def _touched_at(path: Path) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _silent_database() -> list[str]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return ["database"]
    return []
