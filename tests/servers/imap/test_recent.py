"""\\Recent: claimed in the database where that can be written, and no reason to refuse a folder."""

from concurrent.futures import Future

import pytest
import structlog
from django.db import connection

from accounts.commit import CommitUnavailable
from accounts.mailstore import folders, index
from protocols.servers.imap import recent
from tests.accounts.mail import append_many, inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_one_session_was_shown_is_claimed() -> None:
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 3)
    assert recent.claim(inbox(mailbox_id)) == 1
    assert recent.claim(inbox(mailbox_id)) == 4


@pytest.mark.parametrize("error", [CommitUnavailable("full"), OSError("full")])
def test_a_store_that_cannot_be_written_can_be_read(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(folder_id: int) -> int:
        raise error

    monkeypatch.setattr(folders, "take_recent", fail)
    assert recent.claim(1) == 0


def test_what_a_session_has_not_been_told_of_stays_recent() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 2)
    picture = index.picture(folder_id)
    append_many(mailbox_id, folder_id, 1)
    folders.note_shown(picture).result()
    assert recent.claim(folder_id) == 3
    # Who is late takes nothing back.
    folders.note_shown(picture).result()
    assert recent.claim(folder_id) == 4


def test_what_cannot_be_written_down_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox_id = make_mailbox()
    failed: Future[None] = Future()
    monkeypatch.setattr(folders, "note_shown", lambda *_: failed)
    # One that has said something before keeps what it was set up with.
    monkeypatch.setattr(recent, "log", structlog.get_logger())
    with structlog.testing.capture_logs() as logged:
        recent.write_down(index.picture(inbox(mailbox_id)))
        failed.set_exception(CommitUnavailable("full"))
    assert [each["event"] for each in logged] == ["recent_not_written_down"]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no stamps")
def test_what_was_shown_leaves_the_folder_at_hand() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 1)
    folders.note_shown(index.picture(folder_id)).result()
    current = index.current(folder_id)
    assert current is not None
    assert current.recent_from_uid == 2
