"""Previews of messages that came before there were any (RFC 8970)."""

import pytest
from django.core.management import call_command
from pytest_django import DjangoAssertNumQueries

from accounts import commit
from accounts.blobs import BlobMissing
from accounts.mailstore import fetch, previews
from accounts.mailstore.columns import read_columns
from accounts.mailstore.fetch import Columns
from accounts.models import Blob, Message
from tests.accounts.mail import HELLO, append_many, delivery, inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder_id() -> int:
    """A folder of three messages, the second of them from before there were previews."""
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 2)
    commit.run(delivery(mailbox_id, b"no header, but words\r\n", b"Received: x\r\n\r\n"))
    Message.objects.filter(entries__uid__gte=2).update(preview=None)
    return inbox(mailbox_id)


def _previews(folder_id: int) -> list[str | None]:
    return [row.preview for row in fetch.fetch(folder_id, [1, 2, 3], columns=Columns.PREVIEW)]


def test_what_is_missing_is_made_and_kept(
    folder_id: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    found = read_columns(folder_id, [1, 2, 3], columns=Columns.PREVIEW)
    assert list(found["preview"]) == ["Hello, Bob. 0", None, None]
    completed = previews.completed(folder_id, found)
    assert completed["preview"] == ["Hello, Bob. 0", "Hello, Bob. 1", "no header, but words"]
    commit.run(commit.Unit(frozenset(), lambda rows, blob: None))
    assert _previews(folder_id) == completed["preview"]
    with django_assert_num_queries(0):
        assert previews.completed(folder_id, completed) is completed


def test_octets_that_cannot_be_read_have_no_preview(
    folder_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def view(place: object) -> memoryview:
        raise BlobMissing("gone")

    monkeypatch.setattr("accounts.blobs.view", view)
    assert previews.missing(folder_id, [2, 3]) == {}


def test_fsck_prepares_them(folder_id: int) -> None:
    Message.objects.update(prepared_version=1)
    call_command("fsck", "--prepare", verbosity=0)
    assert None not in _previews(folder_id)


def test_copies_share_one_blob_and_one_preview(folder_id: int) -> None:
    assert Blob.objects.count() == 3
    assert HELLO.endswith(b"Hello, Bob.\r\n")
    assert previews.missing(folder_id, [2]) == {2: "Hello, Bob. 1"}
