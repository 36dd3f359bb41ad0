"""A search of several folders holds the results of one at a time (RFC 7377)."""

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.directory.domains import create_domain
from accounts.directory.mailboxes import create_mailbox
from accounts.login import Identity
from accounts.mailstore import index
from accounts.mailstore.folders import create_folder, delete_folder
from accounts.mailstore.picture import Picture
from accounts.models import Tenant
from protocols.servers.imap.client import Client
from protocols.servers.imap.multisearch import search_folders
from protocols.wire.imap.commands import MultiSearch
from protocols.wire.imap.parser import parse
from protocols.wire.imap.responses import Push, Reply, Tagged
from tests.accounts.mail import append_many
from tests.transcripts.direct import DirectVenue
from tests.transcripts.given import Scene

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = ("A", "B", "C")


@pytest.fixture
def client() -> Iterator[Client]:
    create_domain(Tenant.objects.create(slug="a", name="a"), "a.test")
    mailbox = create_mailbox("alice@a.test", "secret")
    for name in NAMES:
        append_many(mailbox.pk, create_folder(mailbox.pk, name).id, 2)
    venue = DirectVenue(Scene("imap"))
    wire: Any = venue.connect()
    found: Client = wire._session._client
    found.identity = Identity(mailbox.pk, 1, mailbox.address, 1)
    yield found
    venue.end()


def answer(client: Client) -> Iterator[Push | Reply]:
    command = parse(b"t ESEARCH IN (subtree (A B C)) ALL")
    assert isinstance(command, MultiSearch)
    return (line for line in search_folders(client, command) if line)


def test_each_folder_is_answered_before_the_next_is_read(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    picture = index.picture

    def counted(folder_id: int) -> Picture:
        read.append(folder_id)
        return picture(folder_id)

    monkeypatch.setattr(index, "picture", counted)
    for count, line in enumerate(answer(client), 1):
        if not isinstance(line, Tagged):
            assert len(read) == count
    assert len(read) == len(NAMES)


def test_a_folder_that_goes_meanwhile_is_passed_over(client: Client) -> None:
    lines = answer(client)
    assert b"MAILBOX A " in _octets(next(lines))
    delete_folder(client.mailbox_id, "B")
    assert b"MAILBOX C " in _octets(next(lines))
    assert isinstance(last := next(lines), Tagged)
    assert last.status == "OK"


def _octets(line: Push | Reply) -> bytes:
    assert isinstance(line, bytes)
    return line
