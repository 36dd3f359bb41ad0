"""Log in to the web: the owner of a mailbox with the mailbox's password, an admin with their own.

Both stand behind the throttle of `accounts.login`. What ends the sessions of mail programs ends an
owner's on the web too.
"""

import threading
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils import timezone

from accounts import keyring, login
from accounts.directory.names import fold_address
from accounts.models import Mailbox, User

HASH_SECONDS = 60.0

# Or as many as there are threads would be judged before the first has failed.
_one_guess_at_a_time = threading.Lock()


class MailboxBackend(ModelBackend):
    """The User of a mailbox has no password of its own."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        if not username or password is None or "@" not in username or _is_admin(username):
            return None
        answer = login.check(username, password, service="web", peer=_peer(request))
        match answer.result(HASH_SECONDS):
            case login.Identity(mailbox_id=mailbox_id):
                user = User.objects.filter(mailbox=mailbox_id).first()
                return user if self.user_can_authenticate(user) else None
            case _:
                return None

    def get_user(self, user_id: int) -> User | None:
        mailbox_ids = list(Mailbox.objects.filter(user=user_id).values_list("pk", flat=True))
        if mailbox_ids and not dict(keyring.versions(mailbox_ids)):
            return None
        user = super().get_user(user_id)
        return user if isinstance(user, User) else None


class AdminBackend(ModelBackend):
    """A User without a mailbox."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        if not username or password is None:
            return None
        throttle, peer = login.throttle(), _peer(request)
        if not _is_admin(username):
            return None
        with _one_guess_at_a_time:
            if throttle.must_wait(username, peer):
                return None
            user = super().authenticate(request, username, password, **kwargs)
            if user is None:
                throttle.failed(username, peer)
                return None
        throttle.succeeded(username, peer)
        return user if isinstance(user, User) else None


def forget_expired_sessions() -> None:
    """Who does not log out leaves a row behind, and nobody asks for it again."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()


def must_wait(username: str, request: HttpRequest | None) -> float:
    """Seconds until this client may try that name again; 0 lets it try now."""
    key = username if _is_admin(username) else fold_address(username)
    return login.throttle().must_wait(key, _peer(request))


def _is_admin(username: str) -> bool:
    """Whether the name is a User's with a password of its own; unknown plain names count too."""
    mailbox_ids = User.objects.filter(username=username).values_list("mailbox", flat=True)
    return None in mailbox_ids or (not mailbox_ids and "@" not in username)


def _peer(request: HttpRequest | None) -> str:
    return str(request.META.get("REMOTE_ADDR", "")) if request is not None else ""
