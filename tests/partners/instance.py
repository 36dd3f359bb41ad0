"""The whole platform through its front door: `manage.py up` with its own home and address."""

import imaplib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.partners.daemon import Daemon

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"


class Instance:
    """One running Mailhost. Ports are the embedded defaults; the address tells hosts apart."""

    WEB, SMTP, SUBMISSION, SUBMISSIONS = 8080, 2525, 2587, 2465
    IMAP, IMAPS, POP3, POP3S = 2143, 2993, 2110, 2995

    def __init__(self, home: Path, address: str, settings: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.address = address
        home.mkdir(parents=True, exist_ok=True)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MAILHOST_")}
        self.env = {
            **kept,
            "MAILHOST_HOME": str(home),
            "MAILHOST_BIND": address,
            "MAILHOST_DEMO": "0",
            "MAILHOST_OUTBOUND_BIND": address,
            "MAILHOST_OUTBOUND_PORT": "2525",
            "MAILHOST_HOSTNAME": "mx.example.test",
            **(settings or {}),
        }

    def start(self, seconds: float = 90) -> "Instance":
        self.daemon = Daemon(
            [sys.executable, str(ROOT / "manage.py"), "up", "--home", str(self.home)],
            self.home.parent / f"{self.home.name}.up.log",
            env=self.env,
            cwd=ROOT,
            clean=True,
        )
        self.daemon.wait_for(self.is_ready, f"Mailhost at {self.address}", seconds)
        return self

    def start_servers(self, *services: str, processes: int = 2) -> "Instance":
        """`serve` alone, as several processes behind the same ports, without a worker.

        The database must have its tables.
        """
        words = [sys.executable, str(ROOT / "manage.py"), "serve", *services]
        self.daemon = Daemon(
            [*words, "--processes", str(processes)],
            self.home.parent / f"{self.home.name}.serve.log",
            env=self.env,
            cwd=ROOT,
            clean=True,
        )
        self.daemon.wait_for(lambda: any(self.home.glob("run/server-*.ready")), "servers")
        return self

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(
                f"http://{self.address}:{self.WEB}/readyz", timeout=2
            ) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        self.daemon.stop()

    def kill(self) -> None:
        """`kill -9` to the supervisor and everything it started."""
        os.killpg(self.daemon.process.pid, signal.SIGKILL)
        self.daemon.process.wait()

    def children(self) -> dict[str, int]:
        """What the supervisor runs now: `server`, `worker` and `redis` by process id."""
        return json.loads((self.home / "run" / "children.json").read_text())

    def servers(self) -> list[int]:
        """The process ids that serve: the children of `server`, or itself where it has none."""
        server = self.children()["server"]
        words = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        return [int(word) for word in words] or [server]

    def manage(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *args],
            env=self.env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if check:
            assert result.returncode == 0, f"{args}: {result.stdout}\n{result.stderr}"
        return result

    def add_mailbox(self, address: str, *options: str) -> None:
        self.manage("mailbox", "add", address, "--password", PASSWORD, "--create-domain", *options)

    @property
    def log(self) -> str:
        return self.daemon.log.read_text(errors="replace")

    def imap(self, user: str, password: str = PASSWORD) -> imaplib.IMAP4:
        client = imaplib.IMAP4(self.address, self.IMAP, timeout=30)
        client.login(user, password)
        return client

    def inbox(self, user: str, folder: str = "INBOX") -> list[bytes]:
        """The octets of every message there, oldest first, without marking them read."""
        client = self.imap(user)
        try:
            client.select(folder, readonly=True)
            _, found = client.search(None, "ALL")
            messages = []
            for number in found[0].split():
                _, data = client.fetch(number, "(BODY.PEEK[])")
                messages.append(data[0][1])
            return messages
        finally:
            client.logout()

    def queue(self) -> list[dict[str, object]]:
        return json.loads(self.manage("queue", "list", "--json").stdout)


def queued_as(reply: str) -> str:
    """The queue id in `250 2.0.0 Ok: queued as ID`."""
    found = re.search(r"queued as ([A-Z0-9]+)", reply)
    assert found, f"no queue id in {reply!r}"
    return found[1]
