"""Give messages their threads, for ever (RFC 8474 §5.2).

Delivery does nothing for it: who asks first has the mailbox's new messages given theirs, in the
order they came, from a stored cursor on. So the outcome is that of doing it at delivery. A thread
is found by message-ids, anywhere in the mailbox; subjects join nothing.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django.db.models import Case, When
from django.db.models.functions import Length

from accounts import commit
from accounts.key_lists import listed
from accounts.mailstore.leftovers import is_unplaced
from accounts.mailstore.thread_names import first_fields, names
from accounts.models import Message, ThreadCursor, ThreadedMessage, ThreadName
from accounts.rows import Rows

CHUNK = 250
# Of a message's references: the oldest, and the latest of the others.
MAX_REFERENCES = 20
_TEXT_OCTETS = 16 << 10

_MESSAGE = ("message_id", "thread")
_NAME = ("mailbox_id", "digest", "thread")


class _Newcomer(NamedTuple):
    """A message, the digest of its own id if it has one, and of its ancestors', nearest first."""

    key: int
    own: int | None
    ancestors: list[int]

    @property
    def all(self) -> list[int]:
        return self.ancestors if self.own is None else [self.own, *self.ancestors]


def catch_up(mailbox_id: int) -> Iterator[None]:
    """Give every message of a mailbox its thread, pausing after each chunk."""
    last = _last(mailbox_id)
    found = Message.objects.filter(mailbox_id=mailbox_id, pk__gt=last).order_by("pk")
    keys = list(found.values_list("pk", flat=True))
    for start in range(0, len(keys), CHUNK):
        work = _Threading(mailbox_id, _read(keys[start : start + CHUNK]))
        commit.run(commit.Unit(frozenset((mailbox_id,)), work, rows=2 * CHUNK))
        yield


def _last(mailbox_id: int) -> int:
    cursor = ThreadCursor.objects.filter(pk=mailbox_id).values_list("last_message", flat=True)
    return cursor.first() or 0


def _read(keys: Sequence[int]) -> list[_Newcomer]:
    wanted = Message.objects.filter(pk__in=listed(keys)).annotate(octets=Length("headers"))
    # Larger ones are read one at a time: a stranger's mail may have a header of a MiB.
    headers_if_small = Case(When(octets__lte=_TEXT_OCTETS, then="headers"))
    found = []
    for key, headers in wanted.order_by("pk").values_list("pk", headers_if_small):
        if headers is None:
            alone = Message.objects.filter(pk=key).values_list("headers", flat=True)
            headers = alone.first() or b""
        own, references = names(first_fields(bytes(headers)), MAX_REFERENCES)
        ancestors = [_number(name) for name in reversed(references)]
        found.append(_Newcomer(key, None if own is None else _number(own), ancestors))
    return found


def _number(digest: bytes) -> int:
    return int.from_bytes(digest, "big", signed=True)


class _Threading:
    """One chunk of newcomers, under the mailbox's lock."""

    def __init__(self, mailbox_id: int, newcomers: Sequence[_Newcomer]) -> None:
        self._mailbox_id = mailbox_id
        self._newcomers = newcomers

    def __call__(self, rows: Rows, blob_id: int | None) -> None:
        rows.mailbox(self._mailbox_id)
        rows.direct()
        last = _last(self._mailbox_id)
        # Another session may have been quicker.
        newcomers = [each for each in self._newcomers if each.key > last]
        if not newcomers:
            return
        placed = self._placed(newcomers)
        known = self._known(newcomers)
        for each in newcomers:
            if each.key not in placed:
                continue
            thread = next((known[name] for name in each.all if name in known), each.key)
            rows.insert_values(ThreadedMessage, _MESSAGE, (each.key, thread))
            for name in each.all:
                if name not in known:
                    known[name] = thread
                    rows.insert_values(ThreadName, _NAME, (self._mailbox_id, name, thread))
        ThreadCursor.objects.update_or_create(
            mailbox_id=self._mailbox_id, defaults={"last_message": newcomers[-1].key}
        )

    def _placed(self, newcomers: Sequence[_Newcomer]) -> set[int]:
        """Those that can be reached: they stay while the lock is held, others may be collected."""
        keys = listed([each.key for each in newcomers])
        found = Message.objects.filter(~is_unplaced(), pk__in=keys)
        return set(found.values_list("pk", flat=True))

    def _known(self, newcomers: Sequence[_Newcomer]) -> dict[int, int]:
        wanted = listed(list({name for each in newcomers for name in each.all}))
        found = ThreadName.objects.filter(mailbox_id=self._mailbox_id, digest__in=wanted)
        return dict(found.values_list("digest", "thread"))
