"""Reading what stands in the parentheses of commands: options, parameters and modifiers."""

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

from . import options as o
from .cursor import Cursor, Fault
from .metadata_grammar import entry_names
from .sequence_set import SequenceSet

# A line of each for every folder.
MAX_LISTED_ENTRIES = 10

WordT = TypeVar("WordT", bound=str)

# The last argument of a FETCH, where it is no list of items: items know none of these words.
_FETCH_MODIFIERS = re.compile(
    rb' \((?:CHANGEDSINCE|VANISHED|PARTIAL)\b[^()\[\]"]*+\) *+\Z', re.IGNORECASE
)


class FetchModifiers(NamedTuple):
    """RFC 4466 §2.4: what narrows a FETCH."""

    changed_since: int | None = None
    wants_vanished: bool = False
    page: o.Page | None = None


NO_MODIFIERS = FetchModifiers()


def words(cursor: Cursor, known: dict[bytes, WordT]) -> list[WordT]:
    """A parenthesised list of words out of `known`, each once."""
    cursor.expect(b"(", "List")
    found: dict[WordT, None] = {}
    while not cursor.take(b")"):
        if found:
            cursor.space()
        word = known.get(cursor.word())
        if word is None:
            raise Fault("No such option.")
        found[word] = None
    return list(found)


def table(*names: WordT) -> dict[bytes, WordT]:
    """Words of the grammar by how they are spelt on the wire."""
    return {name.encode("ascii"): name for name in names}


SELECT_OPTIONS = table(
    *cast("tuple[o.SelectOption, ...]", ("SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"))
)
RETURN_OPTIONS = table(
    *cast("tuple[o.ReturnOption, ...]", ("SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "MYRIGHTS"))
)
STATUS_ITEMS = table(*cast("tuple[o.StatusItem, ...]", o.StatusItem.__args__))  # type: ignore[attr-defined]

_PAGE = re.compile(rb" (-?)([1-9][0-9]{0,9}+):\1([1-9][0-9]{0,9}+)")


class ListReturns(NamedTuple):
    """What LIST shall return (RFC 5258 §3.2), with STATUS (RFC 5819) and METADATA (RFC 9590)."""

    options: frozenset[o.ReturnOption] = frozenset()
    status_items: tuple[o.StatusItem, ...] = ()
    entries: tuple[str, ...] = ()


def list_returns(cursor: Cursor) -> ListReturns:
    """The list behind RETURN."""
    options: set[o.ReturnOption] = set()
    items: list[o.StatusItem] = []
    entries: list[str] = []

    def take(word: bytes) -> bool:
        if word == b"STATUS":
            cursor.space()
            items[:] = words(cursor, STATUS_ITEMS)
            return bool(items)
        if word == b"METADATA":
            cursor.space()
            entries[:] = entry_names(cursor, MAX_LISTED_ENTRIES)
            return True
        option = RETURN_OPTIONS.get(word)
        if option is not None:
            options.add(option)
        return option is not None

    each_option(cursor, take)
    return ListReturns(frozenset(options), tuple(items), tuple(entries))


def each_option(cursor: Cursor, take: Callable[[bytes], bool]) -> None:
    """A parenthesised list of words, each with what `take` reads behind it; False: unknown."""
    cursor.expect(b"(", "List")
    is_first = True
    while not cursor.take(b")"):
        if not is_first:
            cursor.space()
        is_first = False
        if not take(cursor.word()):
            raise Fault("No such option.")


def page_range(cursor: Cursor) -> o.Page:
    """The space and the range behind PARTIAL."""
    match = _PAGE.match(cursor.text, cursor.place)
    if match is None:
        raise Fault("Range expected.")
    cursor.place = match.end()
    sign = -1 if match[1] else 1
    return o.Page(sign * int(match[2]), sign * int(match[3]))


def select_parameters(cursor: Cursor) -> tuple[bool, o.Resync | None]:
    """The parameters of SELECT (RFC 4466 §2.1): whether CONDSTORE is among them, and QRESYNC's."""
    condstore, resync = False, None
    if not cursor.has_more():
        return condstore, resync
    cursor.expect(b" (", "Parameters")
    while True:
        match cursor.word():
            case b"CONDSTORE":
                condstore = True
            case b"QRESYNC":
                cursor.expect(b" (", "What the client knows")
                resync = _resync(cursor)
            case _:
                raise Fault("No such parameter.")
        if not cursor.take(b" "):
            break
    cursor.expect(b")", "Closing parenthesis")
    return condstore, resync


def _resync(cursor: Cursor) -> o.Resync:
    uidvalidity = cursor.number()
    cursor.space()
    modseq = cursor.number(o.MAX_MODSEQ)
    known_uids: SequenceSet | None = None
    has_numbers = False
    if cursor.take(b" "):
        if not cursor.is_at(b"("):
            known_uids = _fixed_set(cursor)
        if known_uids is None or cursor.take(b" "):
            has_numbers = True
            cursor.expect(b"(", "Known numbers")
            _fixed_set(cursor)
            cursor.space()
            _fixed_set(cursor)
            cursor.expect(b")", "Closing parenthesis")
    cursor.expect(b")", "Closing parenthesis")
    return o.Resync(uidvalidity, modseq, known_uids, has_numbers)


def _fixed_set(cursor: Cursor) -> SequenceSet:
    numbers = cursor.sequence_set()
    if numbers.has_star or numbers.is_saved:
        # RFC 7162 §7: these are sets the client has, and `*` is not in them.
        raise Fault("Known messages have numbers.")
    return numbers


def split_fetch_modifiers(text: bytes) -> tuple[bytes, FetchModifiers]:
    """What a FETCH asks for, and its modifiers, which stand behind (RFC 7162 §3.1.4)."""
    start = text.rfind(b" (")
    if start < 0 or _FETCH_MODIFIERS.match(text, start) is None:
        return text, NO_MODIFIERS
    cursor = Cursor(text, start + 2)
    changed_since: int | None = None
    wants_vanished = False
    page: o.Page | None = None
    while True:
        match cursor.word():
            case b"CHANGEDSINCE":
                cursor.space()
                changed_since = cursor.number(o.MAX_MODSEQ)
            case b"VANISHED":
                wants_vanished = True
            case b"PARTIAL":
                page = page_range(cursor)
            case _:
                raise Fault("No such modifier.")
        if not cursor.take(b" "):
            break
    cursor.expect(b")", "Closing parenthesis")
    cursor.end()
    return text[:start], FetchModifiers(changed_since, wants_vanished, page)


def unchanged_since(cursor: Cursor) -> int | None:
    """The modifier of a STORE and the space behind it (RFC 7162 §3.1.3), None without one."""
    if not cursor.take(b"("):
        return None
    if cursor.word() != b"UNCHANGEDSINCE":
        raise Fault("No such modifier.")
    cursor.space()
    modseq = cursor.number(o.MAX_MODSEQ)
    cursor.expect(b") ", "Closing parenthesis")
    return modseq
