"""What reaches the log, and what never does."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mailhost.logs import redact

ROOT = Path(__file__).resolve().parents[2]


def test_secrets_are_not_told() -> None:
    event = {"event": "x", "password": "p", "Token": "t", "body": "mail", "address": "a@b.test"}
    assert redact(None, "info", event) == {
        "event": "x",
        "password": "(not logged)",
        "Token": "(not logged)",
        "body": "(not logged)",
        "address": "a@b.test",
    }


@pytest.mark.parametrize(
    "octets", [b"secret mail", bytearray(b"secret mail"), memoryview(b"x" * 11)]
)
def test_octets_are_told_by_their_number(octets: Any) -> None:
    assert redact(None, "info", {"message": octets})["message"] == "(11 octets)"


SCRIPT = """
import django, logging, structlog
django.setup()
log = structlog.get_logger("ours")
log.info("login", address="a@b.test", password="hunter2", octets=b"Subject: private")
logging.getLogger("theirs").warning("plain %s", "words", extra={"token": "hunter2"})
def log_in(password):
    raise ValueError("broken")
try:
    log_in("".join(("hun", "ter2")))
except ValueError:
    log.exception("failed")
log.debug("too much")
"""


def run(**environment: str) -> list[str]:
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={
            "DJANGO_SETTINGS_MODULE": "mailhost.settings",
            "MAILHOST_SECRET_KEY": "k" * 9,
            **environment,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "hunter2" not in found.stderr
    assert "private" not in found.stderr
    return found.stderr.splitlines()


def test_lines_are_json_for_machines(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in run(MAILHOST_HOME=str(tmp_path))]
    assert [(line["event"], line["level"], line["logger"]) for line in lines] == [
        ("login", "info", "ours"),
        ("plain words", "warning", "theirs"),
        ("failed", "error", "ours"),
    ]
    assert lines[0]["address"] == "a@b.test"
    assert "ValueError: broken" in lines[2]["exception"]
    assert all(line["timestamp"].endswith("Z") for line in lines)


def test_and_text_for_people(tmp_path: Path) -> None:
    lines = run(MAILHOST_HOME=str(tmp_path), MAILHOST_LOG_FORMAT="console")
    assert "login" in lines[0]
    assert "address=a@b.test" in lines[0]


def test_the_level_is_a_setting(tmp_path: Path) -> None:
    lines = run(MAILHOST_HOME=str(tmp_path), MAILHOST_LOG_LEVEL="ERROR")
    assert json.loads(lines[0])["event"] == "failed"
    assert logging.getLogger("ours").level == logging.NOTSET


@pytest.mark.parametrize("end", ["\n", "\r", "\x1b[2J", "\u2028", "\x85", "\x9b1m", "\0"])
def test_what_strangers_say_neither_ends_a_line_nor_steers_a_terminal(end: str) -> None:
    event = redact(None, "info", {"event": f"a{end}b", "address": f"é{end}", "count": 3})
    assert event["event"].isprintable()
    assert event["address"].isprintable()
    assert event["address"].startswith("é\\")
    assert event["count"] == 3
