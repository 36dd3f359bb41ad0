"""Which servers and workers of a home live: each leaves a mark with its number in `run/`."""

from pathlib import Path


def living(home: Path) -> list[Path]:
    """The marks of processes that are there; some died, and could not take theirs back."""
    run = home / "run"
    return [
        mark for mark in (*run.glob("server-*.ready"), *run.glob("worker-*.alive")) if _lives(mark)
    ]


def _lives(mark: Path) -> bool:
    """Whether the process that a mark is named for lives, and is no later one of that number."""
    try:
        command = Path("/proc", mark.stem.rpartition("-")[2], "cmdline").read_bytes()
    except OSError:
        return False
    return b"manage.py" in command or b"celery" in command
