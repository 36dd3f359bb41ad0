"""The SMTP sessions at their edges: full disks, lost connections, logins that end, any octets."""

import base64
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts import login
from accounts.blobs import OutOfSpace, Spool
from accounts.blobs.spool import IN_MEMORY
from accounts.directory import set_password
from accounts.login import Refused
from accounts.models import Entry, Mailbox
from mailhost.config import Config
from protocols.servers.session import After, Peer
from protocols.servers.smtp import QUICK_SIZE, make_mx, make_submission
from protocols.wire.conversation import READ_AHEAD
from protocols.wire.smtp.events import MessageEnd, RcptTo
from tests.accounts.disk import own_spools
from tests.delivery.house import inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)

LINE = b"x" * 62 + b"\r\n"
ENVELOPE = b"MAIL FROM:<zoe@far.test>\r\nRCPT TO:<anna@a.test>\r\nDATA\r\n"
PASSWORD = "a long enough password"


class Shell:
    """A connection without a network."""

    def __init__(self, address: str = "192.0.2.9", *, is_tls: bool = False) -> None:
        self.peer = Peer.at(address, 40000)
        self.is_tls = is_tls
        self.tls_description = "TLSv1.3 TLS_AES_256_GCM_SHA384" if is_tls else ""

    def channel_bindings(self) -> dict[str, bytes]:
        return {}

    def wake(self, work: Callable[[], Iterable[Any] | None]) -> None:
        raise AssertionError("SMTP never wakes up by itself")

    def close(self) -> None:
        raise AssertionError("SMTP ends by what it says")


class Client:
    """A client of one session, everything in one thread."""

    def __init__(self, make: Any, shell: Shell | None = None) -> None:
        self.conversation, self.session = make(shell or Shell())
        self.conversation.push(self.session.greeting())
        self.quick: list[bool] = []

    def say(self, octets: bytes) -> bytes:
        self.conversation.receive_data(octets)
        while (event := self.conversation.next_event()) is not None:
            self.quick.append(self.session.is_quick(event))
            answer = self.session.handle(event)
            while isinstance(answer, After | Future):
                match answer:
                    case After(future, then):
                        answer = then(future.result(10))
                    case Future():
                        answer = answer.result(10)
            if answer is not None:
                self.conversation.send(answer)
        answer = b""
        while data := self.conversation.data_to_send():
            answer += data
        return answer

    def codes(self, octets: bytes) -> list[str]:
        lines = self.say(octets).decode().splitlines()
        return [line[:9].rstrip() for line in lines if line[3] == " "]


def mx(shell: Shell | None = None) -> Client:
    client = Client(make_mx, shell)
    client.say(b"EHLO far.test\r\n")
    return client


def submitter(password: str = PASSWORD) -> tuple[Client, str]:
    """A client that tried to log in, and what it was told."""
    client = Client(make_submission, Shell(is_tls=True))
    text = base64.b64encode(f"\0anna@a.test\0{password}".encode())
    return client, client.codes(b"EHLO me\r\nAUTH PLAIN " + text + b"\r\n")[-1]


@pytest.fixture(autouse=True)
def _anna() -> None:
    mailbox_id = make_mailbox("anna@a.test")
    set_password(Mailbox.objects.get(pk=mailbox_id), PASSWORD)


def test_only_what_costs_is_not_quick() -> None:
    client = mx()
    client.say(ENVELOPE + b"Hi\r\n.\r\n")
    # EHLO, MAIL; RCPT the first time (a query); the end of a small message.
    assert client.quick == [True, True, False, True]
    client.quick.clear()
    client.say(b"MAIL FROM:<zoe@far.test>\r\nRCPT TO:<anna@a.test>\r\nDATA\r\n")
    client.say(LINE * (QUICK_SIZE // len(LINE) + 1) + b".\r\n")
    # A large one is read in the pool.
    assert client.quick[:2] == [True, True]
    assert client.quick[-1] is False


def test_a_small_message_that_takes_long_to_read_is_read_in_the_pool() -> None:
    client = mx()
    client.say(ENVELOPE + b"Hi\r\n.\r\n")
    client.quick.clear()
    client.say(b"MAIL FROM:<zoe@far.test>\r\nRCPT TO:<anna@a.test>\r\nDATA\r\n")
    client.say(b"To: " + b"(c)a@b," * 1000 + b"\r\n\r\nHi\r\n.\r\n")
    assert client.quick == [True, True, False]


def test_a_submission_ends_in_the_pool() -> None:
    client, _code = submitter()
    client.quick.clear()
    client.say(b"MAIL FROM:<anna@a.test>\r\nRCPT TO:<anna@a.test>\r\nDATA\r\nHi\r\n.\r\n")
    # MAIL looks at the login's row, RCPT costs a query the first time, the end asks for authors.
    assert client.quick == [False, False, False]


def test_only_a_message_in_a_file_must_be_let_go() -> None:
    client = mx()
    client.say(ENVELOPE + LINE * (QUICK_SIZE // len(LINE)))
    assert client.session.holds_nothing
    client.say(LINE * (IN_MEMORY // len(LINE)))
    assert not client.session.holds_nothing
    client.session.closed()
    assert client.session.holds_nothing
    assert own_spools() == []


def test_a_known_recipient_costs_no_query(django_assert_num_queries: Any) -> None:
    client = mx()
    client.say(ENVELOPE + b"Hi\r\n.\r\n")
    with django_assert_num_queries(0):
        client.say(b"MAIL FROM:<zoe@far.test>\r\nRCPT TO:<anna@a.test>\r\nRSET\r\n")


def test_a_large_message_leaves_the_reactor_thread() -> None:
    client = mx()
    client.say(ENVELOPE)
    client.quick.clear()
    for _ in range(20):
        client.say(b"x" * (READ_AHEAD - 2) + b"\r\n")
    assert client.quick[:14] == [True] * 14
    assert client.quick[-1] is False
    assert len(own_spools()) == 1
    assert client.codes(b".\r\n") == ["250 2.0.0"]
    assert own_spools() == []
    assert len(inbox("anna@a.test")[0]) > 20 * READ_AHEAD


def test_a_lost_connection_leaves_nothing_behind() -> None:
    client = mx()
    client.say(ENVELOPE)
    client.say((b"x" * 998 + b"\r\n") * 2000)
    assert len(own_spools()) == 1
    client.say(b"")
    assert client.conversation.is_over
    client.session.closed()
    assert own_spools() == []
    assert Entry.objects.count() == 0


def test_a_refused_large_message_leaves_nothing_behind() -> None:
    client = mx()
    client.say(ENVELOPE)
    client.say((b"x" * 998 + b"\r\n") * 2000 + b"bare\nlf\r\n")
    assert client.codes(b".\r\n") == ["550 5.6.0"]
    assert own_spools() == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OutOfSpace(28, "No space left on device"), "452 4.3.1"),
        (OSError(30, "Read-only file system"), "451 4.3.0"),
    ],
)
def test_a_disk_that_takes_nothing_is_told_at_the_end(
    monkeypatch: pytest.MonkeyPatch, error: OSError, code: str
) -> None:
    def write(self: Spool, data: bytes) -> None:
        raise error

    client = mx()
    client.say(ENVELOPE)
    with monkeypatch.context() as patch:
        patch.setattr(Spool, "write", write)
        assert client.codes(b"x" * READ_AHEAD * 3) == []
        assert client.codes(b"\r\n.\r\n") == [code]
    assert client.codes(ENVELOPE + b"Hi\r\n.\r\n")[-1] == "250 2.0.0"


def test_failures_are_temporary_and_silent_about_their_cause() -> None:
    session = mx().session
    for event in (MessageEnd(b"", None), RcptTo(None)):
        reply = session.failed(event)
        assert (reply.code, reply.enhanced) == (451, "4.3.0")
    assert session.timed_out().code == 421
    assert session.idle_timeout == 300


def test_the_trace_tells_of_tls_and_of_a_new_hello() -> None:
    client = mx(Shell(is_tls=True))
    client.say(ENVELOPE + b"Hi\r\n.\r\n" + b"HELO other.test\r\n" + ENVELOPE + b"Ho\r\n.\r\n")
    first, second = inbox("anna@a.test")
    assert b"from far.test ([192.0.2.9])\r\n\t(using TLSv1.3 TLS_AES_256_GCM_SHA384)" in first
    assert b" with ESMTPS id " in first
    assert b"from other.test (" in second
    assert b" with SMTP id " in second


def test_strangers_get_no_fields_added_and_loopback_does() -> None:
    for address in ("192.0.2.9", "127.0.0.1", "::1"):
        mx(Shell(address)).say(ENVELOPE + b"Hi\r\n.\r\n")
    stranger, *near = inbox("anna@a.test")
    assert b"Message-ID" not in stranger
    assert all(b"Message-ID: <" in message for message in near)


# Logins


def test_login() -> None:
    assert submitter()[1] == "235 2.7.0"
    assert submitter("wrong")[1] == "535 5.7.8"


@pytest.mark.parametrize(
    ("reason", "code"), [("throttled", "454 4.7.0"), ("temporary", "454 4.7.0")]
)
def test_login_that_is_put_off(reason: Any, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer: Future[login.Login] = Future()
    answer.set_result(Refused(reason))
    monkeypatch.setattr(login, "check", lambda *args, **kwargs: answer)
    assert submitter()[1] == code


def test_a_new_password_ends_the_session_at_the_next_message() -> None:
    client, _ = submitter()
    mail = b"MAIL FROM:<anna@a.test>\r\n"
    assert client.codes(mail + b"RSET\r\n") == ["250 2.1.0", "250 2.0.0"]
    set_password(Mailbox.objects.get(local_part="anna"), PASSWORD + "!")
    assert client.codes(mail) == ["421 4.7.0"]
    assert client.conversation.is_over


def test_clear_login_is_for_loopback_alone() -> None:
    for address, setting, is_offered in (
        ("127.0.0.1", True, True),
        ("127.0.0.1", False, False),
        ("192.0.2.9", True, False),
    ):
        config = Config(**{**settings.MAILHOST.model_dump(), "allow_plaintext_loopback": setting})
        with override_settings(MAILHOST=config):
            answer = Client(make_submission, Shell(address)).say(b"EHLO me\r\n")
        assert (b"AUTH" in answer) is is_offered


# Any octets

pieces = st.sampled_from(
    [
        b"EHLO far.test\r\n",
        b"HELO far.test\r\n",
        b"MAIL FROM:<zoe@far.test>\r\n",
        b"MAIL FROM:<anna@a.test> SIZE=10 BODY=8BITMIME SMTPUTF8\r\n",
        b"MAIL FROM:<>\r\n",
        b"RCPT TO:<anna@a.test>\r\n",
        b"RCPT TO:<nobody@a.test>\r\n",
        b"RCPT TO:<zoe@far.test>\r\n",
        b"RCPT TO:<postmaster>\r\n",
        b'RCPT TO:<"\\"x"@a.test>\r\n',
        b"DATA\r\n",
        b"From: anna@a.test\r\n",
        b"\r\n.\r\n",
        b"\n.\r\n",
        b"RSET\r\n",
        b"AUTH PLAIN AGFubmFAYS50ZXN0AHg=\r\n",
        b"AUTH LOGIN\r\n",
        b"VRFY anna\r\n",
        b"x" * 5000,
    ]
)


@hypothesis_settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.lists(pieces | st.binary(max_size=20), max_size=30), st.booleans())
def test_any_octets_are_answered(said: list[bytes], is_submission: bool) -> None:
    client = Client(make_submission if is_submission else make_mx, Shell("127.0.0.1"))
    answers = b""
    for piece in said:
        answers += client.say(piece or b"\0")
        assert len(client.conversation._received) <= READ_AHEAD
    answers += client.say(b"")
    assert client.conversation.is_over
    client.session.closed()
    for line in answers.splitlines():
        assert line[:3].isdigit()
        assert line[3:4] in b" -"
        assert b"Traceback" not in line
    assert not connection.in_atomic_block
