"""Ways into a mailbox that show no password: SCRAM proofs and bearer tokens.

They stand behind the same throttle as passwords, read the same row, and need no expensive hash:
what is proved was generated. Call them from a pool thread: they read the database.
"""

import structlog
from django.db import DatabaseError
from django.utils import timezone

from accounts import generated_secrets, keyring, login, scopes, scram_secrets
from accounts.directory.names import fold_address, split_address
from accounts.login import Login, Refused
from accounts.models import AccessToken, Credential
from protocols.wire import sasl

log = structlog.get_logger(__name__)


def scram_keys(address: str, *, service: str, peer: str) -> sasl.ScramKeys | Refused:
    """The salt of an address and the keys that open it for a service.

    An address without keys, or without a mailbox, has a salt too, always the same.
    """
    key = fold_address(address)
    if refused := _first_look(address, key, service, peer):
        return refused
    local_part, domain = split_address(address)
    try:
        rows = Credential.objects.filter(
            mailbox__local_part=local_part,
            mailbox__domain__name=domain,
            mailbox__removed_at=None,
            kind=Credential.Kind.APP_PASSWORD,
        ).exclude(scram="")
        found = list(rows.order_by("pk").values_list("pk", "scram", "scopes"))
    except DatabaseError:
        log.exception("login.database", service=service)
        return Refused("temporary")
    if not found:
        return sasl.ScramKeys(generated_secrets.scram_salt(key), sasl.ITERATIONS, ())
    known = [(scram_secrets.read(pk, column), allowed) for pk, column, allowed in found]
    first = known[0][0]
    keys = [each.keys[0] for each, allowed in known if scopes.covers(allowed, service)]
    return sasl.ScramKeys(first.salt, first.iterations, tuple(keys))


def check_scram(proof: sasl.ScramProof, *, service: str, peer: str) -> Login:
    """What a proof comes to; the row is read again, for it may have changed since the keys were."""
    key = fold_address(proof.username)
    if refused := _first_look(proof.username, key, service, peer):
        return refused
    if proof.key_id is None:
        return login.turn_away(key, service, peer)
    try:
        ring = keyring.read(proof.username)
    except DatabaseError:
        log.exception("login.database", service=service)
        return Refused("temporary")
    usable = ring.app_passwords(service) if ring is not None else ()
    for secret in usable:
        if secret.id == proof.key_id:
            assert ring is not None
            return login.welcome(ring, secret, key, peer)
    return login.turn_away(key, service, peer)


def check_token(claim: sasl.Bearer, *, service: str, peer: str) -> Login:
    """What a token comes to. Where the client names somebody, it must be the token's mailbox."""
    key = fold_address(claim.username)
    if refused := _first_look(claim.username, key, service, peer):
        return refused
    try:
        digest = generated_secrets.digest(claim.token)
        # The version of the secrets first: of a token that is revoked meanwhile the session ends.
        ring = keyring.read_of_token(digest) if claim.token else None
        token = AccessToken.objects.filter(digest=digest).first() if ring is not None else None
    except DatabaseError:
        log.exception("login.database", service=service)
        return Refused("temporary")
    if token is None or ring is None or not scopes.covers(token.scopes, service):
        return login.turn_away(key, service, peer)
    if token.expires_at is not None and token.expires_at <= timezone.now():
        # Not counted as a guess: it was good, and its program will come back with the next one.
        log.info("login.token_expired", address=ring.identity.address, service=service, peer=peer)
        return Refused("credentials")
    if claim.username and key != ring.identity.address:
        return login.turn_away(key, service, peer)
    login.throttle().succeeded(key, peer)
    if ring.is_suspended:
        return Refused("suspended")
    keyring.note_use(AccessToken, token.pk, token.last_used_at, keyring.APP_USE_NOTED_EVERY)
    return ring.identity


def _first_look(address: str, key: str, service: str, peer: str) -> Refused | None:
    """The throttle, before anything is asked of the database."""
    if len(address) > login.MAX_ADDRESS:
        return Refused("credentials")
    if login.throttle().must_wait(key, peer):
        log.info("login.throttled", address=key, service=service, peer=peer)
        return Refused("throttled")
    return None
