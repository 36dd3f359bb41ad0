"""What SORT asks for, as values, and how it is read (RFC 5256 §3, RFC 5957)."""

from dataclasses import dataclass
from enum import Enum

from .cursor import Cursor, Fault
from .fetch_items import FetchItem
from .options import Page, SearchReturn
from .returns_grammar import return_argument, returning
from .search import SearchKey, asks_fuzzy
from .search_grammar import search_program_in


class SortKey(Enum):
    """By what messages are ordered."""

    ARRIVAL = "ARRIVAL"
    CC = "CC"
    DATE = "DATE"
    DISPLAYFROM = "DISPLAYFROM"
    DISPLAYTO = "DISPLAYTO"
    FROM = "FROM"
    # Only with a FUZZY key, the most relevant first (RFC 6203 §6).
    RELEVANCY = "RELEVANCY"
    SIZE = "SIZE"
    SUBJECT = "SUBJECT"
    TO = "TO"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One key, perhaps from its highest value down."""

    key: SortKey
    is_reverse: bool = False


@dataclass(frozen=True, slots=True)
class Sort:
    """SORT or UID SORT; the first criterion weighs most, and each key comes once.

    `return_options`, `page` and `update_items` as in a SEARCH (RFC 5267 §3).
    """

    tag: bytes
    criteria: tuple[Criterion, ...]
    program: SearchKey
    is_uid: bool
    return_options: frozenset[SearchReturn] | None = None
    page: Page | None = None
    update_items: tuple[FetchItem, ...] = ()


_KEYS = {key.value.encode("ascii"): key for key in SortKey}


def read_sort(tag: bytes, cursor: Cursor, *, is_uid: bool) -> Sort:
    """`[RETURN (…)] (criteria) charset keys` up to the end of the command."""
    cursor.space()
    returned = return_argument(cursor)
    cursor.expect(b"(", "Sort criteria")
    criteria: dict[SortKey, Criterion] = {}
    while True:
        word = cursor.word()
        is_reverse = word == b"REVERSE"
        if is_reverse:
            cursor.space()
            word = cursor.word()
        key = _KEYS.get(word)
        if key is None:
            raise Fault("No such sort key.")
        # A key that comes again finds nothing left to order.
        criteria.setdefault(key, Criterion(key, is_reverse))
        if not cursor.take(b" "):
            break
    cursor.expect(b") ", "Closing parenthesis")
    with returning(returned):
        program = search_program_in(cursor)
    asks_relevancy = SortKey.RELEVANCY in criteria or "RELEVANCY" in (returned.options or ())
    if asks_relevancy and not asks_fuzzy(program):
        raise Fault("RELEVANCY needs a FUZZY key.")
    return Sort(tag, tuple(criteria.values()), program, is_uid, *returned)
