"""ESEARCH, the command: a search of several folders (RFC 7377)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from .cursor import Cursor, Fault
from .fetch_items import FetchItem
from .options import Page, SearchReturn
from .returns_grammar import return_argument, returning
from .scopes import Folders, Scope, read_folders, spelt
from .search import SearchKey, asks_fuzzy
from .search_grammar import search_program

MAX_SOURCES = 100

# RFC 7377 §2.2: all that NOTIFY has, but nothing is delayed here.
_SOURCES = spelt(*(scope for scope in Scope if scope is not Scope.SELECTED_DELAYED))


@dataclass(frozen=True, slots=True)
class MultiSearch:
    """ESEARCH: its results are UIDs, a response for each folder that has any.

    `return_options`, `page` and `update_items` as in a SEARCH; SAVE comes with the selected folder
    alone.
    """

    is_uid: ClassVar[bool] = True

    tag: bytes
    sources: tuple[Folders, ...]
    program: SearchKey
    return_options: frozenset[SearchReturn] = frozenset()
    page: Page | None = None
    update_items: tuple[FetchItem, ...] = ()

    @property
    def is_of_selected_alone(self) -> bool:
        """Whether nothing but the selected folder is searched."""
        return all(source.scope is Scope.SELECTED for source in self.sources)


def _multisearch(tag: bytes, cursor: Cursor) -> MultiSearch:
    cursor.space()
    sources: tuple[Folders, ...] = (Folders(Scope.SELECTED),)
    if cursor.text[cursor.place : cursor.place + 3].upper() == b"IN ":
        cursor.place += 3
        sources = _sources(cursor)
        cursor.space()
    returned = return_argument(cursor)
    with returning(returned):
        program = search_program(cursor)
    options = returned.options or frozenset()
    command = MultiSearch(tag, sources, program, options, returned.page, returned.items)
    if "RELEVANCY" in command.return_options and not asks_fuzzy(command.program):
        raise Fault("RELEVANCY needs a FUZZY key.")
    if "SAVE" in command.return_options and not command.is_of_selected_alone:
        raise Fault("Only results in the selected folder can be saved.")
    return command


def _sources(cursor: Cursor) -> tuple[Folders, ...]:
    """The list behind IN. Nobody has defined any scope option yet, which would stand at its end."""
    cursor.expect(b"(", "List")
    sources = {read_folders(cursor, _SOURCES): None}
    while cursor.take(b" "):
        sources[read_folders(cursor, _SOURCES)] = None
        if len(sources) > MAX_SOURCES:
            raise Fault("Too many sources.")
    cursor.expect(b")", "Closing parenthesis")
    return tuple(sources)


COMMANDS: dict[bytes, Callable[[bytes, Cursor], MultiSearch]] = {b"ESEARCH": _multisearch}
