"""What all clients of a stress know together: names by UID, flags by MODSEQ, who asked for what.

Filled by many threads while they run, held against the server when they rest.
"""

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.journeys.imap_reader import numbers_in

Flags = frozenset[bytes]
Place = tuple[str, int]
"""Folder and UID."""

_COPYUID = re.compile(rb"(\d+) (\S+) (\S+)")


class Deviation(AssertionError):
    """The server said what it may not say, or forgot what it had promised."""


@dataclass
class Truth:
    """One mailbox. UIDVALIDITY never changes in a stress, so a UID means one message for ever."""

    names: dict[Place, str] = field(default_factory=dict)
    flags: dict[tuple[str, int, int], Flags] = field(default_factory=dict)
    # Promised by APPENDUID or COPYUID.
    came: dict[Place, Place | None] = field(default_factory=dict)
    moved: set[Place] = field(default_factory=set)
    # Somebody asked for \Deleted, or for a MOVE, of these.
    may_go: set[Place] = field(default_factory=set)
    commands: int = 0
    _appended: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def new_name(self) -> str:
        with self._lock:
            self._appended += 1
            return f"message-{self._appended}"

    def count_command(self) -> None:
        with self._lock:
            self.commands += 1

    def see_name(self, folder: str, uid: int, name: str) -> None:
        """A UID means one message for ever (RFC 9051 §2.3.1.1)."""
        with self._lock:
            known = self.names.setdefault((folder, uid), name)
        if known != name:
            raise Deviation(f"UID {uid} of {folder} was {known} and is {name}")

    def see_flags(self, folder: str, uid: int, modseq: int, flags: Flags) -> None:
        """One mod-sequence of a message means one set of flags, whoever asks (RFC 7162 §3.1)."""
        with self._lock:
            known = self.flags.setdefault((folder, uid, modseq), flags)
        if known != flags:
            raise Deviation(
                f"UID {uid} of {folder} at MODSEQ {modseq} has {sorted(flags)}, and {sorted(known)}"
            )

    def let_go(self, folder: str, uids: Iterable[int]) -> None:
        with self._lock:
            self.may_go.update((folder, uid) for uid in uids)

    def appended(self, folder: str, uid: int, name: str) -> None:
        with self._lock:
            if (folder, uid) in self.came:
                raise Deviation(f"APPENDUID {uid} of {folder} twice")
            self.came[folder, uid] = None
        self.see_name(folder, uid, name)

    def copied(self, source: str, target: str, code: bytes, *, is_move: bool) -> None:
        """What COPYUID says: the n-th source became the n-th target (RFC 4315 §3)."""
        found = _COPYUID.fullmatch(code)
        if found is None:
            raise Deviation(f"COPYUID {code!r}")
        sources, targets = numbers_in(found[2]), numbers_in(found[3])
        if len(sources) != len(targets):
            raise Deviation(f"COPYUID of {len(sources)} to {len(targets)}")
        with self._lock:
            for old, new in zip(sources, targets, strict=True):
                if (target, new) in self.came:
                    raise Deviation(f"UID {new} of {target} given twice")
                self.came[target, new] = (source, old)
                if is_move and (source, old) in self.moved:
                    raise Deviation(f"UID {old} of {source} was moved twice")
                if is_move:
                    self.moved.add((source, old))

    def judge(self, folder: str, found: Mapping[int, str]) -> None:
        """Hold what a folder at rest has (names by UID) against what was promised."""
        for uid, name in found.items():
            self.see_name(folder, uid, name)
        here = {uid for place, uid in self.came if place == folder}
        if strangers := found.keys() - here:
            raise Deviation(f"{folder} has UIDs that nobody brought: {sorted(strangers)}")
        if ghosts := [uid for place, uid in self.moved if place == folder and uid in found]:
            raise Deviation(f"{folder} has UIDs that were moved away: {ghosts}")
        gone = here - found.keys()
        if lost := [uid for uid in gone if not self._may_be_gone((folder, uid))]:
            raise Deviation(f"{folder} lost UIDs that nobody deleted: {sorted(lost)}")
        for uid in found:
            source = self.came[folder, uid]
            if source in self.names and self.names[source] != found[uid]:
                raise Deviation(f"{source} became {folder} {uid}, another message")

    def _may_be_gone(self, place: Place) -> bool:
        """Whether somebody deleted it, or what it was copied from."""
        at: Place | None = place
        while at is not None:
            if at in self.may_go:
                return True
            at = self.came.get(at)
        return False
