"""Whoever watches a folder hears that it changed: at once here, soon in other processes."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
from django.conf import settings
from django.db import connection

from accounts import effects
from accounts.mailstore import append, changes, folders, notices, redis_notices
from accounts.models import Folder, Mailbox
from tests.accounts.mail import make_mailbox
from tests.partners.platform import PLATFORM

pytestmark = pytest.mark.django_db(transaction=True)


class Ear:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, int]] = []
        self._condition = threading.Condition()

    def __call__(self, folder_id: int, modseq: int) -> None:
        with self._condition:
            self.heard.append((folder_id, modseq))
            self._condition.notify_all()

    def hears(self, test: Callable[[list[tuple[int, int]]], bool], seconds: float = 5) -> bool:
        with self._condition:
            return self._condition.wait_for(lambda: test(self.heard), seconds)


@pytest.fixture
def ear() -> Ear:
    return Ear()


def test_a_watcher_of_the_folder_is_called(ear: Ear) -> None:
    leave = changes.subscribe(7, ear, known_modseq=1)
    changes.publish([(1, 8, 5)])
    changes.publish([(1, 7, 6)])
    leave()
    changes.publish([(1, 7, 7)])
    assert ear.heard == [(7, 6)]


def test_a_watcher_of_the_mailbox_hears_of_every_folder(ear: Ear) -> None:
    leave = changes.subscribe_mailbox(1, ear, known_modseq=1)
    changes.publish([(1, 7, 6)])
    changes.publish([(1, 0, 7)])
    changes.publish([(2, 9, 8)])
    leave()
    assert ear.heard == [(7, 6), (0, 7)]


def test_one_broken_watcher_does_not_silence_the_others(
    ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(folder_id: int, modseq: int) -> None:
        raise RuntimeError("broken")

    leaves = [changes.subscribe(7, each, known_modseq=1) for each in (broken, ear)]
    changes.publish([(1, 7, 6)])
    for leave in leaves:
        leave()
    assert ear.heard == [(7, 6)]
    assert "a watcher of folder 7 failed" in caplog.text


def test_a_commit_is_heard_of(ear: Ear) -> None:
    mailbox_id = make_mailbox()
    folder = folders.find_folder(mailbox_id, "INBOX")
    leave = changes.subscribe(folder.id, ear, known_modseq=folder.highest_modseq)
    appended = append.append_message(mailbox_id, folder.id, b"A: b\r\n\r\n").result()
    assert ear.hears(lambda heard: (folder.id, appended.modseq) in heard)
    leave()


def test_the_poll_finds_what_no_notice_told(ear: Ear) -> None:
    mailbox_id = make_mailbox()
    folder = folders.find_folder(mailbox_id, "INBOX")
    leaves = [
        changes.subscribe(folder.id, ear, known_modseq=folder.highest_modseq),
        changes.subscribe_mailbox(mailbox_id, ear, known_modseq=100),
    ]
    changes.poll()
    assert ear.heard == []
    Folder.objects.filter(pk=folder.id).update(highest_modseq=50)
    changes.poll()
    changes.poll()
    assert ear.heard == [(folder.id, 50)] * 2
    Mailbox.objects.filter(pk=mailbox_id).update(highest_modseq=101)
    changes.poll()
    assert ear.heard[2:] == [(0, 101)]
    for leave in leaves:
        leave()


_OTHER = """
import sys
import django
django.setup()
from accounts.mailstore import changes
import threading
heard = threading.Event()
changes.subscribe(7, lambda folder, modseq: heard.set(), known_modseq=1)
print("ready", flush=True)
print("heard" if heard.wait(10) else "deaf", flush=True)
if sys.argv[1] == "answer":
    changes.publish([(1, 8, 2)])
sys.stdin.read()
"""


def _other_process(job: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "mailhost.settings",
        "MAILHOST_HOME": str(settings.HOME),
    }
    other = subprocess.Popen(
        [sys.executable, "-c", _OTHER, job],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "ready\n"
    return other


def test_processes_hear_each_other(ear: Ear) -> None:
    leave = changes.subscribe(8, ear, known_modseq=1)
    with _other_process("answer") as other:
        assert other.stdout is not None
        # Through Redis a new listener is heard of a little later.
        ready = threading.Event()
        publisher = threading.Thread(target=_publish_until, args=(ready,))
        publisher.start()
        assert other.stdout.readline() == "heard\n"
        ready.set()
        publisher.join()
        assert ear.hears(lambda heard: (8, 2) in heard)
        other.communicate()
    leave()


def _publish_until(done: threading.Event) -> None:
    for modseq in range(2, 1000):
        changes.publish([(1, 7, modseq)])
        if done.wait(0.01):
            return


def test_the_socket_of_a_dead_process_is_removed() -> None:
    if notices._uses_redis():
        pytest.skip("these processes talk through Redis")
    other = _other_process("die")
    sockets = settings.HOME / "run" / "notices"
    before = set(sockets.glob(f"{other.pid}-*.sock"))
    assert before
    other.kill()
    other.communicate()
    until = time.monotonic() + 5
    while any(path.exists() for path in before) and time.monotonic() < until:
        changes.publish([(1, 7, 2)])
    assert not any(path.exists() for path in before)


def test_processes_that_may_stand_on_several_machines_talk_through_redis() -> None:
    assert notices._uses_redis() == (PLATFORM == "scaled")


def test_a_redis_that_is_away_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = settings.MAILHOST.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    with monkeypatch.context() as context:
        context.setattr(settings, "MAILHOST", nobody)
        redis_notices.Outbox().put([(1, 7, 2)])
        assert effects.wait_idle()
    said = [record for record in caplog.records if "Redis does not take them" in record.message]
    assert len(said) == 1
    assert not any(record.exc_info for record in caplog.records)


def test_a_long_path_is_no_obstacle(
    ear: Ear, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path_factory.mktemp("h" * 120)
    monkeypatch.setattr(settings, "HOME", home)
    monkeypatch.setattr(notices, "_datagrams", notices._Datagrams())
    listening = notices._bind()
    notices._datagrams.own_names.clear()
    notices._datagrams.send([b"1 7 2"])
    listening.settimeout(5)
    assert listening.recv(256) == b"1 7 2"
    listening.close()


def test_one_look_for_the_sockets_serves_all_notices_of_a_commit(
    ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []
    sender = notices._Datagrams()
    monkeypatch.setattr(notices, "_uses_redis", lambda: False)
    monkeypatch.setattr(notices, "_datagrams", sender)
    monkeypatch.setattr(sender, "_refresh", looks.append)
    leave = changes.subscribe_mailbox(1, ear, known_modseq=1)
    changes.publish([(1, 7, 6), (1, 8, 6)])
    leave()
    assert ear.heard == [(7, 6), (8, 6)]
    assert len(looks) == 1


def test_a_notice_that_is_none_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    told: list[tuple[int, int, int]] = []
    listener = notices.Listener(lambda *notice: told.append(notice), lambda: None)
    for notice in (b"", b"1 2", b"x y z", b"1 2 3 4"):
        listener._read(notice)
    assert told == [(1, 2, 3)]
    assert caplog.text.count("not a notice") == 3


def test_publishing_asks_no_database() -> None:
    with connection.execute_wrapper(_refuse):
        changes.publish([(1, 7, 2)])


def _refuse(*arguments: object) -> None:
    raise AssertionError("publish asked the database")
