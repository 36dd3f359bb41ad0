"""Rows inserted in bulk know their keys, and counters of many rows are written back at once."""

import pytest

from accounts import commit
from accounts.inserts import PendingRow, insert_rows
from accounts.models import DirectoryVersion, Folder, Mailbox, Message
from tests.accounts.mail import HELLO, delivery, inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


def test_every_row_learns_its_own_key() -> None:
    for count in (1, 2, 50):
        rows = [PendingRow((100 * count + number, 0)) for number in range(count)]
        insert_rows(DirectoryVersion, ("token", "last_uidvalidity"), rows)
        for row in rows:
            assert DirectoryVersion.objects.get(pk=row.pk).token == row.values[0]
        # A key is never used again.
        DirectoryVersion.objects.get(pk=rows[-1].pk).delete()


def test_keys_that_are_given_stay() -> None:
    rows = [PendingRow((given, 1, 0)) for given in (900, 700, 800)]
    insert_rows(DirectoryVersion, ("id", "token", "last_uidvalidity"), rows)
    assert [row.pk for row in rows] == [900, 700, 800]


def test_one_message_for_many_mailboxes_counts_in_each() -> None:
    keys = [make_mailbox() for _ in range(30)]
    units = [delivery(key, HELLO * (1 + number)) for number, key in enumerate(keys)]
    for future in [commit.submit(unit) for unit in units]:
        future.result(30)
    for number, key in enumerate(keys):
        size = len(HELLO) * (1 + number)
        mailbox = Mailbox.objects.get(pk=key)
        assert (mailbox.used_messages, mailbox.used_bytes) == (1, size)
        folder = Folder.objects.get(pk=inbox(key))
        assert (folder.exists_count, folder.octets, folder.uidnext) == (1, size, 2)
        assert Message.objects.get(mailbox=key).size == size
