"""INPROGRESS: not too early, not too often, and while a commit is waited for."""

from collections.abc import Iterator
from concurrent.futures import Future
from threading import Timer

import pytest

from protocols.servers.imap import progress
from protocols.servers.imap.progress import PERIOD, Progress
from protocols.servers.slices import SLICE_SECONDS, Slices
from protocols.wire.imap import responses


def test_a_line_is_due_once_a_period(monkeypatch: pytest.MonkeyPatch) -> None:
    at = 100.0
    monkeypatch.setattr(progress, "now", lambda: at)
    it = Progress(b"t")
    said = []
    for moment in (0.0, PERIOD - 1, PERIOD, PERIOD + 1, 2 * PERIOD - 1, 2 * PERIOD):
        at = 100.0 + moment
        said.append(bool(it.line(1, 2)))
    assert said == [False, False, True, False, False, True]


def test_the_goal_itself_is_not_spoken_of(monkeypatch: pytest.MonkeyPatch) -> None:
    at = 100.0
    monkeypatch.setattr(progress, "now", lambda: at)
    it = Progress(b"t")
    at += PERIOD
    assert it.line(2, 2) == b""
    # And the next line is not the later for it.
    assert it.line(1, 2) == responses.in_progress(b"t", 1, 2)


@pytest.mark.parametrize(
    ("tag", "done", "goal", "code"),
    [
        (b"A1", 0, 5, b'[INPROGRESS ("A1" 0 5)]'),
        (b"A1", 175, 0, b'[INPROGRESS ("A1" 175 NIL)]'),
        (b"A1", None, 7, b'[INPROGRESS ("A1" NIL NIL)]'),
        (b"A]1", 1, 2, b"[INPROGRESS (NIL 1 2)]"),
    ],
)
def test_what_is_said(tag: bytes, done: int | None, goal: int, code: bytes) -> None:
    line = responses.in_progress(tag, done, goal)
    assert line.startswith(b"* OK " + code + b" ")
    assert line.endswith(b"\r\n")


def test_who_waits_hears_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PERIOD", 0.01)
    future: Future[int] = Future()
    results: list[int] = []

    def wait() -> Iterator[bytes]:
        results.append((yield from Progress(b"t").waiting(future)))

    waiting = wait()
    assert [next(waiting) for _ in range(3)] == [line := responses.in_progress(b"t"), b"", line]
    Timer(0.05, future.set_result, (7,)).start()
    list(waiting)
    assert results == [7]


def test_a_line_is_on_its_way_while_the_commit_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PERIOD", 2 * SLICE_SECONDS)
    future: Future[int] = Future()
    slices = Slices(Progress(b"t").waiting(future), lambda: None)
    said = [*slices.pull().pushes, *slices.pull().pushes]
    assert said == [responses.in_progress(b"t")]


def test_what_is_done_at_once_is_not_spoken_of() -> None:
    future: Future[int] = Future()
    future.set_exception(KeyError("x"))
    with pytest.raises(KeyError):
        next(Progress(b"t").waiting(future))
