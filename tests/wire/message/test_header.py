"""Where headers end and which fields stand in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.message import (
    begins_with_field,
    count_received,
    header,
    header_fields,
    iter_fields,
    prepare,
    split_header,
    unfold,
)


@pytest.mark.parametrize(
    ("octets", "body"),
    [
        (b"Subject: x\r\n\r\nbody", b"body"),
        (b"Subject: x\n\nbody", b"body"),
        (b"Subject: x\r\n\nbody", b"body"),
        (b"Subject: x\r\n folded\r\n\r\nbody", b"body"),
        (b"Subject: x\r\n \r\nbody: folded by white space only\r\n\r\nbody", b"body"),
        (b"\r\nbody", b"body"),
        (b"\nbody", b"body"),
        (b"", b""),
        (b"Subject: only a header\r\n", b""),
        (b"Subject: only a header", b""),
        (b"Hello Bob,\r\n\r\nno header", b"Hello Bob,\r\n\r\nno header"),
        (b"Subject : obsolete\r\n\r\nbody", b"body"),
        (b"Subject: typed\r\nby hand\r\nand more\r\n", b"by hand\r\nand more\r\n"),
        (b"X-A: one\r\nstray\r\nX-B: two\r\n\r\nbody", b"body"),
        (b"Note: milk\r\nand bread\r\n", b"Note: milk\r\nand bread\r\n"),
        (b"Note: a field for all we know\r\n\r\nbody", b"body"),
        (b"https://example.test/ is a page\r\n\r\nx", b"https://example.test/ is a page\r\n\r\nx"),
        (b"From me Mon Nov 23\r\nSubject: x\r\n\r\n", b"From me Mon Nov 23\r\nSubject: x\r\n\r\n"),
        (b"From me to you\r\nhello\r\n", b"From me to you\r\nhello\r\n"),
        (b" Subject: x\r\n\r\nbody", b" Subject: x\r\n\r\nbody"),
    ],
)
def test_body_begins_where_the_header_ends(octets, body):
    assert octets[split_header(octets) :] == body
    assert octets[split_header(memoryview(octets)) :] == body


@pytest.mark.parametrize(
    ("octets", "answer"),
    [
        (b"Subject: x\r\n\r\n", True),
        (b"X-Anything: x\r\n\r\n", True),
        (b"hello\r\n", False),
        (b"From me Mon Nov 23 2026\r\nSubject: x\r\n\r\nbody", False),
        (b"\r\nhello\r\n", False),
        (b"", False),
        (b"Hola:\r\nTe escribo.\r\n", False),
        (b"\xc3\xb1: x\r\n\r\n", False),
    ],
)
def test_begins_with_field(octets, answer):
    assert begins_with_field(octets) is answer


def test_fields_keep_their_octets():
    block = b"A: one\r\n two\r\nnot a field\r\nb :three\nC:\r\n\r\n"
    fields = list(iter_fields(block))
    assert [(f.name, f.value) for f in fields] == [
        (b"a", b" one\r\n two"),
        (b"b", b"three"),
        (b"c", b""),
    ]
    assert block[fields[0].start : fields[0].end] == b"A: one\r\n two\r\n"
    assert block[fields[1].start : fields[1].end] == b"b :three\n"


def test_unfold():
    assert unfold(b" a\r\n b\n\tc\rd \r\n") == b"a b\tc d"


HEADER = b"From: a\r\nSubject: s\r\n t\r\nto: b\r\nTO: c\r\n\r\n"


@pytest.mark.parametrize(
    ("names", "exclude", "answer"),
    [
        ([b"TO"], False, b"to: b\r\nTO: c\r\n\r\n"),
        ([b"subject", b"From"], False, b"From: a\r\nSubject: s\r\n t\r\n\r\n"),
        ([b"Absent"], False, b"\r\n"),
        ([b"To", b"from"], True, b"Subject: s\r\n t\r\n\r\n"),
    ],
)
def test_header_fields(names, exclude, answer):
    assert header_fields(HEADER, names, exclude=exclude) == answer


def test_header_fields_closes_a_field_without_line_end():
    assert header_fields(b"Subject: x", [b"subject"]) == b"Subject: x\r\n\r\n"
    # Cut within a line end, as the prepared fields close it too.
    assert header_fields(b"Subject: x\r", [b"subject"]) == b"Subject: x\r\n\r\n"
    assert prepare(b"Subject: x\r").overview_fields == b"Subject: x\r\n\r\n"


BLOCKS = (
    b"A: 1\r\nb : 2\n \n\t3\nA:\r\n",
    b" a: folded from nothing\r\na: 1",
    b"a://no.field\r\na\n : folded name\r\na b: 2\r\n",
    b"\xe9: 1\r\n\ra: 2\r\na:\r b: 3\n",
    b"a:\x0b1\n\x0ba: 2\n\na: 3\n\n b\n",
)
NAMES = ((b"a",), (b"B", b"A"), (b"a b",), (b"\xe9", b""), (), (b"a\n",), (b"a:",))


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("names", NAMES)
def test_a_few_names_are_found_as_many_would_be(block, names):
    many = [*names, *(b"absent-%d" % number for number in range(40))]
    for start in range(len(block)):
        assert header_fields(block[start:], names) == header_fields(block[start:], many)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("names", NAMES)
def test_fields_are_found_some_at_a_time(block, names, monkeypatch):
    whole = header_fields(block, names)
    monkeypatch.setattr(header, "_PIECE", 3)
    assert header_fields(block, names) == whole
    pieces = list(header._pieces(b"Subject: x\r\n folded\r\n" * 100))
    assert len(pieces) >= 100


def test_count_received():
    header = b"Received: a\r\nreceived : b\nX-Received: c\r\nSubject: received: d\r\n\r\n"
    assert count_received(header) == 2


class Recording:
    """A pattern, and the length of the longest range that it is searched for in."""

    def __init__(self, pattern):
        self.pattern = pattern
        self.longest = 0

    def search(self, octets, start, end):
        self.longest = max(self.longest, end - start)
        return self.pattern.search(octets, start, end)

    def match(self, octets, start, end):
        return self.pattern.match(octets, start, end)


@pytest.mark.parametrize("line", [b"a:\r\n", b" \r\n", b"Subject: x\r\n folded\r\n"])
def test_the_end_of_a_long_header_leaves_turns_to_other_threads(line, monkeypatch):
    pattern = Recording(header._HEADER_END)
    monkeypatch.setattr(header, "_PIECE", 40)
    monkeypatch.setattr(header, "_HEADER_END", pattern)
    octets = b"From: a@b.test\r\n" + line * 100 + b"\r\n"
    assert split_header(octets + b"body") == len(octets)
    assert 0 < pattern.longest <= 40


LINES = st.sampled_from(
    [b"a:", b"a", b" x", b"\r", b"From : x", b"http://x", b"", b"long: " + b"x" * 20]
)


@given(st.lists(st.tuples(LINES, st.sampled_from([b"\r\n", b"\n"])), max_size=12))
def test_a_header_in_pieces_ends_where_all_of_it_does(lines):
    octets = b"".join(line + end for line, end in lines)
    whole = split_header(octets)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(header, "_PIECE", 3)
        assert split_header(octets) == whole
