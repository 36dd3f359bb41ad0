"""What is new in a selected folder, as values: what to tell, and what a client wants told."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Changed:
    """A message whose flags the client does not know; with `knows_flags` only its MODSEQ."""

    number: int
    uid: int
    flags: int
    keywords: int
    modseq: int
    is_recent: bool
    knows_flags: bool = False


@dataclass(frozen=True, slots=True)
class News:
    """What to tell a client, in this order. None: nothing new there.

    `expunged` are numbers, the highest first; `vanished` the UIDs of the same messages, ascending.
    """

    expunged: tuple[int, ...] = ()
    vanished: tuple[int, ...] = ()
    exists: int | None = None
    recent: int | None = None
    keyword_names: tuple[str, ...] | None = None
    changed: tuple[Changed, ...] = ()


NO_NEWS = News()


class Overflow(Exception):
    """More has happened than is told unasked."""


class Wanted(NamedTuple):
    """Which news of its folder a client wants to hear (RFC 5465 §5)."""

    messages: bool = True
    flags: bool = True


EVERYTHING = Wanted()
SILENCE = Wanted(messages=False, flags=False)
