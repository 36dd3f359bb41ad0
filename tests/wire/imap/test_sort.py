"""Reading SORT (RFC 5256 §5, RFC 5957 §5)."""

from protocols.wire.imap.commands import Invalid
from protocols.wire.imap.parser import parse
from protocols.wire.imap.search import Everything, FlagIs, HeaderHas
from protocols.wire.imap.sort import Criterion, Sort, SortKey


def test_criteria_and_program() -> None:
    command = parse(b'a UID SORT (reverse DATE subject) UTF-8 SUBJECT "caf\xc3\xa9"')
    criteria = (Criterion(SortKey.DATE, is_reverse=True), Criterion(SortKey.SUBJECT))
    assert command == Sort(b"a", criteria, HeaderHas("subject", "caf\u00e9"), is_uid=True)


def test_every_key_can_be_named() -> None:
    for key in set(SortKey) - {SortKey.RELEVANCY}:
        command = parse(b"a SORT (%b) US-ASCII ALL" % key.value.encode())
        assert command == Sort(b"a", (Criterion(key),), Everything(), is_uid=False)


def test_a_key_counts_where_it_first_stands() -> None:
    command = parse(b"a SORT (%b) UTF-8 SEEN" % b" ".join([b"SIZE", *[b"REVERSE SIZE"] * 4000]))
    assert isinstance(command, Sort)
    assert command.criteria == (Criterion(SortKey.SIZE),)
    assert isinstance(command.program, FlagIs)


def test_relevancy_needs_something_fuzzy() -> None:
    command = parse(b"a SORT (REVERSE RELEVANCY) US-ASCII NOT FUZZY ALL")
    assert isinstance(command, Sort)
    assert command.criteria == (Criterion(SortKey.RELEVANCY, is_reverse=True),)
    assert isinstance(parse(b"a SORT (RELEVANCY) US-ASCII ALL"), Invalid)
