"""A mailbox, and a connection in memory that is logged in to it."""

from collections.abc import Iterator

import pytest

from accounts.login import Identity
from accounts.models import Mailbox
from tests.accounts.mail import make_mailbox
from tests.transcripts.direct import DirectVenue, DirectWire
from tests.transcripts.given import Scene


@pytest.fixture
def mailbox_id() -> int:
    return make_mailbox()


@pytest.fixture
def wire(mailbox_id: int) -> Iterator[DirectWire]:
    """A client of `mailbox_id` that has heard the greeting and selected nothing."""
    venue = DirectVenue(Scene("imap"))
    wire = venue.connect()
    address = Mailbox.objects.get(pk=mailbox_id).address
    wire._session._client.identity = Identity(mailbox_id, 1, address, 1)
    wire.read_line()
    yield wire
    venue.end()
