"""LIST's wildcards against a plain definition of them, and hostile patterns in bounded time."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.servers.imap.listing import Pattern, Patterns

WORDS = st.text(alphabet="ab/", max_size=10)
PATTERNS = st.text(alphabet="ab/*%", max_size=10)


@given(PATTERNS, WORDS)
def test_wildcards_mean_what_the_rfc_says(pattern: str, name: str) -> None:
    expression = "".join({"*": ".*", "%": "[^/]*"}.get(char, re.escape(char)) for char in pattern)
    assert Pattern(pattern).matches(name) is (re.fullmatch(expression, name) is not None)


@pytest.mark.parametrize("pattern", ["*a" * 300 + "b", "%a" * 300 + "b", "%*" * 500 + "b"])
def test_a_hostile_pattern_takes_no_time(pattern: str) -> None:
    compiled = Pattern(pattern)
    name = "a" * 1000
    start = time.perf_counter()
    assert not compiled.matches(name)
    # Backtracking would take longer than the universe is old.
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("inbox", "INBOX", True),
        ("InB%", "INBOX", True),
        ("inbox/x", "INBOX/x", True),
        ("sent", "Sent", False),
        ("", "", True),
    ],
)
def test_inbox_fits_in_any_case(pattern: str, name: str, fits: bool) -> None:
    assert Patterns("", [pattern]).match(name) is fits


def test_the_reference_stands_in_front() -> None:
    assert Patterns("Work/", ["%"]).match("Work/May")
    assert not Patterns("Work/", ["%"]).match("May")


def test_many_patterns_and_long_names_leave_turns_to_others() -> None:
    names = ["q" * 900 + str(number) for number in range(50)]
    patterns = Patterns("", ["*q" * 100 + f"x{number}" for number in range(100)])
    longest = 0.0
    begun = time.thread_time()
    turns = 0
    for _ in patterns.look(names):
        longest = max(longest, time.thread_time() - begun)
        begun = time.thread_time()
        turns += 1
    assert turns == 50
    # One name takes some tens of milliseconds.
    assert longest < 1
    assert not any(map(patterns.match, names))


def test_what_no_name_is_long_enough_for_costs_nothing() -> None:
    begun = time.process_time()
    patterns = Patterns("*a" * 30_000, ["*"] * 100)
    list(patterns.look("a" * 1000 for _ in range(100)))
    assert time.process_time() - begun < 1
