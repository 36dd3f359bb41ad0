"""Notices of changes as publications of Redis, between processes on several machines."""

import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

import redis
from django.conf import settings

from accounts import effects
from accounts.mailstore.notices import POLL_SECONDS, Notice

log = logging.getLogger(__name__)

SUBSCRIBED = b"subscribed"
# Seconds: longer than anybody waits for the next notice.
_PATIENCE = POLL_SECONDS + 5

Away = redis.RedisError


def send(changed: Sequence[Notice]) -> None:
    """Publish notices soon, away from the caller's thread."""
    _outbox.put(changed)


def received(seconds: Callable[[], float]) -> Iterator[bytes]:
    """What other processes publish; b"" when there was nothing for so many seconds.

    SUBSCRIBED comes whenever a subscription begins. Raises Away.
    """
    own = _outbox.sender.encode()
    with _client() as client, client.pubsub() as pubsub:
        pubsub.subscribe(_channel())
        while True:
            message = pubsub.get_message(timeout=seconds())
            if message is None or (message["type"] == "message" and message["data"].endswith(own)):
                yield b""
            else:
                yield SUBSCRIBED if message["type"] == "subscribe" else message["data"]


class Outbox:
    """The newest MODSEQ of each folder that Redis has not heard; sent off the caller's thread."""

    def __init__(self) -> None:
        self._token = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._waiting: dict[tuple[int, int], int] = {}

    @property
    def sender(self) -> str:
        """Tells this process from all others; a forked child is another."""
        return f"{self._token}-{os.getpid()}"

    def put(self, changed: Sequence[Notice]) -> None:
        with self._lock:
            for mailbox_id, folder_id, modseq in changed:
                self._waiting[mailbox_id, folder_id] = modseq
        # A lane of its own: nudges pause, and may wait for a broker.
        effects.soon("notices", self._flush, lane="publications")

    def _flush(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        channel, sender = _channel(), self.sender
        try:
            with _client() as client, client.pipeline(transaction=False) as pipeline:
                for (mailbox_id, folder_id), modseq in waiting.items():
                    pipeline.publish(channel, f"{mailbox_id} {folder_id} {modseq} {sender}")
                pipeline.execute()
        except (redis.ConnectionError, redis.TimeoutError) as error:
            # Whoever waits for it polls.
            log.warning("notices: Redis does not take them: %s", error)


_outbox = Outbox()


def _channel() -> str:
    """Redis has channels for the whole server: the database's number keeps two Mailhosts apart."""
    number = urlsplit(settings.MAILHOST.redis_url).path.strip("/") or "0"
    return f"mailhost:{number}:notices"


def _client() -> "redis.Redis":
    return redis.Redis.from_url(
        settings.MAILHOST.redis_url, socket_timeout=_PATIENCE, socket_connect_timeout=5
    )
