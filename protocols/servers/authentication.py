"""A login by SASL, the same for SMTP, POP3 and IMAP: the exchange, and who judges its claims.

`Authentication` runs the exchange; each protocol gives it a function that puts what comes of it in
its own words. The steps of the exchange are quick; claims are judged in the session pool, but for
passwords that are known to be good. So the words may be asked for in any thread: what they need of
the database is left to the pool (`session.in_pool`).
"""

import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from django.conf import settings

from accounts import login, proofs
from accounts.login import Identity, Refused
from protocols.servers.session import After, Shell, in_pool
from protocols.wire import sasl

# 144 bits in base64; no padding, no comma (RFC 5802 §5.1).
NONCE_OCTETS = 18

Outcome = sasl.Challenge | sasl.Malformed | Identity | Refused
Say = Callable[[Outcome], Any]


def may_log_in(shell: Shell) -> bool:
    """Whether anybody may log in here (RFC 8314 §3): within TLS, or where nobody listens."""
    return shell.is_tls or (shell.peer.is_loopback and settings.MAILHOST.allow_plaintext_loopback)


def mechanisms(shell: Shell) -> tuple[str, ...]:
    """What is announced on this connection now."""
    if not may_log_in(shell):
        return ()
    return sasl.mechanisms(is_tls=shell.is_tls, with_scram=settings.MAILHOST.offer_scram)


def make_nonce() -> str:
    """Our part of a SCRAM nonce."""
    return secrets.token_urlsafe(NONCE_OCTETS)


def begin(
    mechanism: str, shell: Shell, service: str, say: Say, *, may_bind: bool = True
) -> "Authentication | None":
    """None where there is no such mechanism. Call it on the reactor thread, as TLS wants.

    `may_bind`: False for a client that is not told of channel binding, and may say so.
    """
    is_scram = mechanism.upper().startswith("SCRAM")
    bindings = shell.channel_bindings() if is_scram and may_bind else {}
    exchange = sasl.begin(mechanism, nonce=make_nonce(), bindings=bindings)
    if exchange is None:
        return None
    return Authentication(exchange, service, shell.peer.address, say)


class Authentication:
    """One AUTH or AUTHENTICATE. Each method answers as `Session.handle` does."""

    __slots__ = ("_exchange", "_outcome", "_peer", "_say", "_service")

    def __init__(self, exchange: sasl.Exchange, service: str, peer: str, say: Say) -> None:
        self._exchange = exchange
        self._service = service
        self._peer = peer
        self._say = say
        self._outcome: Identity | Refused = Refused("credentials")

    def start(self, initial: bytes | None) -> Any:
        """With the initial response, None where there was none."""
        return self._begin(self._exchange.start(initial))

    def answer(self, octets: bytes) -> Any:
        """With the client's answer to a Challenge."""
        return self._begin(self._exchange.answer(octets))

    def _begin(self, step: sasl.Step) -> Any:
        """On the reactor thread."""
        if isinstance(step, sasl.Credentials) and sasl.acts_as_itself(step):
            terms = {"service": self._service, "peer": self._peer}
            known = login.at_hand(step.username, step.password, **terms)
            if known is not None:
                return self._conclude(known)
        return self._go(step)

    def _go(self, step: sasl.Step) -> Any:
        match step:
            case sasl.Challenge() | sasl.Malformed():
                return self._say(step)
            case sasl.Accepted() | sasl.Denied():
                return self._say(self._outcome)
            case claim:
                return in_pool(partial(self._judge, claim))

    def _judge(self, claim: sasl.Claim) -> Any:
        """In the session pool."""
        terms = {"service": self._service, "peer": self._peer}
        match claim:
            case sasl.Credentials() | sasl.ScramName() if not sasl.acts_as_itself(claim):
                return self._conclude(Refused("impersonation"))
            case sasl.Credentials(username, password):
                return After(login.check(username, password, **terms), self._conclude)
            case sasl.ScramName(username):
                found = proofs.scram_keys(username, **terms)
                if isinstance(found, Refused):
                    return self._conclude(found)
                return self._go(self._exchange.take_keys(found))
            case sasl.ScramProof():
                return self._conclude(proofs.check_scram(claim, **terms))
            case sasl.Bearer():
                return self._conclude(proofs.check_token(claim, **terms))

    def _conclude(self, outcome: login.Login) -> Any:
        self._outcome = outcome
        if isinstance(outcome, Identity):
            return self._go(self._exchange.accept())
        return self._go(self._exchange.refuse())
