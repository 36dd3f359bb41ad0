"""What clients were promised, what is there in the end, and whether the two agree.

A message has a name, goes to places (mailbox addresses, here or far away) and ends, for whoever
sent it, as SURE (it got its 250 or OK), UNSURE (the connection was lost after the last octet) or
REFUSED. The rules:

1. SURE is once in each of its places.
2. UNSURE is in all of its places or in none, and at most once in each.
3. REFUSED is nowhere.
4. Far away a message may be more than once, if its row in the queue is marked ambiguous
   (RFC 5321 §6.1). Nothing else may be anywhere.
5. What a POP3 client took is gone; where its QUIT got no answer it may be there still.
"""

import hashlib
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

_NAME = re.compile(rb"^Subject: ((?:in|out|app)-\d+)\r$", re.MULTILINE)
_DIGEST = re.compile(rb"^X-Digest: ([0-9a-f]{64})\r$", re.MULTILINE)
_QUEUE_ID = re.compile(rb"\bid ([0-9A-Z]{14})\b")


class End(Enum):
    SURE = auto()
    UNSURE = auto()
    REFUSED = auto()


@dataclass(slots=True)
class Sent:
    name: str
    places: tuple[str, ...]
    end: End = End.UNSURE
    queue_id: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A copy of a message: where it lies, and the queue ids of the servers it came through."""

    name: str
    place: str
    queue_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    lost: Sequence[str]
    doubled: Sequence[str]
    excused: Sequence[str]
    broken: Sequence[str]


def compose(name: str, sender: str, size: int) -> bytes:
    """A message of about `size` octets whose header proves its body."""
    body = (b"y" * 70 + b"\r\n") * (size // 72 + 1)
    header = f"Subject: {name}\r\nFrom: {sender}\r\nX-Digest: {hashlib.sha256(body).hexdigest()}"
    return header.encode() + b"\r\n\r\n" + body


def is_whole(octets: bytes) -> bool:
    """Whether a copy's body is the one it was sent with."""
    header, _, body = octets.partition(b"\r\n\r\n")
    digest = _DIGEST.search(header + b"\r\n")
    return digest is not None and digest[1].decode() == hashlib.sha256(body).hexdigest()


def name_in(header: bytes) -> str:
    """The name a header carries; empty where it is none of ours."""
    name = _NAME.search(header)
    return name[1].decode() if name else ""


def read_copy(header: bytes, place: str) -> Found:
    return Found(
        name_in(header) or f"a stranger: {header[:200]!r}",
        place,
        tuple(each.decode() for each in _QUEUE_ID.findall(header)),
    )


@dataclass
class Ledger:
    """Filled by many threads while the load runs, judged once it is over."""

    sent: dict[str, Sent] = field(default_factory=dict)
    taken: set[tuple[str, str]] = field(default_factory=set)
    perhaps_taken: set[tuple[str, str]] = field(default_factory=set)
    # What a client saw that it never should have.
    complaints: list[str] = field(default_factory=list)
    uids: dict[tuple[str, str, int, int], str] = field(default_factory=dict)
    _last: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self, kind: str, places: Iterable[str]) -> Sent:
        """A new message; it counts as unsure only once its last octet may have been sent."""
        with self._lock:
            self._last += 1
            return Sent(f"{kind}-{self._last}", tuple(places))

    def begin(self, sent: Sent) -> None:
        with self._lock:
            self.sent[sent.name] = sent

    def complain(self, text: str) -> None:
        with self._lock:
            self.complaints.append(text)

    def see(self, user: str, folder: str, uidvalidity: int, uid: int, name: str) -> None:
        """A UID means one message for ever (RFC 9051 §2.3.1.1)."""
        with self._lock:
            known = self.uids.setdefault((user, folder, uidvalidity, uid), name)
        if known != name:
            self.complain(f"UID {uid} of {user} {folder} was {known} and is {name}")

    def take(self, place: str, names: Iterable[str], *, is_sure: bool) -> None:
        with self._lock:
            (self.taken if is_sure else self.perhaps_taken).update((place, n) for n in names)

    def count(self, end: End) -> int:
        return sum(sent.end is end for sent in self.sent.values())

    def judge(self, found: Iterable[Found], ambiguous: set[str], far: str) -> Verdict:
        """Hold what is there against the rules; `ambiguous` are queue ids."""
        copies: dict[str, Counter[str]] = defaultdict(Counter)
        excuses: dict[str, bool] = {}
        broken: list[str] = []
        for copy in found:
            copies[copy.name][copy.place] += 1
            if copy.place == far and ambiguous.intersection(copy.queue_ids):
                excuses[copy.name] = True
            if copy.name not in self.sent:
                broken.append(f"{copy.name} is in {copy.place}, and nobody sent it")
        lost: list[str] = []
        doubled: list[str] = []
        excused: list[str] = []
        for sent in self.sent.values():
            times = {place: self._times(copies[sent.name], place, sent) for place in sent.places}
            if sent.end is End.SURE:
                lost += [f"{sent.name} for {place}" for place, n in times.items() if n == 0]
            if sent.end is End.UNSURE and 0 in times.values() and any(times.values()):
                broken.append(f"{sent.name} is in some of its places only: {times}")
            if sent.end is End.REFUSED and any(times.values()):
                broken.append(f"{sent.name} was refused and is there: {times}")
            for place in [*times, *(each for each in copies[sent.name] if each not in times)]:
                number = times.get(place)
                if number is None:
                    broken.append(f"{sent.name} is in {place}, where it was not sent")
                elif number > 1 and place == far and sent.name in excuses:
                    excused.append(sent.name)
                elif number > 1:
                    doubled.append(f"{sent.name} for {place}: {number} times")
        return Verdict(lost, doubled, excused, broken)

    def _times(self, copies: Counter[str], place: str, sent: Sent) -> int:
        """How often it got there; what a client may have taken counts as there."""
        key = (place, sent.name)
        if key in self.taken:
            return copies[place] + 1
        if key in self.perhaps_taken:
            return max(1, copies[place])
        return copies[place]
