"""\\Recent: claimed in the database where that can be written, and no reason to refuse a folder."""

import pytest

from accounts.commit import CommitUnavailable
from accounts.mailstore import folders
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
