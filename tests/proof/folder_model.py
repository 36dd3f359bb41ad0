"""What a client may believe about a folder after each response, and which responses may not be.

The model is a plain reading of RFC 3501 §7 and RFC 7162: numbers shrink by EXPUNGE or VANISHED
alone and grow at the end alone, UIDs ascend and are never given twice, mod-sequences never fall.
"""

from bisect import bisect_left
from dataclasses import dataclass, field

from tests.journeys.imap_reader import Response, numbers_in
from tests.proof.truth import Deviation, Flags, Truth

# RFC 3501 §7.4.1: no EXPUNGE while one of these is answered.
KEEPS_NUMBERS = frozenset((b"FETCH", b"STORE", b"SEARCH"))


@dataclass(slots=True)
class Known:
    """A message as the client knows it; 0 or None: not told yet."""

    uid: int = 0
    flags: Flags | None = None
    modseq: int = 0
    # The highest UID that was known when it came.
    above: int = 0


@dataclass(slots=True)
class FolderModel:
    """One client's copy of a folder."""

    name: str
    truth: Truth
    messages: list[Known] = field(default_factory=list)
    uidvalidity: int = 0
    # Below this mod-sequence the client has missed nothing.
    modseq: int = 0
    # Told in the command under way: numbers whose flags a FETCH said.
    flags_told: set[int] = field(default_factory=set)
    _highest_uid: int = 0
    _told_modseq: int = 0

    # --- what the server says

    def exists(self, count: int) -> None:
        if count < len(self.messages):
            raise Deviation(f"EXISTS {count} after {len(self.messages)}")
        came = count - len(self.messages)
        self.messages += [Known(above=self._highest_uid) for _ in range(came)]

    def expunge(self, number: int, command: bytes) -> None:
        self._may_shrink(command)
        if not 1 <= number <= len(self.messages):
            raise Deviation(f"EXPUNGE {number} of {len(self.messages)}")
        del self.messages[number - 1]

    def vanished(self, uids: list[int], command: bytes) -> None:
        self._may_shrink(command)
        for uid in uids:
            place = self._place_of(uid)
            if place is None:
                raise Deviation(f"VANISHED {uid}, which nobody told of")
            del self.messages[place]

    def vanished_earlier(self, uids: list[int]) -> None:
        """RFC 7162 §3.2.10: may name what the client never knew."""
        gone = set(uids)
        self.messages = [each for each in self.messages if each.uid not in gone]

    def fetch(self, response: Response, *, is_asked: bool, wants: frozenset[bytes]) -> Known:
        """Believe a FETCH; `wants` are items that an unasked one must have."""
        number, items = response.number, response.items
        if number is None or not 1 <= number <= len(self.messages):
            raise Deviation(f"FETCH {number} of {len(self.messages)}")
        if not is_asked and not wants <= items.keys():
            raise Deviation(f"an unasked FETCH without {wants - items.keys()!r}")
        message = self.messages[number - 1]
        if b"UID" in items:
            self._name(number, int(items[b"UID"]))
        if b"MODSEQ" in items:
            modseq = int(items[b"MODSEQ"][0])
            if modseq < message.modseq:
                raise Deviation(f"MODSEQ {modseq} of UID {message.uid} after {message.modseq}")
            message.modseq = modseq
            self._told_modseq = max(self._told_modseq, modseq)
        if b"FLAGS" in items:
            message.flags = flags_of(items[b"FLAGS"])
            self.flags_told.add(message.uid)
            if b"MODSEQ" in items and message.uid:
                self.truth.see_flags(self.name, message.uid, message.modseq, message.flags)
        return message

    def highest_modseq(self, modseq: int) -> None:
        self._told_modseq = max(self._told_modseq, modseq)

    def caught_up(self) -> None:
        """Everything up to the last mod-sequence heard of was told: nothing is held back."""
        self.modseq = max(self.modseq, self._told_modseq)

    def select_again(self, uidvalidity: int, count: int) -> None:
        """What a resync left must be as many as the server has."""
        if self.uidvalidity != uidvalidity:
            raise Deviation(f"UIDVALIDITY {uidvalidity} after {self.uidvalidity}")
        if count != len(self.messages):
            raise Deviation(f"{len(self.messages)} messages after a resync; EXISTS {count}")

    # --- what the client makes of it

    @property
    def uids(self) -> list[int]:
        return [each.uid for each in self.messages]

    @property
    def first_unnamed(self) -> int | None:
        """The number of the first message whose UID was not told."""
        return next((at + 1 for at, each in enumerate(self.messages) if not each.uid), None)

    def find(self, uid: int) -> Known | None:
        return next((each for each in self.messages if each.uid == uid), None)

    def adopt(self, uid: int) -> Known:
        """The message with this UID, put where it belongs if a resync tells of it first."""
        found = self.find(uid)
        if found is None:
            found = Known(uid)
            self.messages.insert(bisect_left(self.uids, uid), found)
            self._highest_uid = max(self._highest_uid, uid)
        return found

    def _may_shrink(self, command: bytes) -> None:
        if command in KEEPS_NUMBERS or not command:
            raise Deviation(f"messages went during {command.decode() or 'no command'}")

    def _name(self, number: int, uid: int) -> None:
        message = self.messages[number - 1]
        if message.uid not in (0, uid):
            raise Deviation(f"message {number} is UID {uid}, and was {message.uid}")
        if message.uid:
            return
        before = max((each.uid for each in self.messages[: number - 1]), default=0)
        after = next((each.uid for each in self.messages[number:] if each.uid), uid + 1)
        if not before < uid < after:
            raise Deviation(f"UID {uid} between {before} and {after}")
        if uid <= message.above:
            raise Deviation(f"UID {uid} came after {message.above}")
        message.uid = uid
        self._highest_uid = max(self._highest_uid, uid)

    def _place_of(self, uid: int) -> int | None:
        """Where the message is; one of unknown UID where only such can be it."""
        for place, each in enumerate(self.messages):
            if each.uid == uid:
                return place
        above = [at for at, each in enumerate(self.messages) if each.uid > uid]
        last = (above[0] if above else len(self.messages)) - 1
        # Of several the last: what is left is above no more than it was.
        return last if last >= 0 and not self.messages[last].uid else None


def flags_of(words: list[bytes]) -> Flags:
    """A flag list without \\Recent, which is each session's own."""
    return frozenset(bytes(word) for word in words) - {b"\\Recent"}


def vanished_in(response: Response) -> tuple[bool, list[int]]:
    """Whether it says EARLIER, and the UIDs."""
    is_earlier = isinstance(response.words[1], list)
    return is_earlier, numbers_in(response.words[-1])
