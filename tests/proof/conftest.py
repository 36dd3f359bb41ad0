"""The long ones: collected only for `make proof` (MAILHOST_PROOF=1), their figures shown last."""

import os

import pytest

from tests.journeys.conftest import address, make_instance, make_servers

__all__ = ["address", "make_instance", "make_servers"]

if os.environ.get("MAILHOST_PROOF") != "1":
    collect_ignore_glob = ["test_*.py"]

_figures = pytest.StashKey[list[str]]()


@pytest.fixture
def figures(pytestconfig: pytest.Config) -> list[str]:
    """Lines for the end of the run."""
    return pytestconfig.stash.setdefault(_figures, [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if lines := config.stash.get(_figures, []):
        terminalreporter.section("what was proved")
        for line in lines:
            terminalreporter.line(line)
