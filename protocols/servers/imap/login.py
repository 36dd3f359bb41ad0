"""Not authenticated state: STARTTLS, LOGIN and AUTHENTICATE (RFC 3501 §6.2), and capabilities."""

from functools import partial

from django.conf import settings

from accounts import login
from accounts.directory.switchboard import hides
from accounts.login import Identity, Login, Refused
from protocols.servers import authentication
from protocols.servers.authentication import Outcome, may_log_in
from protocols.servers.imap import masking
from protocols.servers.imap.answers import bad, no, ok
from protocols.servers.imap.client import Client, State
from protocols.servers.session import After, Later, in_pool
from protocols.wire import sasl
from protocols.wire.imap import commands
from protocols.wire.imap.capabilities import AFTER_LOGIN, ALWAYS
from protocols.wire.imap.responses import Bye, Continuation, Reply, Tagged

# Wrong passwords on one connection before it is closed; the throttle counts across connections.
MAX_FAILURES = 5
# Seconds: what a guess costs at least.
FAILURE_DELAY = 1.0

Answer = Reply | After | Later


def capabilities(client: Client) -> tuple[str, ...]:
    """What works for this client now: before and after login, without what is masked for it."""
    names = _capabilities(client)
    if not client.masked:
        return names
    return tuple(name for name in names if not hides(client.masked, name))


def _capabilities(client: Client) -> tuple[str, ...]:
    if client.state is not State.NOT_AUTHENTICATED:
        more = ("QUOTASET",) if client.identity is not None and client.identity.sets_quotas else ()
        return (*ALWAYS, *AFTER_LOGIN, *more, f"APPENDLIMIT={settings.MAILHOST.max_message_size}")
    before = () if client.shell.is_tls else ("STARTTLS",)
    if mechanisms := authentication.mechanisms(client.shell):
        return (*ALWAYS, *before, *(f"AUTH={name}" for name in mechanisms))
    return (*ALWAYS, *before, "LOGINDISABLED")


def capability_code(client: Client) -> bytes:
    """The same as a response code, which saves clients a question."""
    return " ".join(("CAPABILITY", *capabilities(client))).encode()


def start_tls(client: Client, command: commands.StartTls) -> Tagged:
    """RFC 3501 §6.2.1."""
    if client.shell.is_tls:
        return bad(command.tag, "TLS is active already.")
    return ok(command.tag, "Begin TLS negotiation now.")


def log_in(client: Client, command: commands.Login) -> Answer:
    """RFC 3501 §6.2.3."""
    if not may_log_in(client.shell):
        return _privacy_required(command.tag)
    terms = {"service": "imap", "peer": client.shell.peer.address}
    tag, username, password = command.tag, command.username, command.password
    if (known := login.at_hand(username, password, **terms)) is not None:
        return _conclude(client, tag, known)

    def check() -> After:
        future = login.check(username, password, **terms)
        return After(future, partial(_conclude, client, tag))

    return in_pool(check)


def authenticate(client: Client, command: commands.Authenticate) -> Answer:
    """RFC 3501 §6.2.2 with the initial response of RFC 4959."""
    if not may_log_in(client.shell):
        return _privacy_required(command.tag)
    say = partial(_say, client, command.tag)
    mechanism = command.mechanism
    begun = None
    if not hides(client.masked, f"AUTH={mechanism}"):
        # RFC 5802 §6: who was told of no -PLUS says "y", which is no sign of an attack then.
        may_bind = not hides(client.masked, "AUTH=SCRAM-SHA-256-PLUS")
        begun = authentication.begin(mechanism, client.shell, "imap", say, may_bind=may_bind)
    client.authentication = begun
    if begun is None:
        return no(command.tag, "There is no such mechanism.", code=b"CANNOT")
    answer: Answer = begun.start(command.initial)
    return answer


def answer_challenge(client: Client, response: commands.SaslResponse) -> Answer:
    """The client's next line in an AUTHENTICATE."""
    if client.authentication is None or response.data is None:
        client.authentication = None
        return bad(response.tag, "Authentication is cancelled.")
    answer: Answer = client.authentication.answer(response.data)
    return answer


def unauthenticate(client: Client, command: commands.Unauthenticate) -> Tagged:
    """RFC 8437: another user may log in on this connection; nothing of this one is left."""
    client.forget_login()
    masking.logged_out(client)
    code = capability_code(client)
    return Tagged(command.tag, "OK", "Logged out.", code, dialect=client.dialect)


def _say(client: Client, tag: bytes, outcome: Outcome) -> Answer:
    match outcome:
        case sasl.Challenge(octets):
            return Continuation(octets)
        case sasl.Malformed():
            return bad(tag, "That is no answer to the challenge.")
    return _conclude(client, tag, outcome)


def _conclude(client: Client, tag: bytes, outcome: Login) -> Tagged | Later | After:
    match outcome:
        case Identity() if masking.knows_rules(client):
            return _let_in(client, tag, outcome)
        case Identity():
            return in_pool(partial(_let_in, client, tag, outcome))
        case Refused(reason="credentials"):
            return Later(_wrong(client, tag), FAILURE_DELAY)
        case Refused(reason="impersonation"):
            return no(tag, "Nobody may act as another.", code=b"AUTHORIZATIONFAILED")
        case Refused(reason="suspended"):
            return no(tag, "This mailbox is suspended.", code=b"CONTACTADMIN")
        case Refused(reason="throttled"):
            text = "Too many failed logins; wait a while."
            return Later(no(tag, text, code=b"UNAVAILABLE"), FAILURE_DELAY)
        case _:
            return no(tag, "Logins cannot be checked just now.", code=b"UNAVAILABLE")


def _let_in(client: Client, tag: bytes, identity: Identity) -> Tagged:
    client.identity = identity
    masking.logged_in(client)
    return ok(tag, "Logged in.", code=capability_code(client))


def _wrong(client: Client, tag: bytes) -> Tagged:
    client.failures += 1
    farewell = b""
    if client.failures >= MAX_FAILURES:
        client.is_leaving = True
        farewell = Bye("Too many failed logins.").to_bytes()
    text = "The name or the password is wrong."
    return Tagged(tag, "NO", text, b"AUTHENTICATIONFAILED", farewell, closes=bool(farewell))


def _privacy_required(tag: bytes) -> Tagged:
    return no(tag, "Start TLS first.", code=b"PRIVACYREQUIRED")
