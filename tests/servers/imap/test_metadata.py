"""What SETMETADATA refuses for its size, and what LIST-METADATA costs (RFC 5464 §4.3, RFC 9590)."""

import pytest

from accounts.mailstore import annotations
from accounts.models import Annotation
from tests.transcripts.direct import DirectWire

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _known(wire: DirectWire) -> None:
    wire._conversation._unfinished.is_of_stranger = False


def _set(wire: DirectWire, value: bytes) -> bytes | None:
    wire.send(b"t SETMETADATA INBOX (/private/a {%d+}\r\n%b)\r\n" % (len(value), value))
    return wire.read_line()


def test_a_value_that_is_too_long(wire: DirectWire) -> None:
    said = _set(wire, b"x" * (annotations.MAX_VALUE + 1))
    assert said == (b"t NO [METADATA MAXSIZE 32768] A value has at most 32768 octets.\r\n")
    assert _set(wire, b"x" * annotations.MAX_VALUE) == b"t OK Done.\r\n"
    # Larger still, the conversation refuses it before it is here.
    assert b"t BAD [TOOBIG]" in (_set(wire, b"x" * 70_000) or b"")
    assert Annotation.objects.count() == 1


def test_too_many(wire: DirectWire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotations, "MAX_ENTRIES", 0)
    assert b"t NO [METADATA TOOMANY]" in (_set(wire, b"x") or b"")
    assert not Annotation.objects.exists()


def test_one_query_for_the_annotations_of_all_folders(
    wire: DirectWire, django_assert_num_queries
) -> None:
    wire.send(b'a LIST "" * RETURN (METADATA (/private/a /shared/b))\r\n')
    # The folders, their annotations.
    with django_assert_num_queries(2):
        said = [wire.read_line() for _ in range(13)]
    assert said[-1] == b"a OK Done.\r\n"
    assert b"* METADATA Trash (/private/a NIL /shared/b NIL)\r\n" in said


def test_filters_do_not_multiply(wire: DirectWire) -> None:
    wire.send(b"s SELECT INBOX\r\n")
    while not (wire.read_line() or b"s").startswith(b"s "):
        pass
    many = b" ".join([b"SEEN"] * 200)
    wire.send(b'a SETMETADATA "" (/private/filters/values/many "%b")\r\n' % many)
    assert wire.read_line() == b"a OK Done.\r\n"
    for times, answer in ((49, b"* SEARCH\r\n"), (51, b"b NO [LIMIT] ")):
        wire.send(b"b SEARCH" + b" FILTER many" * times + b"\r\n")
        lines = [wire.read_line() or b""]
        while not lines[-1].startswith(b"b "):
            lines.append(wire.read_line() or b"b ")
        assert lines[0].startswith(answer)


@pytest.mark.parametrize("entry", ["/private/comment", "/shared/comment", "/private/specialuse"])
def test_an_annotation_raises_the_modseq_of_its_folder(wire: DirectWire, entry: str) -> None:
    before, inbox = _modseq(wire, b"Trash"), _modseq(wire, b"INBOX")
    wire.send(b"t SETMETADATA Trash (%b NIL)\r\n" % entry.encode())
    assert wire.read_line() == b"t OK Done.\r\n"
    # RFC 7162 §3.2.
    assert _modseq(wire, b"Trash") > before
    assert _modseq(wire, b"INBOX") == inbox


def _modseq(wire: DirectWire, folder: bytes) -> int:
    wire.send(b"m STATUS %b (HIGHESTMODSEQ)\r\n" % folder)
    said, done = wire.read_line() or b"", wire.read_line()
    assert done == b"m OK Done.\r\n"
    return int(said.rpartition(b" ")[2].rstrip(b")\r\n"))
