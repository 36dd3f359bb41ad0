"""The home directory of an instance: everything it writes lies there, readable by its user alone.

One supervisor a home: it holds a lock on `run/up.lock`, which the kernel lets go when it dies.
"""

import contextlib
import fcntl
import json
import os
import time
from pathlib import Path

# Directories every process may count on.
WRITTEN = ("run", "logs", "blobs", "valkey")
PARTS = ("keys", *WRITTEN)
# An AF_UNIX path holds 107 octets and a NUL on Linux.
LONGEST_SOCKET_PATH = 107
# How long what an earlier run left behind may take to end.
GOING_DOWN = 10.0


class HomeError(Exception):
    """The home cannot be used; one sentence for the operator."""


def prepare(home: Path) -> None:
    """Make the directories, private to this user. HomeError."""
    os.umask(0o077)
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        for part in PARTS:
            (home / part).mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise HomeError(f"The home {home} cannot be written to: {error.strerror}.") from None
    # What root made, who ran it once, is not for the user who runs it now.
    for path in (home, *(home / part for part in WRITTEN), *(home / "logs").glob("*.log")):
        if not os.access(path, os.W_OK | (os.X_OK if path.is_dir() else 0)):
            raise HomeError(f"The home {home} cannot be used: {path} cannot be written to.")
    for path in home.glob("mailhost.sqlite3*"):
        # A file of another user who lets us write is theirs to close.
        with contextlib.suppress(PermissionError):
            path.chmod(0o600)


def lock(home: Path) -> int:
    """Be the only supervisor of this home; the descriptor holds the lock. HomeError."""
    path = home / "run" / "up.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise HomeError(f"The home {home} cannot be used: {path}: {error.strerror}.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        text = f"Another `up` (process {owner}) runs with the home {home}."
        raise HomeError(text) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def clear_run(home: Path) -> None:
    """Forget an earlier run: wait for what it may have left running, remove its marks."""
    run = home / "run"
    deadline = time.monotonic() + GOING_DOWN
    while any(_is_ours(pid) for pid in _left_children(run)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pattern in ("*.ready", "*.alive", "*.sock", "*.pid", "children.json", "notices/*.sock"):
        for path in run.glob(pattern):
            path.unlink(missing_ok=True)


def _left_children(run: Path) -> list[int]:
    with contextlib.suppress(OSError, ValueError):
        return [int(pid) for pid in json.loads((run / "children.json").read_text()).values()]
    return []


def _is_ours(pid: int) -> bool:
    """Whether that process still runs and is not some later one with the same number."""
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        return any(word in command for word in (b"manage.py", b"celery", b"valkey"))
    return False


def short_path(path: Path) -> str:
    """`path`, or another name for it that fits into a socket address."""
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return str(path)
    # The descriptor stays open for the life of the process: the name leads through it.
    descriptor = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    return f"/proc/self/fd/{descriptor}/{path.name}"
