"""Several messages in one APPEND: all of them or none (RFC 3502), whatever happens meanwhile."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from django.db import connection

from accounts import blobs, fsck
from accounts.blobs import Spool
from accounts.blobs.spool import IN_MEMORY
from accounts.mailstore import append_together, folders
from accounts.mailstore.append_together import Stored
from accounts.mailstore.flags import MAX_KEYWORDS, Flag
from accounts.mailstore.refusals import OverQuota, TookTooLong, TooManyKeywords
from accounts.models import Blob, Entry, Mailbox
from tests.accounts.mail import content, counters_agree, inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


def stored(octets: bytes, keywords: tuple[str, ...] = ()) -> Stored:
    spool = Spool()
    spool.write(octets)
    return append_together.store(
        spool, flags=Flag.SEEN, keywords=keywords, internal_date=None, zone_minutes=0
    )


def append(mailbox_id: int, messages: list[Stored]) -> list[int]:
    future = append_together.append_stored(
        mailbox_id, inbox(mailbox_id), messages, folder_name="INBOX", actor=mailbox_id
    )
    return [each.uid for each in future.result(20)]


def test_all_are_there_in_their_order() -> None:
    mailbox_id = make_mailbox()
    octets = [b"X: %d\r\n\r\n" % number for number in range(30)]
    octets.append(b"X: large\r\n\r\n" + b"x" * IN_MEMORY)
    assert append(mailbox_id, [stored(each) for each in octets]) == list(range(1, 32))
    assert list(content(inbox(mailbox_id)).values()) == octets
    assert set(Entry.objects.values_list("flags", "modseq")) == {(Flag.SEEN, 2)}
    assert counters_agree(mailbox_id)
    assert [each for each in fsck.check(lambda text: None) if each.is_fault] == []


@pytest.mark.parametrize(
    ("quota", "number", "keywords", "refusal"),
    [
        ({"quota_bytes": 20}, 3, (), OverQuota),
        ({"quota_messages": 2}, 3, (), OverQuota),
        ({}, 2, tuple(f"k{number}" for number in range(MAX_KEYWORDS + 1)), TooManyKeywords),
    ],
)
def test_one_that_does_not_fit_keeps_all_out(
    quota: dict[str, int], number: int, keywords: tuple[str, ...], refusal: type[Exception]
) -> None:
    mailbox_id = make_mailbox()
    Mailbox.objects.update(**quota)
    messages = [stored(b"X: y\r\n\r\n") for _ in range(number - 1)]
    with pytest.raises(refusal):
        append(mailbox_id, [*messages, stored(b"X: y\r\n\r\n", keywords)])
    assert not Entry.objects.exists()
    info = folders.get_folder(inbox(mailbox_id))
    assert (info.uidnext, info.keywords) == (1, ())
    assert counters_agree(mailbox_id)


def test_octets_that_were_collected_meanwhile_keep_all_out() -> None:
    mailbox_id = make_mailbox()
    messages = [stored(b"X: y\r\n\r\n") for _ in range(3)]
    Blob.objects.filter(pk=messages[1].blob.result(20)).delete()
    with pytest.raises(TookTooLong):
        append(mailbox_id, messages)
    assert not Entry.objects.exists()


WRITER = """
import sys, django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
django.setup()
from tests.accounts.test_append_together import append, stored
number = 0
while True:
    number += 1
    append(int(sys.argv[2]), [stored(b"X: %d\\r\\n\\r\\n%d" % (number, at)) for at in range(5)])
    sys.stdout.write("%d\\n" % number); sys.stdout.flush()
"""


def test_a_killed_process_leaves_whole_appends_only() -> None:
    mailbox_id = make_mailbox()
    arguments = (str(connection.settings_dict["NAME"]), str(mailbox_id))
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(60, writer.kill)
    watchdog.start()
    assert writer.stdout is not None
    promised = 0
    for line in writer.stdout:
        promised = int(line)
        if promised == 25:
            writer.send_signal(signal.SIGKILL)
    watchdog.cancel()
    writer.wait()
    blobs.seal_abandoned()
    headers = Counter(octets.split(b"\r\n")[0] for octets in content(inbox(mailbox_id)).values())
    assert len(headers) >= promised >= 25
    assert set(headers.values()) == {5}
    assert counters_agree(mailbox_id)
