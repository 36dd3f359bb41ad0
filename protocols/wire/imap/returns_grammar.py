"""Reading what SEARCH, SORT and ESEARCH shall return (RFC 4466 §2.6.1)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, cast

from . import options as o
from .cursor import Cursor, Fault
from .fetch_grammar import item_list
from .fetch_items import FetchItem
from .options_grammar import each_option, page_range, table

_OPTIONS = table(*cast("tuple[o.SearchReturn, ...]", o.SearchReturn.__args__))  # type: ignore[attr-defined]


class Returned(NamedTuple):
    """Options (RFC 4731 §3.1, RFC 5182), PARTIAL's page (RFC 9394 §3.1), and UPDATE's items.

    `options` None: an old SEARCH or SORT asks for no such. `items` are told of each new message
    that comes to the results (RFC 5465 §7).
    """

    options: frozenset[o.SearchReturn] | None = None
    page: o.Page | None = None
    items: tuple[FetchItem, ...] = ()


@contextmanager
def returning(returned: Returned) -> Iterator[None]:
    """Read the rest of a search, which may be refused with NO for its charset or its size."""
    try:
        yield
    except Fault as fault:
        fault.empties_saved = fault.status == "NO" and "SAVE" in (returned.options or ())
        raise


def return_argument(cursor: Cursor) -> Returned:
    """`RETURN (…)` and the space behind it."""
    if cursor.text[cursor.place : cursor.place + 7].upper() != b"RETURN ":
        return Returned()
    cursor.place += 7
    options: set[o.SearchReturn] = set()
    pages: list[o.Page] = []
    items: list[FetchItem] = []

    def take(word: bytes) -> bool:
        if word == b"PARTIAL":
            pages.append(page_range(cursor))
            return len(pages) == 1
        option = _OPTIONS.get(word)
        if option is not None:
            options.add(option)
        # RFC 5465 §8 has no space there, the example of §7 has one.
        if option == "UPDATE" and (cursor.take(b" (") or cursor.take(b"(")):
            items[:] = item_list(cursor)
        return option is not None

    each_option(cursor, take)
    if pages and "ALL" in options:
        raise Fault("ALL and PARTIAL do not go together.")
    cursor.space()
    return Returned(frozenset(options), pages[0] if pages else None, tuple(items))
