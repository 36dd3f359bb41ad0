"""Open sessions end when their login no longer holds, idle ones too."""

from collections.abc import Callable, Iterator

import pytest

from accounts import directory
from accounts.login import Identity
from accounts.models import Mailbox
from protocols.servers.standing import Standing
from tests.accounts.mail import make_mailbox
from tests.servers.shell_kit import until
from tests.transcripts.given import Scene
from tests.transcripts.real import RealVenue, RealWire, on_reactor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def venue() -> Iterator[RealVenue]:
    venue = RealVenue(Scene("imap"))
    yield venue
    venue.end()


def idle(venue: RealVenue, mailbox_id: int) -> RealWire:
    """A session that idles, logged in to a mailbox."""
    before = set(venue.runtime.connections)
    wire = venue.connect()
    assert (wire.read_line() or b"").startswith(b"* OK")
    (connection,) = venue.runtime.connections - before
    mailbox = Mailbox.objects.get(pk=mailbox_id)
    identity = Identity(mailbox_id, 1, mailbox.address, mailbox.credential_version)
    connection._session._client.identity = identity
    wire.send(b"1 IDLE\r\n")
    assert wire.read_line() == b"+ idling\r\n"
    return wire


def look(venue: RealVenue, standing: Standing) -> None:
    on_reactor(standing.look)
    until(lambda: not standing._is_asking)


def suspend(mailbox: Mailbox) -> None:
    mailbox.is_suspended = True
    mailbox.save()
    directory.touch()


@pytest.mark.parametrize("end", [directory.shut_sessions, suspend])
def test_it_ends_and_others_go_on(venue: RealVenue, end: Callable[[Mailbox], None]) -> None:
    mine, theirs = make_mailbox(), make_mailbox()
    standing = Standing(venue.runtime)
    wire, other = idle(venue, mine), idle(venue, theirs)
    look(venue, standing)
    end(Mailbox.objects.get(pk=mine))
    look(venue, standing)
    assert wire.read_line() == b"* BYE Closing the connection.\r\n"
    assert wire.read_line() is None
    other.send(b"DONE\r\n")
    assert (other.read_line() or b"").startswith(b"1 OK")


@pytest.mark.parametrize(
    ("service", "place", "farewell"),
    [("pop3", "identity", b""), ("submission", "_identity", b"421 4.4.2 ")],
)
def test_it_ends_in_the_other_protocols_too(service: str, place: str, farewell: bytes) -> None:
    mailbox = Mailbox.objects.get(pk=make_mailbox())
    venue = RealVenue(Scene(service))
    try:
        wire = venue.connect()
        assert wire.read_line()
        (connection,) = venue.runtime.connections
        identity = Identity(mailbox.pk, 1, mailbox.address, mailbox.credential_version)
        setattr(connection._session, place, identity)
        standing = Standing(venue.runtime)
        look(venue, standing)
        assert connection._session is not None
        directory.shut_sessions(mailbox)
        look(venue, standing)
        if farewell:
            assert (wire.read_line() or b"").startswith(farewell)
        assert wire.read_line() is None
    finally:
        venue.end()


def test_a_login_let_in_meanwhile_is_looked_at_too(venue: RealVenue) -> None:
    mailbox_id = make_mailbox()
    standing = Standing(venue.runtime)
    wire = idle(venue, mailbox_id)
    (connection,) = venue.runtime.connections
    client = connection._session._client
    client.identity, old = None, client.identity
    directory.shut_sessions(Mailbox.objects.get(pk=mailbox_id))
    look(venue, standing)
    client.identity = old
    look(venue, standing)
    assert wire.read_line() == b"* BYE Closing the connection.\r\n"
