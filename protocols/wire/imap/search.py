"""What SEARCH asks for, as a tree of values (RFC 3501 §6.4.4, RFC 5032).

The tree is bounded where it is built: at most `MAX_DEPTH` levels and `MAX_KEYS` keys, so whoever
evaluates it may recurse. Text is decoded; octets of unknown charsets never get here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import TypeAlias

from .flags import Flag
from .sequence_set import SequenceSet

MAX_DEPTH = 100
MAX_KEYS = 10_000


class When(Enum):
    """How a day is compared, disregarding time and zone."""

    BEFORE = "BEFORE"
    ON = "ON"
    SINCE = "SINCE"


@dataclass(frozen=True, slots=True)
class Everything:
    """ALL."""


@dataclass(frozen=True, slots=True)
class KeepsSaveDate(Everything):
    """SAVEDATESUPPORTED (RFC 8514 §4.3): every folder keeps the date."""


@dataclass(frozen=True, slots=True)
class FlagIs:
    """ANSWERED, DELETED, DRAFT, FLAGGED, SEEN; `is_set` False for their UN- forms."""

    flag: Flag
    is_set: bool


@dataclass(frozen=True, slots=True)
class IsRecent:
    """RECENT; OLD is `Not(IsRecent())` and NEW is `And((IsRecent(), unseen))`."""


@dataclass(frozen=True, slots=True)
class KeywordIs:
    """KEYWORD and UNKEYWORD."""

    keyword: str
    is_set: bool


@dataclass(frozen=True, slots=True)
class HeaderHas:
    """BCC, CC, FROM, SUBJECT, TO and HEADER: the field `name` (lower case) contains `text`.

    An empty `text` asks only that the field is there.
    """

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class BodyHas:
    """BODY: the text of the message's body contains `text`."""

    text: str


@dataclass(frozen=True, slots=True)
class TextHas:
    """TEXT: the header or the body contains `text`."""

    text: str


@dataclass(frozen=True, slots=True)
class ArrivedOn:
    """BEFORE, ON, SINCE: the day of INTERNALDATE."""

    when: When
    day: date


@dataclass(frozen=True, slots=True)
class SentOn:
    """SENTBEFORE, SENTON, SENTSINCE: the day in the Date field."""

    when: When
    day: date


@dataclass(frozen=True, slots=True)
class SavedOn:
    """SAVEDBEFORE, SAVEDON, SAVEDSINCE: the day (UTC) it came into the folder (RFC 8514 §4.3)."""

    when: When
    day: date


@dataclass(frozen=True, slots=True)
class EmailIdIs:
    """EMAILID (RFC 8474 §6)."""

    identifier: str


@dataclass(frozen=True, slots=True)
class ThreadIdIs:
    """THREADID (RFC 8474 §6)."""

    identifier: str


@dataclass(frozen=True, slots=True)
class LargerThan:
    """LARGER: RFC822.SIZE above `octets`."""

    octets: int


@dataclass(frozen=True, slots=True)
class SmallerThan:
    """SMALLER: RFC822.SIZE below `octets`."""

    octets: int


@dataclass(frozen=True, slots=True)
class OlderThan:
    """OLDER: INTERNALDATE at least `seconds` ago (RFC 5032)."""

    seconds: int


@dataclass(frozen=True, slots=True)
class YoungerThan:
    """YOUNGER: INTERNALDATE within the last `seconds` (RFC 5032)."""

    seconds: int


@dataclass(frozen=True, slots=True)
class ModseqFrom:
    """MODSEQ: the mod-sequence is `modseq` or higher (RFC 7162 §3.1.5)."""

    modseq: int


@dataclass(frozen=True, slots=True)
class NumberIn:
    """A sequence set of message numbers."""

    numbers: SequenceSet


@dataclass(frozen=True, slots=True)
class UidIn:
    """UID and a set of UIDs."""

    uids: SequenceSet


@dataclass(frozen=True, slots=True)
class Not:
    """NOT."""

    key: "SearchKey"


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """FUZZY: what is like what the key asks for matches too (RFC 6203 §3)."""

    key: "SearchKey"


@dataclass(frozen=True, slots=True)
class Or:
    """OR; a chain of ORs is one value with all its keys (at least two)."""

    keys: tuple["SearchKey", ...]


@dataclass(frozen=True, slots=True)
class And:
    """Keys side by side, or in parentheses (at least two)."""

    keys: tuple["SearchKey", ...]


@dataclass(frozen=True, slots=True)
class FilterNamed:
    """FILTER (RFC 5466 §3.1): a program that is kept under this name, to be put in its place."""

    name: str


def asks_modseq(key: "SearchKey") -> bool:
    """Whether a program names mod-sequences anywhere: then the answer does too (§3.1.5)."""
    return _names(key, ModseqFrom)


def asks_thread(key: "SearchKey") -> bool:
    """Whether a program names threads anywhere."""
    return _names(key, ThreadIdIs)


def asks_numbers(key: "SearchKey") -> bool:
    """Whether a program names messages by number anywhere; `$` stands for UIDs."""
    return _holds(key, lambda each: isinstance(each, NumberIn) and not each.numbers.is_saved)


def asks_selected(key: "SearchKey") -> bool:
    """Whether a program means something in the selected folder only: by numbers, or by `$`."""
    return _holds(
        key,
        lambda each: isinstance(each, NumberIn) or (isinstance(each, UidIn) and each.uids.is_saved),
    )


def asks_fuzzy(key: "SearchKey") -> bool:
    """Whether a program has a FUZZY key: only then is there any relevancy (RFC 6203 §4)."""
    return _names(key, Fuzzy)


def _names(key: "SearchKey", kind: type) -> bool:
    return _holds(key, lambda each: isinstance(each, kind))


def _holds(key: "SearchKey", test: Callable[["SearchKey"], bool]) -> bool:
    """Whether a key, or one inside it, is such."""
    return any(test(each) for each in keys_in(key))


def keys_in(key: "SearchKey") -> Iterator["SearchKey"]:
    """A key and all keys inside it."""
    waiting = [key]
    while waiting:
        key = waiting.pop()
        yield key
        match key:
            case Not(key=inner) | Fuzzy(key=inner):
                waiting.append(inner)
            case And(keys=several) | Or(keys=several):
                waiting.extend(several)


def filter_names(key: "SearchKey") -> Iterator[str]:
    """The names of the filters in a program, as often as it names them."""
    match key:
        case Not(key=inner) | Fuzzy(key=inner):
            yield from filter_names(inner)
        case And(keys=keys) | Or(keys=keys):
            for each in keys:
                yield from filter_names(each)
        case FilterNamed(name):
            yield name


def levels(key: "SearchKey") -> int:
    """How deep a program is."""
    match key:
        case Not(key=inner) | Fuzzy(key=inner):
            return 1 + levels(inner)
        case And(keys=keys) | Or(keys=keys):
            return 1 + max(map(levels, keys))
    return 1


def with_filters(key: "SearchKey", programs: Mapping[str, "SearchKey"]) -> "SearchKey":
    """The program with each filter's own in the place of its name."""
    match key:
        case Not(key=inner):
            return Not(with_filters(inner, programs))
        case Fuzzy(key=inner):
            return Fuzzy(with_filters(inner, programs))
        case And(keys=keys):
            return And(tuple(with_filters(each, programs) for each in keys))
        case Or(keys=keys):
            return Or(tuple(with_filters(each, programs) for each in keys))
        case FilterNamed(name):
            return programs[name]
    return key


SearchKey: TypeAlias = (
    Everything
    | FlagIs
    | IsRecent
    | KeywordIs
    | HeaderHas
    | BodyHas
    | TextHas
    | ArrivedOn
    | SentOn
    | SavedOn
    | EmailIdIs
    | ThreadIdIs
    | LargerThan
    | SmallerThan
    | OlderThan
    | YoungerThan
    | ModseqFrom
    | FilterNamed
    | NumberIn
    | UidIn
    | Not
    | Fuzzy
    | Or
    | And
)
