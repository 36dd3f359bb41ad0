"""SMTP sessions: mail from other hosts (MX) and from our own users (submission).

Recipients are asked of the directory, octets are spooled, and the end of a message goes to
`delivery`. Policy and storage are theirs; order and syntax were the conversation's.
"""

from concurrent.futures import Future

import structlog
from django.conf import settings

from accounts import directory, login
from accounts.blobs import OutOfSpace, Spool
from accounts.blobs.spool import IN_MEMORY
from accounts.directory import Route
from accounts.login import Identity
from delivery import inbound, submission
from delivery.acceptance import NO_SPACE
from delivery.envelope import Envelope, Recipient, Source
from protocols.servers import authentication
from protocols.servers.authentication import Authentication, Outcome
from protocols.servers.session import Answer, Shell
from protocols.wire import sasl
from protocols.wire.message import is_soon_prepared
from protocols.wire.smtp import refusals
from protocols.wire.smtp.events import (
    Auth,
    AuthAnswer,
    Event,
    Hello,
    MailFrom,
    MessageChunk,
    MessageEnd,
    RcptTo,
)
from protocols.wire.smtp.reply import Reply
from protocols.wire.smtp.server import ServerConversation
from protocols.wire.smtp.terms import Terms

log = structlog.get_logger(__name__)

# RFC 5321 §4.5.3.2.7: at least five minutes.
IDLE_TIMEOUT = 300.0
# Octets. To read an ordinary message of this size through takes a fraction of a millisecond, about
# what handing it to the pool and back costs; accepting it asks nobody and only queues the commit.
QUICK_SIZE = 128 * 1024

SENDER_OK = Reply(250, "2.1.0", "Ok")
RECIPIENT_OK = Reply(250, "2.1.5", "Ok")
NO_RELAY = Reply(550, "5.7.1", "Relaying is not allowed")
FAILED = Reply(451, "4.3.0", "Temporary failure, try again later")

NOT_YOUR_ADDRESS = Reply(553, "5.7.1", "This sender address is not yours")
LOGIN_GONE = Reply(421, "4.7.0", "Your login is no longer valid")
LOGGED_IN = Reply(235, "2.7.0", "Authentication successful")
LOGIN_REFUSED = {
    "credentials": Reply(535, "5.7.8", "Authentication credentials invalid"),
    "throttled": Reply(454, "4.7.0", "Too many failed logins, try again later"),
    # RFC 5248 §2.4.
    "suspended": Reply(525, "5.7.13", "This mailbox is suspended"),
    "temporary": Reply(454, "4.7.0", "Temporary authentication failure"),
    "impersonation": Reply(535, "5.7.8", "Nobody may act as another"),
}


class MxSession:
    """One client on port 25: takes mail for our addresses and relays for nobody."""

    __slots__ = ("_envelope", "_failure", "_hello", "_route", "_shell", "_source", "_spool")

    idle_timeout = IDLE_TIMEOUT
    is_authenticated = False
    _may_relay = False

    @property
    def must_log_in(self) -> bool:
        return False

    @property
    def identity(self) -> Identity | None:
        return None

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._hello: Hello | None = None
        self._source: Source | None = None
        self._envelope: Envelope[Route] | None = None
        self._route: Route | None = None
        self._spool: Spool | None = None
        # Why what comes of a message is spooled no more.
        self._failure: Reply | None = None

    def greeting(self) -> Reply:
        return Reply(220, "", f"{settings.MAILHOST.hostname} ESMTP Mailhost")

    def timed_out(self) -> Reply:
        return Reply(421, "4.4.2", f"{settings.MAILHOST.hostname} closing the connection")

    def failed(self, event: Event) -> Reply:
        if isinstance(event, MessageEnd):
            self._drop_spool()
        return FAILED

    @property
    def holds_nothing(self) -> bool:
        return self._spool is None or self._spool.path is None

    def closed(self) -> None:
        self._drop_spool()

    def is_quick(self, event: Event) -> bool:
        match event:
            case RcptTo(recipient):
                self._route = directory.cached(recipient.local, recipient.domain)
                return self._route is not None
            case MessageChunk(octets):
                return self._spool_size + len(octets) <= IN_MEMORY
            case MessageEnd(octets, refusal):
                size = self._spool_size + len(octets)
                if refusal is not None:
                    return size <= IN_MEMORY
                return size <= QUICK_SIZE and is_soon_prepared(self._spooled + octets)
            case _:
                return True

    def handle(self, event: Event) -> Answer[Reply]:
        match event:
            case RcptTo(recipient):
                route = self._route or directory.resolve(recipient)
                self._route = None
                return self._take_recipient(str(recipient), route)
            case MailFrom():
                return self._take_sender(event)
            case MessageEnd():
                return self._finish(event)
            case MessageChunk(octets):
                self._write(octets)
                return None
            case Hello(keywords=keywords):
                self._hello, self._source = event, None
                hostname = settings.MAILHOST.hostname
                return Reply(250, "", (hostname, *keywords) if event.is_extended else hostname)
            case Auth() | AuthAnswer():
                return self._log_in(event)

    def _take_sender(self, event: MailFrom) -> Reply:
        return self._open_envelope(event)

    def _open_envelope(self, event: MailFrom) -> Reply:
        self._drop_spool()
        return_path = str(event.sender) if event.sender else ""
        self._envelope = Envelope(return_path, self._tell_source(), event.is_smtputf8)
        return SENDER_OK

    def _tell_source(self) -> Source:
        if self._source is None:
            assert self._hello is not None
            shell = self._shell
            self._source = Source(
                helo=self._hello.name,
                address=shell.peer.address,
                is_extended=self._hello.is_extended,
                tls=shell.tls_description,
                is_authenticated=self.is_authenticated,
                is_loopback=shell.peer.is_loopback,
            )
        return self._source

    def _take_recipient(self, address: str, route: Route) -> Reply:
        match route.kind:
            case "refuse":
                return Reply(route.reply_code, route.enhanced, route.text)
            case "remote" if not self._may_relay:
                return NO_RELAY
        assert self._envelope is not None
        self._envelope.recipients.append(Recipient(address, route))
        return RECIPIENT_OK

    def _finish(self, event: MessageEnd) -> Reply | Future[Reply]:
        if event.refusal is not None:
            self._drop_spool()
            return event.refusal
        if event.octets or self._spool is None:
            self._write(event.octets)
        if (failure := self._failure) is not None:
            self._drop_spool()
            return failure
        spool, self._spool = self._spool, None
        assert spool is not None
        assert self._envelope is not None
        return self._accept(self._envelope, spool)

    def _accept(self, envelope: Envelope[Route], spool: Spool) -> Future[Reply]:
        return inbound.accept(envelope, spool)

    def _log_in(self, event: Auth | AuthAnswer) -> Answer[Reply]:
        raise AssertionError("AUTH is not offered here")

    @property
    def _spool_size(self) -> int:
        return self._spool.size if self._spool else 0

    @property
    def _spooled(self) -> bytes:
        """What is spooled, in memory."""
        return bytes(self._spool.octets()) if self._spool and self._spool.size else b""

    def _write(self, octets: bytes) -> None:
        """Spool octets; a disk that does not take them is told at the end of the message."""
        if self._failure is not None:
            return
        if self._spool is None:
            self._spool = Spool()
        try:
            self._spool.write(octets)
        except OutOfSpace:
            self._spool.discard()
            self._failure = NO_SPACE
        except OSError as error:
            log.error("spool_failed", peer=self._shell.peer.address, error=str(error))
            self._spool.discard()
            self._failure = FAILED

    def _drop_spool(self) -> None:
        spool, self._spool = self._spool, None
        self._failure = None
        if spool is not None:
            spool.discard()


class SubmissionSession(MxSession):
    """One of our users: logs in, sends as somebody they are, to anybody."""

    __slots__ = ("_authentication", "_identity")

    is_authenticated = True
    _may_relay = True

    def __init__(self, shell: Shell) -> None:
        super().__init__(shell)
        self._identity: Identity | None = None
        self._authentication: Authentication | None = None

    @property
    def must_log_in(self) -> bool:
        return self._identity is None

    @property
    def identity(self) -> Identity | None:
        return self._identity

    def is_quick(self, event: Event) -> bool:
        match event:
            case MailFrom() | MessageEnd(refusal=None):
                # The login is looked at again for each message, and so is every author who is not
                # plainly the user: rows, so never on the reactor thread.
                return False
        return super().is_quick(event)

    def _log_in(self, event: Auth | AuthAnswer) -> Answer[Reply]:
        answer: Answer[Reply]
        match event:
            case Auth(mechanism, initial):
                begun = authentication.begin(mechanism, self._shell, "submission", self._say)
                self._authentication = begun
                answer = refusals.MECHANISM_UNKNOWN if begun is None else begun.start(initial)
            case AuthAnswer(octets):
                assert self._authentication is not None
                answer = self._authentication.answer(octets)
        return answer

    def _say(self, outcome: Outcome) -> Reply:
        match outcome:
            case sasl.Challenge(octets):
                return Reply(334, "", sasl.encode(octets).decode())
            case sasl.Malformed():
                return refusals.LOGIN_MALFORMED
            case Identity():
                self._identity = outcome
                return LOGGED_IN
            case login.Refused(reason):
                return LOGIN_REFUSED[reason]

    def _take_sender(self, event: MailFrom) -> Reply:
        identity = self._identity
        assert identity is not None
        if not login.still_valid(identity):
            return LOGIN_GONE
        if event.sender is not None and not submission.may_send_as(identity, event.sender):
            return NOT_YOUR_ADDRESS
        return self._open_envelope(event)

    def _accept(self, envelope: Envelope[Route], spool: Spool) -> Future[Reply]:
        assert self._identity is not None
        return submission.accept(self._identity, envelope, spool)


def make_mx(shell: Shell) -> tuple[ServerConversation, MxSession]:
    """A connection on the MX listener."""
    terms = Terms(max_size=settings.MAILHOST.max_message_size)
    return ServerConversation(terms, is_tls=shell.is_tls), MxSession(shell)


def make_submission(shell: Shell) -> tuple[ServerConversation, SubmissionSession]:
    """A connection on a submission listener, with TLS from the start or later."""
    config = settings.MAILHOST
    terms = Terms(
        max_size=config.max_message_size,
        is_submission=True,
        allows_clear_login=config.allow_plaintext_loopback and shell.peer.is_loopback,
        offers_scram=config.offer_scram,
    )
    return ServerConversation(terms, is_tls=shell.is_tls), SubmissionSession(shell)
