"""kill -9 in the middle of a verb: a process that repeats it, and what must hold afterwards."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from django.db import connection, transaction

from accounts import blobs, fsck
from accounts.mailstore import folders, forgetting, index
from accounts.models import Entry, Folder, Mailbox, Message, RecoverableEntry, Vanished
from accounts.uid_sets import uids_in
from tests.accounts.mail import append_many, counters_agree, flags_of, make_mailbox

MESSAGES = 5_000
# What a verb takes for so many messages is some 50 ms: the kill lands in one of the first few.
LATEST = 0.4
PATIENCE = 60

VERBS = ("append", "copy", "move", "store", "expunge", "restore")

WORKER = """
import sys, django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
django.setup()
from accounts.mailstore import append, recovery
from accounts.mailstore.flags import Flag, StoreMode
from accounts.models import Entry
from tests.accounts.as_owner import copy_uids, expunge_uids, move_uids, store_flags
from tests.accounts.mail import HELLO

verb, box, here, there = sys.argv[2], *map(int, sys.argv[3:6])

def uids(folder):
    return list(Entry.objects.filter(folder_id=folder).values_list("uid", flat=True))

def do():
    match verb:
        case "append":
            for future in [append.append_message(box, here, HELLO) for _ in range(50)]:
                future.result()
        case "copy":
            copy_uids(here, uids(here), there)
            expunge_uids(there, None, only_deleted=False)
        case "move":
            move_uids(here, uids(here), there)
            move_uids(there, uids(there), here)
        case "store":
            store_flags(here, uids(here), StoreMode.ADD, Flag.SEEN, ["$Label"])
            store_flags(here, uids(here), StoreMode.REMOVE, Flag.SEEN)
        case "expunge" | "restore":
            expunge_uids(here, None, only_deleted=False)
            recovery.restore(box, [each.id for each in recovery.recoverable(box)])

uids(here)
print("ready", flush=True)
while True:
    do()
"""


class Stage:
    """A mailbox with many messages in one of its two folders."""

    def __init__(self) -> None:
        self.mailbox_id = make_mailbox()
        self.here = folders.find_folder(self.mailbox_id, "Archive").id
        self.there = folders.find_folder(self.mailbox_id, "Trash").id
        append_many(self.mailbox_id, self.here, 1)
        first = Message.objects.get(mailbox_id=self.mailbox_id)
        Message.objects.bulk_create(_again(first) for _ in range(MESSAGES - 1))
        self.messages = set(
            Message.objects.filter(mailbox_id=self.mailbox_id).values_list("pk", flat=True)
        )
        others = sorted(self.messages - {first.pk})
        Entry.objects.bulk_create(
            Entry(folder_id=self.here, message_id=key, uid=uid, modseq=2, saved_at=0)
            for uid, key in enumerate(others, 2)
        )
        octets = first.size * MESSAGES
        Folder.objects.filter(pk=self.here).update(
            uidnext=MESSAGES + 1, exists_count=MESSAGES, unseen_count=MESSAGES, octets=octets
        )
        Mailbox.objects.filter(pk=self.mailbox_id).update(used_bytes=octets, used_messages=MESSAGES)

    def run_and_kill(self, verb: str, chance: random.Random) -> None:
        """Have another process do `verb` over and over, and kill it at some moment."""
        if verb == "copy":
            # The copies that were removed again: rounds would get longer and longer.
            forgetting.forget_mailbox(self.mailbox_id)
        for folder_id in (self.here, self.there):
            # From here on the pictures live on what the log says.
            index.picture(folder_id)
        arguments = (str(connection.settings_dict["NAME"]), verb)
        places = (str(self.mailbox_id), str(self.here), str(self.there))
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, *arguments, *places],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0.0, LATEST))
            assert worker.poll() is None
        finally:
            worker.kill()
            worker.communicate(timeout=PATIENCE)
        blobs.seal_abandoned()
        with transaction.atomic():
            # A server of its own may still be at what its client was killed in.
            Mailbox.objects.select_for_update().get(pk=self.mailbox_id)

    def check(self, verb: str) -> None:
        """Whatever the verb, the store is sound; and what it was about is where it may be."""
        faults = [finding.text for finding in fsck.check(lambda _: None) if finding.is_fault]
        assert faults == []
        assert counters_agree(self.mailbox_id)
        for folder_id in (self.here, self.there):
            picture = index.picture(folder_id)
            assert dict(zip(picture.uids, picture.flags, strict=True)) == flags_of(folder_id)
            self._check_vanished(folder_id)
        here, there = self._held(self.here), self._held(self.there)
        match verb:
            case "append":
                assert self.messages <= set(here)
                assert len(here) == len(set(here))
            case "copy":
                # All or nothing (RFC 9051 §6.4.7), and its undoing in chunks of an EXPUNGE.
                assert set(here) == self.messages
                assert set(there) <= self.messages
            case "move":
                # Each in exactly one of the two (RFC 6851 §3.3).
                assert sorted([*here, *there]) == sorted(self.messages)
            case "store":
                assert set(here) == self.messages
            case "expunge" | "restore":
                kept = RecoverableEntry.objects.filter(batch__mailbox_id=self.mailbox_id)
                gone = kept.values_list("message_id", flat=True)
                assert sorted([*here, *gone]) == sorted(self.messages)

    def _held(self, folder_id: int) -> list[int]:
        rows = Entry.objects.filter(folder_id=folder_id)
        return list(rows.values_list("message_id", flat=True))

    def _check_vanished(self, folder_id: int) -> None:
        """Every UID that was ever given is there or is told to have gone, and never both."""
        texts = Vanished.objects.filter(folder_id=folder_id).values_list("uids", flat=True)
        gone = [uid for text in texts for uid in uids_in(text)]
        there = list(flags_of(folder_id))
        last = Folder.objects.get(pk=folder_id).uidnext
        assert sorted([*gone, *there]) == list(range(1, last))


def _again(message: Message) -> Message:
    return Message(
        mailbox_id=message.mailbox_id,
        blob_id=message.blob_id,
        size=message.size,
        internal_date=message.internal_date,
        envelope=message.envelope,
        bodystructure=message.bodystructure,
        body=message.body,
        headers=message.headers,
    )
