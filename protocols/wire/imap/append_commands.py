"""Commands that bring a message: APPEND and REPLACE, and the pieces of it (RFC 3501 §6.3.11)."""

from dataclasses import dataclass, field
from typing import TypeAlias

from .responses import Tagged


@dataclass(frozen=True, slots=True)
class NewMessage:
    """Another message of an APPEND begins (RFC 3502); fields as in `Append`."""

    flags: int
    keywords: tuple[str, ...]
    internal_date: int | None
    zone_minutes: int


@dataclass(frozen=True, slots=True)
class Url:
    """The next part of the message is what a URL names (RFC 4469 §3)."""

    octets: bytes


Step: TypeAlias = NewMessage | Url


@dataclass(frozen=True, slots=True)
class Append:
    """APPEND up to its literal of `size` octets, none of which is read yet.

    Answer with `Continuation()` to be given `AppendChunk`s and `AppendEnd` or `AppendAborted`, or
    refuse with a `Tagged` (TRYCREATE, TOOBIG): a synchronising literal is then never sent, and any
    other is dropped as it arrives. `flags` are bits of `flags.Flag`; `internal_date` is in seconds
    since 1970 with `zone_minutes` east of UTC, None for now. `is_binary`: the literal is one that
    may hold NUL (RFC 3516 §4.4). `is_wrapped`: it came as `UTF8 (~{…` and is closed behind (RFC
    6855 §4, which RFC 9755 dropped).

    What stands before the literal is in `steps`; `is_catenated`: it is a TEXT, one part of a
    message (RFC 4469), else a message. Answered with `Continuation()` too where there is none
    (`has_literal`).
    """

    tag: bytes
    name: str
    flags: int
    keywords: tuple[str, ...]
    internal_date: int | None
    zone_minutes: int
    size: int
    is_binary: bool = field(default=False, kw_only=True)
    is_wrapped: bool = field(default=False, kw_only=True)
    is_catenated: bool = field(default=False, kw_only=True)
    has_literal: bool = field(default=True, kw_only=True)
    steps: tuple[Step, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True, slots=True)
class Replace(Append):
    """REPLACE or UID REPLACE (RFC 8508): an APPEND that removes the message `number`, 0 for `*`."""

    number: int
    is_uid: bool


@dataclass(frozen=True, slots=True)
class AppendMore:
    """The APPEND under way goes on behind a literal: `steps`, then a literal of `size` octets.

    Fields and answer as for `Append`; a refusal ends the APPEND.
    """

    tag: bytes
    steps: tuple[Step, ...]
    size: int
    is_binary: bool = False
    is_wrapped: bool = False
    is_catenated: bool = False


@dataclass(frozen=True, slots=True)
class AppendChunk:
    """Some of the literal of the APPEND under way. Needs no answer."""

    data: bytes


@dataclass(frozen=True, slots=True)
class AppendEnd:
    """The APPEND is complete but for `steps`: store it and answer."""

    tag: bytes
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class AppendAborted:
    """What followed the literal was no end of a command: drop it and answer with `reply`."""

    tag: bytes
    reply: Tagged
