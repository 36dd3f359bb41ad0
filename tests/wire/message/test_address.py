"""RFC 5322 §3.4 and §4.4, value by value."""

import pytest

from protocols.wire.message import parse_addresses, plain_addresses
from protocols.wire.message.address import ADDRESS_LIMIT

END = (None, None, None, None)


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        (b"", []),
        (b",, ,", []),
        (b"<>", []),
        (b"a@b.test", [(None, None, b"a", b"b.test")]),
        (b" <a@b.test> ", [(None, None, b"a", b"b.test")]),
        (b"Al Ice <a@b.test>", [(b"Al Ice", None, b"a", b"b.test")]),
        # §3.2.2: between words, white space and comments mean one space.
        (b"Al \t  Ice <a@b.test>", [(b"Al Ice", None, b"a", b"b.test")]),
        (b"Al\r\n\tIce <a@b.test>", [(b"Al Ice", None, b"a", b"b.test")]),
        (b"Al (the cold) Ice <a@b.test>", [(b"Al Ice", None, b"a", b"b.test")]),
        (b"Al(the) (cold)Ice <a@b.test>", [(b"Al Ice", None, b"a", b"b.test")]),
        (b"Al(s)Team:;", [(None, None, b"Al Team", None), END]),
        (b'"Al  the"   Ice <a@b.test>', [(b"Al  the Ice", None, b"a", b"b.test")]),
        (b'"Ice, Al" <a@b.test>', [(b"Ice, Al", None, b"a", b"b.test")]),
        (b'"Al \\"Ice\\"" <a@b.test>', [(b'Al "Ice"', None, b"a", b"b.test")]),
        (b"=?utf-8?q?J=C3=B6?= <j@b.test>", [(b"=?utf-8?q?J=C3=B6?=", None, b"j", b"b.test")]),
        (b"a@b.test (Al Ice)", [(b"Al Ice", None, b"a", b"b.test")]),
        (b"a@b.test (Al (the cold) Ice)", [(b"Al (the cold) Ice", None, b"a", b"b.test")]),
        (b"a@b,\r\n c@d", [(None, None, b"a", b"b"), (None, None, b"c", b"d")]),
        (b"a@b; c@d", [(None, None, b"a", b"b"), (None, None, b"c", b"d")]),
        (b'"a b"@c.test', [(None, None, b"a b", b"c.test")]),
        (b'"@"@c.test', [(None, None, b"@", b"c.test")]),
        (b"a@[192.0.2.1]", [(None, None, b"a", b"[192.0.2.1]")]),
        (b"a . b @ c . test", [(None, None, b"a.b", b"c.test")]),
        (
            b"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
            [(b"Pete", None, b"pete", b"silly.test")],
        ),
        (b"<@x.test,@y.test:a@b.test>", [(None, b"@x.test,@y.test", b"a", b"b.test")]),
        (b"undisclosed-recipients:;", [(None, None, b"undisclosed-recipients", None), END]),
        (
            b'Team:Ed <e@a.test>,"J, R" <j@b.test>; , z@c.test',
            [
                (None, None, b"Team", None),
                (b"Ed", None, b"e", b"a.test"),
                (b"J, R", None, b"j", b"b.test"),
                END,
                (None, None, b"z", b"c.test"),
            ],
        ),
        (b"Open: a@b", [(None, None, b"Open", None), (None, None, b"a", b"b"), END]),
        # What follows is wrong, and still means something.
        (b"alice", [(None, None, b"alice", b"")]),
        (b"Al Ice", [(b"Al Ice", None, b"", b"")]),
        (b"Al Ice <>", [(b"Al Ice", None, b"", b"")]),
        (b"A.L. Ice <a@b", [(b"A.L. Ice", None, b"a", b"b")]),
        (b"<a@b, c@d", [(None, None, b"a", b"b"), (None, None, b"c", b"d")]),
        (b"<a@b> <c@d>", [(None, None, b"a", b"b"), (None, None, b"c", b"d")]),
        (b"J\xc3\xb6 <j@b>", [(b"J\xc3\xb6", None, b"j", b"b")]),
        (b"a@b@c", [(None, None, b"a@b", b"c")]),
        (b'"never closed', [(b"never closed", None, b"", b"")]),
        (b"(((((", []),
        (b"a@b (never closed", [(b"never closed", None, b"a", b"b")]),
    ],
)
def test_addresses(value, addresses):
    assert parse_addresses(value) == addresses


@pytest.mark.parametrize("value", [b"a@b," * 5000, b"(x) a@b," * 5000])
def test_a_list_is_cut_at_the_limit(value):
    assert len(parse_addresses(value)) == ADDRESS_LIMIT


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        (b"", []),
        (b"a@b.test", [(b"a", b"b.test")]),
        (b"Al <a@b.test>", [(b"a", b"b.test")]),
        (b"x@y.test <a@b.test>", [(b"x", b"y.test"), (b"a", b"b.test")]),
        (b"<a@b.test>x@y.test", [(b"a", b"b.test"), (b"x", b"y.test")]),
        (b"<x@y.test:a@b.test>", [(b"x", b"y.test"), (b"a", b"b.test")]),
        (b"<@y.test:a@b.test>", [(b"a", b"b.test")]),
        (b"x@y.test@z.test", [(b"x", b"y.test"), (b"y.test", b"z.test")]),
        (b"x . y @ z . test (why) <>", [(b"x.y", b"z.test")]),
        (b'"x y"@z.test <>', [(b"x y", b"z.test")]),
        (b'"x@y.test" (z@y.test (z@y.test)) =?utf-8?q?z@y.test?= Al <>', []),
        (b"Al @ Home <a@b>", []),
        (b"Al @ @b.test @", []),
        (b"(x@y.test", []),
        (b'"x@y.test', []),
        (b"Al Ice x@y.test Bo Ice z@y.test", [(b"x", b"y.test"), (b"z", b"y.test")]),
        (b"<@one.test,@two.test:z@y.test>", [(b"z", b"y.test")]),
        (b"al[1]@y.test", []),
        (b"x (a (b) z@y.test) @y.test", [(b"x", b"y.test")]),
        # A word of pieces ends where it is longer than any address.
        (b"x. " * 501 + b"@y.test", [(b"x." * 501, b"y.test")]),
        (b"x. " * 502 + b"@y.test", [(b"x.", b"y.test")]),
    ],
)
def test_plain_addresses(value, addresses):
    assert plain_addresses(value) == addresses
    assert plain_addresses(value, 1) == addresses[:1]
