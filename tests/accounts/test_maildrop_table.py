"""The file of maildrops' locks between processes: killed, stopped, forked, many at once."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP

import pytest

from accounts import maildrop_table
from accounts.maildrop_table import OWNER, RENEWED_AT, TOKEN, InUse

# Says "ok" or "in use" to each line: a verb of a lock, a mailbox, and for verbs of time how long
# locks live in this process, in seconds.
PROGRAM = """
import os, sys
from datetime import timedelta
from pathlib import Path
from accounts import maildrop_table
home, held = Path(sys.argv[1]), {}
print(os.getpid(), flush=True)
for line in sys.stdin:
    verb, mailbox = line.split()
    mailbox = int(mailbox)
    try:
        match verb:
            case "lifetime":
                maildrop_table.LIFETIME = timedelta(seconds=mailbox)
            case "take":
                held[mailbox] = maildrop_table.of(home).take(mailbox)
            case "fork":
                if os.fork():
                    os.wait()
                    continue
            case "exit":
                print("ok", flush=True)
                os._exit(0)
            case _:
                getattr(held[mailbox], verb)()
        print("ok", flush=True)
    except maildrop_table.InUse:
        print("in use", flush=True)
"""

RACER = """
import os, sys, time
from pathlib import Path
from accounts import maildrop_table
home, mark = Path(sys.argv[1]), Path(sys.argv[1]) / "mark"
sys.stdin.readline()
taken = 0
while taken < 200:
    try:
        lock = maildrop_table.of(home).take(7)
    except maildrop_table.InUse:
        time.sleep(0.0005)
        continue
    os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    lock.renew()
    lock.secure()
    os.unlink(mark)
    lock.close()
    taken += 1
"""


class Process:
    def __init__(self, home: Path) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = int(self._read())

    def do(self, verb: str, mailbox: int = 7) -> str:
        assert self._popen.stdin is not None
        self._popen.stdin.write(f"{verb} {mailbox}\n")
        self._popen.stdin.flush()
        return self._read()

    def send(self, signal: int) -> None:
        self._popen.send_signal(signal)

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait()
        # Children that were forked end with their input.
        for pipe in (self._popen.stdin, self._popen.stdout):
            assert pipe is not None
            pipe.close()

    def _read(self) -> str:
        assert self._popen.stdout is not None
        return self._popen.stdout.readline().strip()


Start = Callable[[], Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Process] = []

    def start() -> Process:
        started.append(Process(tmp_path))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def file_of(home: Path) -> Path:
    (home / "run").mkdir(exist_ok=True)
    return home / "run" / "maildrops"


def test_a_killed_process_frees_its_locks_at_once(start: Start) -> None:
    holder, other = start(), start()
    assert [holder.do("take", 7), holder.do("take", 8)] == ["ok", "ok"]
    assert [other.do("take", 7), other.do("take", 9)] == ["in use", "ok"]
    holder.kill()
    assert [other.do("take", 7), start().do("take", 8)] == ["ok", "ok"]


def test_after_all_were_killed_everything_is_free(start: Start) -> None:
    for _ in range(3):
        processes = [start(), start()]
        assert [each.do("take", place) for place, each in enumerate(processes)] == ["ok", "ok"]
        for each in processes:
            each.kill()


def test_a_stopped_process_loses_its_lock_in_time(start: Start) -> None:
    holder, other = start(), start()
    assert holder.do("take") == "ok"
    holder.send(SIGSTOP)
    assert other.do("take") == "in use"
    assert other.do("lifetime", 0) == "ok"
    assert other.do("take") == "ok"
    assert other.do("lifetime", 600) == "ok"
    holder.send(SIGCONT)
    assert [holder.do("renew"), holder.do("secure"), holder.do("close")] == [
        "in use",
        "in use",
        "ok",
    ]
    assert holder.do("take") == "in use"
    # The heir is as safe, and frees as surely, as if nobody had been there before.
    assert [other.do("renew"), other.do("secure")] == ["ok", "ok"]
    other.kill()
    assert holder.do("take") == "ok"


def test_a_late_end_takes_nothing_from_later_holders(start: Start) -> None:
    first, second, third = start(), start(), start()
    assert first.do("take") == "ok"
    second.do("lifetime", 0)
    assert [second.do("take"), second.do("close")] == ["ok", "ok"]
    assert first.do("close") == "ok"
    assert third.do("take") == "ok"
    assert [second.do("close"), first.do("close")] == ["ok", "ok"]
    assert start().do("take") == "in use"


def test_many_processes_at_one_row(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen([sys.executable, "-c", RACER, str(tmp_path)], stdin=subprocess.PIPE)
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write(b"\n")
        racer.stdin.flush()
    try:
        assert [racer.wait(60) for racer in racers] == [0] * 4
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()


def test_a_forked_child_is_another_process(start: Start) -> None:
    parent, other = start(), start()
    assert parent.do("take", 7) == "ok"
    # From here on the child answers, and the parent waits for it.
    assert parent.do("fork") == "ok"
    assert [parent.do("take", 7), parent.do("take", 8)] == ["in use", "ok"]
    assert [other.do("take", 7), other.do("take", 8)] == ["in use", "in use"]
    assert parent.do("exit") == "ok"
    assert parent.do("renew", 7) == "ok"
    assert [other.do("take", 7), other.do("take", 8)] == ["in use", "ok"]


def test_each_home_has_its_own(tmp_path: Path) -> None:
    homes = [tmp_path / "a", tmp_path / "b"]
    locks = [maildrop_table.of(home).take(7) for home in homes]
    for home, lock in zip(homes, locks, strict=True):
        with pytest.raises(InUse):
            maildrop_table.of(home).take(7)
        lock.close()
        maildrop_table.of(home).take(7)


@pytest.mark.parametrize("octets", [b"", b"torn", b"\xff" * 100_000, os.urandom(100_000)])
def test_what_is_not_ours_is_free(tmp_path: Path, octets: bytes) -> None:
    file_of(tmp_path).write_bytes(octets)
    table = maildrop_table.of(tmp_path)
    for mailbox in (1, 2, 127, 3000):
        lock = table.take(mailbox)
        lock.renew()
        lock.secure()
        assert table.is_held(mailbox)
        lock.close()
        assert not table.is_held(mailbox)


def test_the_table_is_never_full_and_takes_little_room(tmp_path: Path) -> None:
    table = maildrop_table.of(tmp_path)
    mailboxes = [*range(1, 5000), 10**9, 10**11]
    for mailbox in mailboxes:
        table.take(mailbox)
    assert all(table.is_held(mailbox) for mailbox in mailboxes)
    assert file_of(tmp_path).stat().st_blocks * 512 <= 5 * maildrop_table.WINDOW + 4096


@pytest.mark.parametrize("words", range(3))
def test_who_dies_taking_a_row_leaves_it_free(tmp_path: Path, start: Start, words: int) -> None:
    """Killed between two words of a row that was free before, or whose lock had ended."""
    table = maildrop_table.of(tmp_path)
    table.take(7).close()
    ended = table.take(8)
    dead = start()
    dead.do("take", 9)
    theirs = {OWNER: table._row(9)[OWNER], RENEWED_AT: maildrop_table.now(), TOKEN: 5}
    dead.kill()
    for mailbox in (7, 8):
        for word, value in list(theirs.items())[: words + 1]:
            table._row(mailbox)[word] = value
    assert not table.is_held(7)
    assert not table.is_held(8)
    if words < 2:
        # Its token stands there still, so whose lock had ended may go on, and be sure of it.
        ended.secure()
        assert table.is_held(8)


def test_a_row_that_another_takes_just_now_is_in_use(tmp_path: Path) -> None:
    program = (
        "import fcntl, os, sys\n"
        "fd = os.open(sys.argv[1], os.O_RDWR)\n"
        "fcntl.lockf(fd, fcntl.LOCK_EX, 32, 7 * 32)\n"
        "print(flush=True)\n"
        "sys.stdin.read()\n"
    )
    table = maildrop_table.of(tmp_path)
    lock = table.take(7)
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(file_of(tmp_path))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdout is not None
    other.stdout.readline()
    # Its holder may work and end, but not remove: that would be a guess.
    lock.renew()
    with pytest.raises(InUse):
        lock.secure()
    with pytest.raises(InUse):
        table.take(7)
    table.take(8)
    other.send_signal(SIGKILL)
    other.communicate()
    lock.secure()


def test_at_hand_is_what_needs_no_disk_and_is_free(tmp_path: Path, start: Start) -> None:
    assert maildrop_table.open_already(tmp_path) is None
    table = maildrop_table.of(tmp_path)
    assert maildrop_table.open_already(tmp_path) is table
    # Its part of the file is not mapped yet: the disk may be full, or slow.
    assert table.take_at_hand(7) is None
    table.take(7).close()
    lock = table.take_at_hand(7)
    assert lock is not None
    assert table.take_at_hand(7) is None
    lock.close()
    other = start()
    assert other.do("take") == "ok"
    assert table.take_at_hand(7) is None
    file_of(tmp_path).unlink()
    assert maildrop_table.open_already(tmp_path) is None


def test_a_deleted_file_is_made_anew_and_its_locks_are_void(tmp_path: Path, start: Start) -> None:
    lock = maildrop_table.of(tmp_path).take(7)
    file_of(tmp_path).unlink()
    assert start().do("take") == "ok"
    with pytest.raises(InUse):
        lock.secure()
    with pytest.raises(InUse):
        maildrop_table.of(tmp_path).take(7)
