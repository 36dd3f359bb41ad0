"""A pytest plug-in: what needs a program that is not installed is skipped and listed, loudly.

`MAILHOST_REQUIRE_PARTNERS=1` (as in CI) turns every missing program into a failure.
"""

import os
import shutil
from collections.abc import Iterator

import pytest

# Program → Debian package. `make partners` installs them all.
PACKAGES = {
    "systemd-analyze": "systemd",
    "unbound-checkconf": "unbound",
    "knotd": "knot",
    "postfix": "postfix",
    "smtp-sink": "postfix",
    "dovecot": "dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-core",
    "redis-server": "redis-server",
    "swaks": "swaks libnet-ssleay-perl",
    "msmtp": "msmtp",
    "mpop": "mpop",
    "curl": "curl",
    "mbsync": "isync",
    "offlineimap": "offlineimap3",
    "getmail": "getmail6",
    "fetchmail": "fetchmail",
    "mutt": "mutt",
    "alpine": "alpine",
    "ruby": "ruby",
    "tmux": "tmux",
    "chromium": "chromium",
    "thunderbird": "thunderbird",
    "postgres": "postgresql",
}
_EXTRA_PATHS = ("/usr/sbin", "/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/17/bin")

_missing: dict[str, set[str]] = {}


# What comes with our own packages, too.
_BUNDLED = {"redis-server", "initdb", "postgres"}


def program(name: str) -> str | None:
    """The full path of a program, or None; `MAILHOST_TEST_BUNDLED=1` hides what we bring along."""
    if name in _BUNDLED and os.environ.get("MAILHOST_TEST_BUNDLED") == "1":
        return None
    path = os.pathsep.join([os.environ.get("PATH", ""), *_EXTRA_PATHS])
    return shutil.which(name, path=path)


def need(*names: str, root: bool = False) -> None:
    """Skip the test (in CI: fail it) unless every program is there."""
    absent = [name for name in names if program(name) is None]
    if root and os.geteuid() != 0:
        absent.append("root rights")
    if not absent:
        return
    if os.environ.get("MAILHOST_REQUIRE_PARTNERS") == "1":
        pytest.fail(f"missing partners: {', '.join(absent)} (run `make partners`)")
    test = os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0]
    for name in absent:
        _missing.setdefault(name, set()).add(test)
    pytest.skip(f"needs {', '.join(absent)}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = sorted(
        {
            str(report.longrepr[2]).removeprefix("Skipped: ")
            for report in terminalreporter.stats.get("skipped", [])
            if isinstance(report.longrepr, tuple)
            and str(report.longrepr[2]).startswith("Skipped: needs ")
        }
    )
    if not reasons:
        return
    names = sorted({n for reason in reasons for n in reason.removeprefix("needs ").split(", ")})
    packages = sorted({p for n in names for p in PACKAGES.get(n, "").split()})
    terminalreporter.section("not run here, for want of programs")
    terminalreporter.line(", ".join(names))
    if packages:
        terminalreporter.line("apt-get install --no-install-recommends " + " ".join(packages))


@pytest.fixture(scope="session")
def loopback() -> Iterator["Loopback"]:
    return Loopback()


class Loopback:
    """Hands out addresses of 127/8, so that every test host has one of its own."""

    def __init__(self) -> None:
        # Workers, and runs side by side, differ in their process id. From 127.100 on others live.
        high, low = divmod(os.getpid(), 250)
        self._net = f"127.{16 + high % 84}.{low}"
        self._last = 1

    def address(self) -> str:
        self._last += 1
        return f"{self._net}.{self._last}"
