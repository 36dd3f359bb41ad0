"""What an IMAP server says: the two kinds of answer as values, untagged lines as octets.

Answers are values because the conversation acts on them (a Continuation changes what it reads
next). Everything else is rendered straight to octets: hot paths join and push those.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, TypeAlias

from protocols.wire.conversation import Pieces

from . import utf7
from .dialect import Dialect
from .options import Page
from .sequence_set import compact
from .strings import astring, nstring, string, utf8_astring

Status: TypeAlias = Literal["OK", "NO", "BAD"]

_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


@dataclass(frozen=True, slots=True)
class Tagged:
    """The line that ends a command.

    `code` is the response code without its brackets (`TRYCREATE`, `APPENDUID 38505 3955`).
    `untagged` goes out before it, whole lines with their ends. `closes` ends the conversation once
    it is flushed. `dialect` is how commands are read from here on, None: as before.
    """

    tag: bytes
    status: Status
    text: str
    code: bytes = b""
    untagged: bytes = b""
    closes: bool = False
    dialect: Dialect | None = None

    def to_bytes(self) -> bytes:
        """The lines on the wire."""
        return b"%b%b %b" % (self.untagged, self.tag, _condition(self.status, self.text, self.code))


@dataclass(frozen=True, slots=True)
class Continuation:
    """`+`: go on. `data` is sent as base64 where the command is AUTHENTICATE, else as text."""

    data: bytes = b""


Reply: TypeAlias = Tagged | Continuation


@dataclass(frozen=True, slots=True)
class Bye:
    """An untagged BYE; pushed, it ends the conversation (RFC 3501 §7.1.5)."""

    text: str
    code: bytes = b""

    def to_bytes(self) -> bytes:
        """The line on the wire."""
        return b"* " + _condition("BYE", self.text, self.code)


class InPieces:
    """Whole untagged lines in pieces: octets of messages that nobody joins on their way out."""

    __slots__ = ("_size", "pieces")

    def __init__(self, pieces: Pieces) -> None:
        self.pieces = pieces
        self._size = sum(map(len, pieces))

    def __len__(self) -> int:
        """Octets."""
        return self._size

    def __bytes__(self) -> bytes:
        """The lines, joined."""
        return b"".join(self.pieces)


Push: TypeAlias = bytes | InPieces | Bye


def untagged(
    status: Literal["OK", "NO", "BAD", "BYE", "PREAUTH"], text: str, code: bytes = b""
) -> bytes:
    """`* OK [code] text`: a greeting or a remark."""
    return b"* " + _condition(status, text, code)


def _condition(status: str, text: str, code: bytes) -> bytes:
    words = text.encode("ascii", "replace").translate(_TEXT)
    if code:
        return b"%b [%b] %b\r\n" % (status.encode(), code, words)
    return b"%b %b\r\n" % (status.encode(), words)


# A reply's text can never break out of its line, whatever it quotes.
_TEXT = bytes(octet if 0x20 <= octet < 0x7F else 0x3F for octet in range(256))


def in_progress(tag: bytes, done: int | None = None, goal: int = 0) -> bytes:
    """A remark that the command `tag` is under way (RFC 9585 §4): `done` of `goal`, 0 if unknown.

    A tag may hold `]`, at which old clients end a response code; then it is left out.
    """
    name = b"NIL" if b"]" in tag else b'"%b"' % tag
    count = b"NIL" if done is None else b"%d" % done
    aim = b"%d" % goal if done is not None and goal else b"NIL"
    code = b"INPROGRESS (%b %b %b)" % (name, count, aim)
    return untagged("OK", "Still at it.", code)


def exists(count: int) -> bytes:
    """How many messages the folder has."""
    return b"* %d EXISTS\r\n" % count


def recent(count: int) -> bytes:
    """How many of them are \\Recent to this session."""
    return b"* %d RECENT\r\n" % count


def vanished(uids: bytes, *, is_earlier: bool = False) -> bytes:
    """The UIDs of a set are gone (RFC 7162 §3.2.10); `is_earlier`: before the client looked."""
    return b"* VANISHED %b%b\r\n" % (b"(EARLIER) " if is_earlier else b"", uids)


def highest_modseq(modseq: int) -> bytes:
    """The HIGHESTMODSEQ response code (RFC 7162 §3.1.2.1)."""
    return b"HIGHESTMODSEQ %d" % modseq


def fetch(number: int, data: bytes) -> bytes:
    """One FETCH response; `data` is the joined `NAME value` pairs."""
    return b"* %d FETCH (%b)\r\n" % (number, data)


def uid_fetch(uid: int, data: bytes) -> bytes:
    """One UIDFETCH response (RFC 9586 §3.2), as `fetch` for who knows no message numbers."""
    return b"* %d UIDFETCH (%b)\r\n" % (uid, data)


def flags(names: bytes) -> bytes:
    """The flags that a folder knows; `names` is a parenthesised list."""
    return b"* FLAGS %b\r\n" % names


def permanent_flags(names: bytes) -> bytes:
    """Which of them a client can change for good; `names` is a parenthesised list."""
    return untagged("OK", "Flags permitted.", b"PERMANENTFLAGS " + names)


def capability(names: Iterable[str]) -> bytes:
    """The CAPABILITY response."""
    return b"* CAPABILITY %b\r\n" % " ".join(names).encode()


def enabled(names: Iterable[str]) -> bytes:
    """The ENABLED response (RFC 5161 §3.2)."""
    return b" ".join([b"* ENABLED", *(name.encode() for name in names)]) + b"\r\n"


def listed(
    name: str,
    attributes: Iterable[str] = (),
    *,
    is_lsub: bool = False,
    delimiter: str = "/",
    is_utf8: bool = False,
) -> bytes:
    """One LIST or LSUB response, e.g. `* LIST (\\HasNoChildren \\Sent) "/" "Sent"`."""
    return b'* %b (%b) "%b" %b\r\n' % (
        b"LSUB" if is_lsub else b"LIST",
        " ".join(attributes).encode(),
        delimiter.encode(),
        folder_name(name, is_utf8=is_utf8),
    )


def delimiter_only() -> bytes:
    """The answer to LIST "" "": the hierarchy delimiter and the root (RFC 3501 §6.3.8)."""
    return b'* LIST (\\Noselect) "/" ""\r\n'


def status(name: str, items: Sequence[tuple[str, int | str]], *, is_utf8: bool = False) -> bytes:
    """One STATUS response."""
    pairs = " ".join(f"{item} {value}" for item, value in items)
    return b"* STATUS %b (%b)\r\n" % (folder_name(name, is_utf8=is_utf8), pairs.encode())


def search(numbers: Iterable[int], modseq: int = 0) -> bytes:
    """The SEARCH response: message numbers or UIDs, and their highest mod-sequence (0: unsaid)."""
    words = [b" %d" % number for number in numbers]
    if modseq and words:
        words.append(b" (MODSEQ %d)" % modseq)
    return b"* SEARCH%b\r\n" % b"".join(words)


def sort(numbers: Iterable[int], modseq: int = 0) -> bytes:
    """The SORT response: as SEARCH, in order (RFC 5256 §4, RFC 7162 §3.1.6)."""
    return search(numbers, modseq).replace(b"* SEARCH", b"* SORT", 1)


class Origin(NamedTuple):
    """The folder that results are of, its name as it is written (RFC 7377 §2.1)."""

    folder: bytes
    uidvalidity: int


def correlators(tag: bytes, origin: Origin | None = None) -> bytes:
    """What search an ESEARCH response is about, and what folder where several are searched."""
    if origin is None:
        return b'(TAG "%b")' % tag
    return b'(TAG "%b" MAILBOX %b UIDVALIDITY %d)' % (tag, *origin)


def esearch(
    tag: bytes,
    *,
    is_uid: bool,
    returned: frozenset[str] | set[str],
    numbers: Sequence[int],
    modseq: int = 0,
    page: Page | None = None,
    relevancy: Sequence[int] = (),
    origin: Origin | None = None,
) -> bytes:
    """The ESEARCH response (RFC 4731 §3.1) for ascending `numbers`.

    `returned` holds the options asked for; none of them means ALL. Without a match only COUNT is
    said. `modseq` is the highest mod-sequence of what is returned (§3.2), 0: unsaid.
    `page`: those that are on it (RFC 9394 §3.1). `relevancy`: of each number, from 1 to 100, where
    RELEVANCY was asked for (RFC 6203 §4).
    """
    wanted = returned or (set() if page else {"ALL"})
    words = [b"* ESEARCH " + correlators(tag, origin)]
    if is_uid:
        words.append(b"UID")
    if numbers:
        if "MIN" in wanted:
            words.append(b"MIN %d" % numbers[0])
        if "MAX" in wanted:
            words.append(b"MAX %d" % numbers[-1])
        if "ALL" in wanted:
            words.append(b"ALL " + compact(numbers))
    if "COUNT" in wanted:
        words.append(b"COUNT %d" % len(numbers))
    if page is not None:
        there = compact(page.cut(numbers)) or b"NIL"
        words.append(b"PARTIAL (%b %b)" % (page.to_bytes(), there))
    if "RELEVANCY" in wanted and numbers:
        words.append(b"RELEVANCY (%b)" % b" ".join(b"%d" % score for score in relevancy))
    if modseq and numbers:
        words.append(b"MODSEQ %d" % modseq)
    return b" ".join(words) + b"\r\n"


def namespace(others: str, delimiter: str = "/") -> bytes:
    """The NAMESPACE response (RFC 2342): one's own without a prefix, and other users'."""
    return b'* NAMESPACE (("" "%b")) ((%b "%b")) NIL\r\n' % (
        delimiter.encode(),
        string(others.encode()),
        delimiter.encode(),
    )


def identity(parameters: Mapping[str, str | None]) -> bytes:
    """The ID response (RFC 2971)."""
    if not parameters:
        return b"* ID NIL\r\n"
    words = []
    for key, value in parameters.items():
        words.append(string(key.encode()))
        words.append(nstring(None if value is None else value.encode()))
    return b"* ID (%b)\r\n" % b" ".join(words)


def append_uid(uidvalidity: int, uids: Iterable[int]) -> bytes:
    """The APPENDUID response code (RFC 4315 §3)."""
    return b"APPENDUID %d %b" % (uidvalidity, compact(uids))


def copy_uid(uidvalidity: int, sources: Iterable[int], targets: Iterable[int]) -> bytes:
    """The COPYUID response code (RFC 4315 §3); the two lists pair up by place."""
    return b"COPYUID %d %b %b" % (uidvalidity, compact(sources), compact(targets))


def folder_name(name: str, *, is_utf8: bool = False) -> bytes:
    """A folder name as an astring of modified UTF-7, or of UTF-8 for who has enabled it."""
    return utf8_astring(name.encode()) if is_utf8 else astring(utf7.encode(name))


def internal_date(seconds: int, zone_minutes: int = 0) -> bytes:
    """INTERNALDATE's value with its quotes; `seconds` since 1970, the zone east of UTC."""
    moment = datetime.fromtimestamp(seconds, UTC) + timedelta(minutes=zone_minutes)
    hours, minutes = divmod(abs(zone_minutes), 60)
    return b'"%2d-%b-%04d %02d:%02d:%02d %b%02d%02d"' % (
        moment.day,
        _MONTHS[moment.month - 1],
        moment.year,
        moment.hour,
        moment.minute,
        moment.second,
        b"-" if zone_minutes < 0 else b"+",
        hours,
        minutes,
    )
