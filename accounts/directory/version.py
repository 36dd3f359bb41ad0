"""One token for the state of the directory: whoever changes it calls `touch`.

A process asks for the token at most once in `TRUST_SECONDS`, so that a change made elsewhere (the
command line, another node) is heard within that time, and its own changes at once.
"""

import secrets
import threading
import time

from django.db import transaction

from accounts import stamps
from accounts.models import DirectoryVersion

TRUST_SECONDS = 1.0

_NONE = -1
_lock = threading.Lock()
_known = _NONE
_asked_at = float("-inf")
_forgotten = 0


def touch() -> None:
    """Make every process drop its answers once the transaction that is open has committed."""
    token = secrets.randbits(62)
    with transaction.atomic():
        DirectoryVersion.objects.update_or_create(pk=1, defaults={"token": token})
        # Logins hang on the directory.
        stamps.change()
    forget()
    # Answers read before the commit are old after it.
    transaction.on_commit(forget)


def forget() -> None:
    """Ask again before the next answer from memory."""
    global _asked_at, _known, _forgotten
    with _lock:
        _asked_at, _known = float("-inf"), _NONE
        _forgotten += 1


def trusted() -> int | None:
    """The token if it was asked for a moment ago; None means ask. Never touches the database."""
    with _lock:
        return _known if time.monotonic() - _asked_at < TRUST_SECONDS else None


def current() -> int:
    """The token, asked for unless it is trusted. Take it before reading what is to be cached."""
    global _asked_at, _known
    if (token := trusted()) is not None:
        return token
    asked_at, forgotten = time.monotonic(), _forgotten
    row = DirectoryVersion.objects.filter(pk=1).values_list("token", flat=True).first()
    with _lock:
        # A change while we asked: what we heard may be the state before it.
        if forgotten == _forgotten:
            _asked_at, _known = asked_at, row or 0
    return row or 0
