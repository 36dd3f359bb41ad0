"""A mailbox with mail in it, and a directory of octets, for who does not make one of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts import commit
from accounts.mailstore import index
from tests.accounts.disk import keep_blobs_in
from tests.accounts.mail import append_many, inbox, make_mailbox


@pytest.fixture
def own_blobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Octets are kept in `tmp_path`."""
    keep_blobs_in(tmp_path, monkeypatch)
    yield
    commit.reset()


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
