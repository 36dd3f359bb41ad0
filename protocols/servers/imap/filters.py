"""FILTER in a search: programs that were stored under a name (RFC 5466).

They are annotations, which clients set with SETMETADATA: of the folder that is searched or, where
it has none of the name, of the server; what is the reader's own before what is shared. A filter may
name filters, three deep: one that leads to itself comes to an end there, and is as good as none.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from accounts.mailstore import annotations
from accounts.mailstore.refusals import FiltersTooLarge, UndefinedFilter
from protocols.servers.imap.client import Client
from protocols.wire.imap.search import (
    MAX_DEPTH,
    MAX_KEYS,
    SearchKey,
    asks_numbers,
    filter_names,
    levels,
    with_filters,
)
from protocols.wire.imap.search_grammar import filter_program

_PLACES = ("/private/filters/values/", "/shared/filters/values/")
# RFC 5466 §3.1: at least three.
PASSES = 3


def first_wrong(values: Mapping[str, bytes | None]) -> str | None:
    """The first of these annotations that would be a filter and is no search (RFC 5466 §3.2)."""
    for entry, value in values.items():
        is_filter = any(entry.startswith(p) and "/" not in entry[len(p) :] for p in _PLACES)
        if is_filter and value is not None and filter_program(value) is None:
            return entry
    return None


def expanded_here(client: Client, program: SearchKey) -> SearchKey:
    """`expanded` for the selected folder."""
    return expanded(client, program, client.selected.told.mailbox_id, client.folder_id)


def expanded(client: Client, program: SearchKey, owner_id: int, folder_id: int) -> SearchKey:
    """The program with every filter that it names, for a folder that the client may read.

    UndefinedFilter, FiltersTooLarge.
    """
    count = 0
    for _ in range(PASSES):
        named = Counter(filter_names(program))
        if not named:
            return program
        values = _values(client, named, owner_id, folder_id)
        programs = {}
        for name, times in named.items():
            # One that cannot be read, or means nothing to this client, is as good as none.
            found = filter_program(values[name]) if name in values else None
            if found is None or (client.is_uid_only and asks_numbers(found.program)):
                raise UndefinedFilter(name)
            programs[name] = found.program
            count += found.keys * times
            if count > MAX_KEYS:
                raise FiltersTooLarge("The search is too complex.")
        program = with_filters(program, programs)
        # Whoever walks through a program does so by recursion.
        if levels(program) > MAX_DEPTH * 3 // 2:
            raise FiltersTooLarge("The search is too complex.")
    for name in filter_names(program):
        raise UndefinedFilter(name)
    return program


def _values(
    client: Client, names: Iterable[str], owner_id: int, folder_id: int
) -> dict[str, bytes]:
    entries = {place + name: name for place in reversed(_PLACES) for name in names}
    server = annotations.read(client.mailbox_id, annotations.SERVER, entries)
    folder = annotations.read(client.mailbox_id, folder_id, entries, owner_id=owner_id)
    found: dict[str, bytes] = {}
    # The last one counts.
    for values in (server, folder):
        found |= {name: values[entry] for entry, name in entries.items() if entry in values}
    return found
