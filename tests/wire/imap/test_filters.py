"""Filters in a search: read once, put in their place, and bounded (RFC 5466)."""

import pytest

from protocols.wire.imap.commands import Search
from protocols.wire.imap.flags import Flag
from protocols.wire.imap.parser import parse
from protocols.wire.imap.search import (
    MAX_DEPTH,
    And,
    Everything,
    FilterNamed,
    FlagIs,
    Fuzzy,
    Not,
    Or,
    filter_names,
    levels,
    with_filters,
)
from protocols.wire.imap.search_grammar import filter_program

SEEN = FlagIs(Flag.SEEN, is_set=True)


def test_names_are_found_and_replaced() -> None:
    command = parse(b"a SEARCH OR NOT FILTER One (ALL FILTER two) FILTER one")
    assert isinstance(command, Search)
    program = command.program
    assert list(filter_names(program)) == ["one", "two", "one"]
    both = {"one": SEEN, "two": Everything()}
    assert with_filters(program, both) == And(
        (Or((Not(SEEN), And((Everything(), Everything())))), SEEN)
    )
    assert with_filters(SEEN, {}) is SEEN


def test_a_filter_counts_its_keys() -> None:
    found = filter_program(b"CHARSET UTF-8 OR SEEN (ALL NOT SEEN) ALL")
    assert found is not None
    assert found.keys == 7
    assert filter_program(b"SEEN") == (SEEN, 1)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" SEEN",
        b"SEEN SEEN)",
        b"CHARSET none SEEN",
        b'SUBJECT "\xff"',
        b"NOT " * (MAX_DEPTH // 2 + 1) + b"SEEN",
    ],
)
def test_what_is_no_filter(value: bytes) -> None:
    assert filter_program(value) is None


def test_names() -> None:
    command = parse(b"a SEARCH FILTER x-1")
    assert isinstance(command, Search)
    assert command.program == FilterNamed("x-1")


def test_how_deep_a_program_is() -> None:
    assert levels(SEEN) == 1
    assert levels(Fuzzy(And((SEEN, Not(Or((SEEN, Not(SEEN)))))))) == 6
