"""Reading CANCELUPDATE and RETURN of SORT, and writing what changed (RFC 5267 §5)."""

import pytest

from protocols.wire.imap.commands import Invalid, Search
from protocols.wire.imap.contexts import CancelUpdate, no_update, results_changed
from protocols.wire.imap.options import Page
from protocols.wire.imap.parser import parse
from protocols.wire.imap.search import Everything
from protocols.wire.imap.sort import Criterion, Sort, SortKey


def test_tags_to_cancel() -> None:
    assert parse(b'a CANCELUPDATE "B01" "C.1"') == CancelUpdate(b"a", (b"B01", b"C.1"))


@pytest.mark.parametrize(
    "text",
    [b"a CANCELUPDATE", b"a CANCELUPDATE ", b"a CANCELUPDATE B01", b'a CANCELUPDATE "b" x'],
)
def test_what_cancels_nothing(text: bytes) -> None:
    assert isinstance(parse(text), Invalid)


def test_what_sort_returns() -> None:
    by_size = (Criterion(SortKey.SIZE),)
    text = b"a UID SORT RETURN (%b) (SIZE) UTF-8 ALL"
    assert parse(text % b"") == Sort(b"a", by_size, Everything(), True, frozenset())
    options = frozenset(("MIN", "COUNT", "UPDATE", "CONTEXT"))
    assert parse(text % b"MIN COUNT update context PARTIAL 1:5") == Sort(
        b"a", by_size, Everything(), True, options, Page(1, 5)
    )
    assert isinstance(parse(text % b"ALL PARTIAL 1:5"), Invalid)
    assert isinstance(parse(text % b"FIRST"), Invalid)
    assert isinstance(parse(b"a SORT RETURN (SIZE) UTF-8 ALL"), Invalid)
    assert isinstance(parse(b"a SORT RETURN (MIN) UTF-8 ALL"), Invalid)


def test_a_search_may_be_followed() -> None:
    command = parse(b"a SEARCH RETURN (CONTEXT UPDATE) ALL")
    assert isinstance(command, Search)
    assert command.return_options == {"CONTEXT", "UPDATE"}


def test_what_changed() -> None:
    # The examples of §4.3.3 and §4.3.4.
    said = results_changed(b"B01", "ADDTO", [(0, [32768, 32769])], is_uid=True)
    assert said == b'* ESEARCH (TAG "B01") UID ADDTO (0 32768:32769)\r\n'
    said = results_changed(b"C01", "ADDTO", [(1, [2733]), (1, [2732]), (1, [2731])], is_uid=True)
    assert said == b'* ESEARCH (TAG "C01") UID ADDTO (1 2733 1 2732 1 2731)\r\n'
    said = results_changed(b"B01", "REMOVEFROM", [(4, [9, 7, 8])], is_uid=False)
    assert said == b'* ESEARCH (TAG "B01") REMOVEFROM (4 9,7:8)\r\n'
    assert no_update(b"B02") == b'NOUPDATE "B02"'
