"""What nobody waits for leaves the processor to all others."""

import os
import signal
import threading

import pytest

from accounts import background, commit, tasks
from accounts.mailstore import search_tailer


def _niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_it_has_less_priority_than_who_asks_for_it() -> None:
    before = _niceness()
    assert background.run(_niceness) == min(19, before + background.NICENESS)
    assert background.run(_niceness) == min(19, before + background.NICENESS)
    assert _niceness() == before


def test_its_errors_are_those_of_who_asks_for_it() -> None:
    def fail() -> None:
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        background.run(fail)


def test_mail_is_indexed_there(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def catch_up() -> int:
        seen.append(_niceness())
        return 0

    monkeypatch.setattr(search_tailer, "catch_up", catch_up)
    tasks.index_mail()
    assert seen == [min(19, _niceness() + background.NICENESS)]


@pytest.mark.django_db(transaction=True)
def test_what_it_commits_is_committed_as_soon_as_anything() -> None:
    # By a thread that nobody has needed yet.
    commit.reset()
    unit = commit.Unit(frozenset(), lambda rows, blob_id: _niceness())
    assert background.run(lambda: commit.run(unit)) == _niceness()


def test_a_forked_child_has_a_thread_of_its_own() -> None:
    background.run(_niceness)
    child = os.fork()
    if not child:
        signal.alarm(20)
        try:
            background.run(_niceness)
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
