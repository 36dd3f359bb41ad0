"""POP3 over real sockets: what transcripts cannot say: large mail, crashes, rude peers."""

import poplib
import random
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import maildrop_lock
from accounts.blobs import BlobMissing
from accounts.directory.domains import create_domain
from accounts.directory.mailboxes import (
    create_mailbox,
    find_mailbox,
    purge_mailbox,
    remove_mailbox,
)
from accounts.directory.tenants import create_tenant
from accounts.maildrop import Maildrop
from accounts.maildrop_lock import RowLock
from accounts.mailstore import folders
from accounts.mailstore.append import append_message
from accounts.mailstore.expunge import expunge_uids
from accounts.models import MaildropLock
from protocols.servers import pop3
from protocols.wire.pop3 import listings
from protocols.wire.pop3.replies import Piece
from tests.servers.shell_kit import Client, until
from tests.transcripts.given import Scene
from tests.transcripts.real import RealVenue

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def venue() -> Iterator[RealVenue]:
    create_domain(create_tenant("Tests"), "a.test")
    create_mailbox("alice@a.test", "secret")
    venue = RealVenue(Scene("pop3"))
    yield venue
    venue.end()


def fill(*messages: bytes) -> None:
    mailbox_id = find_mailbox("alice@a.test").pk
    inbox = folders.find_folder(mailbox_id, "INBOX").id
    for octets in messages:
        append_message(mailbox_id, inbox, octets).result(10)


def is_locked() -> bool:
    return maildrop_lock.is_locked(find_mailbox("alice@a.test").pk)


def log_in(venue: RealVenue) -> poplib.POP3:
    client = poplib.POP3(*venue.address, timeout=10)
    client.user("alice@a.test")
    client.pass_("secret")
    return client


def raw(venue: RealVenue) -> Client:
    client = Client(socket.create_connection(venue.address, 10))
    assert client.hear().startswith(b"+OK")
    return client


def test_a_large_message_arrives_byte_for_byte(venue: RealVenue) -> None:
    noise = random.Random(7)
    lines = [noise.randbytes(noise.randrange(900)) for _ in range(6000)]
    octets = b"Subject: large\r\n\r\n" + b"\r\n.".join(lines) + b"\r\n"
    fill(octets)
    client = raw(venue)
    client.say(b"USER alice@a.test", b"PASS secret", b"TOP 1 0", b"RETR 1", b"QUIT")
    everything = client.rest()
    top, _retr, rest = everything.partition(b"+OK %d octets\r\n" % len(octets))
    assert top.endswith(b"\r\nSubject: large\r\n\r\n.\r\n")
    read, _end, goodbye = rest.rpartition(b".\r\n")
    assert goodbye.startswith(b"+OK")
    stuffed = b"\r\n" + read
    assert stuffed.replace(b"\r\n..", b"\r\n.")[2:] == octets


def test_a_top_is_read_to_its_last_line(venue: RealVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [b"Subject: x", b"", *(b"line %d" % number for number in range(40))]
    fill(b"\r\n".join(lines) + b"\r\n")
    monkeypatch.setattr(pop3, "PIECE", 16)
    client = log_in(venue)
    assert client.top(1, 20)[1] == lines[:22]
    client.quit()


def test_a_client_that_never_reads_holds_little(venue: RealVenue) -> None:
    fill(b"x" * 78 + b"\r\n", b"y" * (2 << 20))
    client = raw(venue)
    client.say(b"USER alice@a.test", b"PASS secret", *[b"RETR 2"] * 50)
    until(lambda: any(c._pace.paused_at is not None for c in venue.runtime.connections))
    (connection,) = venue.runtime.connections

    def held() -> int:
        return sum(map(len, connection._conversation._output))

    assert held() <= 3 * pop3.PIECE
    client.reset()
    until(lambda: not venue.runtime.connections)
    until(lambda: not is_locked())


def test_a_long_list_comes_in_pieces(venue: RealVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(*(b"Subject: %d\r\n\r\n" % number + b"x" * number for number in range(9)))
    whole = log_in(venue)
    expected = whole.list()[1], whole.uidl()[1]
    whole.quit()
    monkeypatch.setattr(listings, "CHUNK", 2)
    client = log_in(venue)
    assert (client.list()[1], client.uidl()[1]) == expected
    client.dele(3)
    status, lines, _ = client.list()
    assert status == b"+OK 8 messages"
    assert lines == [line for line in expected[0] if not line.startswith(b"3 ")]
    assert client.stat()[0] == 8
    client.rset()
    client.quit()


def test_a_list_of_hundreds_of_thousands_is_never_there_at_once() -> None:
    many = 300_000
    listed = pop3._long_list("", listings.lines(range(1, many + 1), "1."))
    pieces = [said for said in listed if isinstance(said, Piece)]
    assert max(len(piece) for piece in pieces) < 400_000
    lines = b"".join(piece.octets for piece in pieces).splitlines()
    assert lines == [b"%d 1.%d" % (number, number) for number in range(1, many + 1)]


def test_a_crash_frees_the_maildrop_and_removes_nothing(venue: RealVenue) -> None:
    fill(b"one\r\n")
    client = raw(venue)
    client.say(b"USER alice@a.test", b"PASS secret", b"DELE 1")
    assert [client.hear()[:3] for _ in range(3)] == [b"+OK"] * 3
    client.reset()
    until(lambda: not is_locked())
    again = log_in(venue)
    assert again.stat() == (1, 5)
    again.quit()


def test_a_session_that_lost_its_lock_may_do_nothing_more(
    venue: RealVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maildrop_lock, "lock", RowLock)
    fill(b"one\r\n")
    client = raw(venue)
    client.say(b"USER alice@a.test", b"PASS secret", b"DELE 1")
    assert [client.hear()[:3] for _ in range(3)] == [b"+OK"] * 3
    MaildropLock.objects.all().delete()
    other = log_in(venue)
    client.say(b"QUIT")
    assert client.hear().startswith(b"-ERR [IN-USE]")
    assert client.hear() == b""
    assert other.stat() == (1, 5)
    other.quit()


def test_logins_that_wait_for_a_maildrop_keep_nobody_else(
    venue: RealVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pop3, "LOCK_PAUSES", (60.0,))
    create_mailbox("bob@a.test", "secret")
    holder = log_in(venue)
    # More of them than there are threads.
    waiting = [raw(venue) for _ in range(20)]
    for client in waiting:
        client.say(b"USER alice@a.test", b"PASS secret")
        assert client.hear().startswith(b"+OK")
    other = raw(venue)
    other.say(b"USER bob@a.test", b"PASS secret", b"QUIT")
    assert [other.hear()[:3] for _ in range(3)] == [b"+OK"] * 3
    holder.quit()


def test_a_taken_maildrop_is_tried_again(venue: RealVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pop3, "LOCK_PAUSES", (0.01,) * 1000)
    holder = log_in(venue)
    client = raw(venue)
    client.say(b"USER alice@a.test", b"PASS secret")
    assert client.hear().startswith(b"+OK")
    holder.quit()
    assert client.hear() == b"+OK 0 messages"


def test_the_maildrop_is_free_once_quit_is_answered(
    venue: RealVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pop3, "LOCK_PAUSES", ())
    fill(*[b"message\r\n"] * 20)
    for _ in range(20):
        client = raw(venue)
        client.say(b"USER alice@a.test", b"PASS secret", b"DELE 1", b"QUIT")
        assert [client.hear()[:3] for _ in range(4)] == [b"+OK"] * 4


def test_quit_counts_what_it_removed(venue: RealVenue) -> None:
    fill(b"one\r\n", b"two\r\n")
    mailbox_id = find_mailbox("alice@a.test").pk
    inbox = folders.find_folder(mailbox_id, "INBOX").id
    client = raw(venue)
    client.say(b"USER alice@a.test", b"PASS secret", b"DELE 1", b"DELE 2")
    assert [client.hear()[:3] for _ in range(4)] == [b"+OK"] * 4
    expunge_uids(inbox, [1], actor=mailbox_id, only_deleted=False)
    client.say(b"QUIT")
    assert client.hear() == b"+OK 1 messages removed, goodbye"


def test_what_imap_expunged_meanwhile_is_gone(venue: RealVenue) -> None:
    """RFC 1939 §5; numbers and lists stay as they were at the login."""
    fill(b"one\r\n", b"two\r\n", b"three\r\n")
    mailbox_id = find_mailbox("alice@a.test").pk
    inbox = folders.find_folder(mailbox_id, "INBOX").id
    client = raw(venue)
    client.say(b"USER alice@a.test", b"PASS secret", b"DELE 1")
    assert [client.hear()[:3] for _ in range(3)] == [b"+OK"] * 3
    expunge_uids(inbox, [2], actor=mailbox_id, only_deleted=False)
    for command in (b"LIST 2", b"UIDL 2", b"DELE 2", b"RETR 2", b"TOP 2 0"):
        assert client.ask(command) == b"-ERR There is no such message"
    assert client.ask(b"LIST 3") == b"+OK 3 7"
    assert client.ask(b"STAT") == b"+OK 2 12"
    assert client.ask(b"QUIT") == b"+OK 1 messages removed, goodbye"


def test_a_folder_that_is_gone_has_no_message_left(venue: RealVenue) -> None:
    fill(b"one\r\n")
    client = raw(venue)
    client.say(b"USER alice@a.test", b"PASS secret")
    assert [client.hear()[:3] for _ in range(2)] == [b"+OK"] * 2
    mailbox = find_mailbox("alice@a.test")
    remove_mailbox(mailbox)
    purge_mailbox(mailbox)
    assert client.ask(b"DELE 1") == b"-ERR There is no such message"


def test_a_mailbox_that_goes_during_the_login_is_no_fault_of_the_server(
    venue: RealVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(mailbox_id: int) -> None:
        purge_mailbox(find_mailbox("alice@a.test"))

    monkeypatch.setattr(Maildrop, "at_hand", gone)
    client = raw(venue)
    assert client.ask(b"USER alice@a.test").startswith(b"+OK")
    assert client.ask(b"PASS secret") == b"-ERR [AUTH] Wrong name or password"


def test_ten_thousand_pipelined_commands(venue: RealVenue) -> None:
    fill(*[b"message %d\r\n" % number for number in range(20)])
    client = raw(venue)
    client.say(b"USER alice@a.test", b"PASS secret")
    client.hear()
    assert client.hear() == b"+OK 20 messages"
    client.say(*[b"NOOP"] * 10_000)
    assert [client.hear() for _ in range(10_000)] == [b"+OK"] * 10_000
    client.say(*[b"RETR %d" % number for number in range(1, 21)], b"QUIT")
    for number in range(20):
        assert client.hear().startswith(b"+OK")
        assert [client.hear(), client.hear()] == [b"message %d" % number, b"."]
    assert client.hear().startswith(b"+OK")
    assert client.hear() == b""


def test_failed_logins_take_time_and_end(venue: RealVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    reply = pop3.Later

    def later(answer: object, seconds: float) -> object:
        waits.append(seconds)
        return reply(answer, 0.0)

    monkeypatch.setattr(pop3, "Later", later)
    client = raw(venue)
    for _ in range(pop3.FAILED_LOGINS):
        client.say(b"USER alice@a.test", b"PASS guess")
        assert client.hear().startswith(b"+OK")
        assert client.hear().startswith(b"-ERR [AUTH]")
    assert client.hear() == b""
    assert waits == sorted(waits)
    assert waits[0] > 0


@pytest.fixture
def two_messages(venue: RealVenue) -> None:
    fill(b"one\r\n", b"Subject: two\r\n\r\nbody\r\n")


COMMANDS = b"STAT|LIST|LIST 1|UIDL|RETR 1|RETR 2|RETR 9|TOP 2 1|DELE 1|RSET|NOOP|CAPA".split(b"|")
COMMANDS += [b"USER x", b"PASS y", b"", b"\xff\x00"]


@settings(max_examples=15, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(st.sampled_from(COMMANDS), max_size=30), st.binary(max_size=200))
def test_any_order_of_commands_is_answered(
    two_messages: None, venue: RealVenue, lines: list[bytes], rubbish: bytes
) -> None:
    client = raw(venue)
    client.say(b"USER alice@a.test", b"PASS secret")
    assert [client.hear()[:3], client.hear()[:3]] == [b"+OK", b"+OK"]
    client.say(*lines, rubbish.replace(b"\n", b""), b"RSET", b"QUIT")
    heard = client.rest().split(b"\r\n")
    assert heard.pop() == b""
    assert heard[-1].startswith((b"+OK", b"-ERR Too many"))
    client.sock.close()
    until(lambda: not is_locked())


def test_octets_that_are_gone_will_not_come_back_later(
    venue: RealVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(b"Subject: lost\r\n\r\n" + b"x\r\n" * 100)
    client = log_in(venue)

    def missing(*_: object, **__: object) -> None:
        raise BlobMissing("a segment is gone")

    for way in ("read_whole", "open_message"):
        monkeypatch.setattr(Maildrop, way, missing)
    with pytest.raises(poplib.error_proto, match=r"SYS/PERM"):
        client.retr(1)
