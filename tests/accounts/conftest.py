"""A mailbox with mail in it, for who does not make one of its own."""

import pytest

from accounts.mailstore import index
from tests.accounts.mail import append_many, inbox, make_mailbox


@pytest.fixture
def mailbox_id() -> int:
    return make_mailbox()


@pytest.fixture
def folder_id(mailbox_id: int) -> int:
    """The mailbox's INBOX: six messages, and a picture that knows them."""
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 6)
    index.picture(folder_id)
    return folder_id
