"""Wire text to Address, as RFC 5321 §4.1.2 and RFC 6531 §3.3 say."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.smtp.address import (
    Address,
    BadAddress,
    is_domain,
    parse_address,
    parse_path,
)

PATHS = {
    "<anna@a.test>": (Address("anna", "a.test"), ""),
    "<anna@a.test> SIZE=1": (Address("anna", "a.test"), " SIZE=1"),
    "<>": (None, ""),
    "<> BODY=7BIT": (None, " BODY=7BIT"),
    "<postmaster>": (Address("postmaster", ""), ""),
    "<Postmaster>": (Address("Postmaster", ""), ""),
    "<@x.test,@y.test:anna@a.test>": (Address("anna", "a.test"), ""),
    "<@x.test:anna@a.test>": (Address("anna", "a.test"), ""),
    '<"anna b"@a.test>': (Address("anna b", "a.test"), ""),
    r'<"a\"b\\c"@a.test>': (Address('a"b\\c', "a.test"), ""),
    '<"a>b@c"@a.test>': (Address("a>b@c", "a.test"), ""),
    "<anna+news/x=y@a.test>": (Address("anna+news/x=y", "a.test"), ""),
    "<anna@[127.0.0.1]>": (Address("anna", "[127.0.0.1]"), ""),
    "<anna@[IPv6:2001:db8::1]>": (Address("anna", "[IPv6:2001:db8::1]"), ""),
    "<josé@correo.es>": (Address("josé", "correo.es"), ""),
    "<用户@例子.广告>": (Address("用户", "例子.广告"), ""),
    "<a@localhost>": (Address("a", "localhost"), ""),
    "<a@x_y.test>": (Address("a", "x_y.test"), ""),
    f"<{'a' * 255}@a.test>": (Address("a" * 255, "a.test"), ""),
}

BAD_PATHS = [
    "",
    "anna@a.test",
    "<anna@a.test",
    "<anna>",
    "<anna@>",
    "<@a.test>",
    "<a..b@a.test>",
    "<.a@a.test>",
    "<a.@a.test>",
    "<a b@a.test>",
    "<a@b@a.test>",
    "<a@-a.test>",
    "<a@a-.test>",
    "<a@a..test>",
    "<a@a.test.>",
    "<a@[127.0.0.300]>",
    "<a@[127.0.0.1>",
    "<a@[IPv6:xyz]>",
    '<"a@a.test>',
    '<"a\x07"@a.test>',
    "<a\x85@a.test>",
    f"<{'a' * 256}@a.test>",
    f"<a@{'a' * 64}.test>",
    f"<a@{'a.' * 160}test>",
    "<" * 1000,
    "<" + "a." * 5000,
    "<a@" + "a-" * 5000 + ">",
]


@pytest.mark.parametrize(("text", "parsed"), PATHS.items())
def test_path(text: str, parsed: tuple[Address | None, str]) -> None:
    assert parse_path(text) == parsed


@pytest.mark.parametrize("text", BAD_PATHS)
def test_bad_path(text: str) -> None:
    with pytest.raises(BadAddress):
        parse_path(text)


@pytest.mark.parametrize(
    ("address", "written"),
    [
        (Address("anna", "a.test"), "anna@a.test"),
        (Address("anna b", "a.test"), '"anna b"@a.test'),
        (Address('a"\\', "a.test"), '"a\\"\\\\"@a.test'),
        (Address("", "a.test"), '""@a.test'),
        (Address("a..b", "a.test"), '"a..b"@a.test'),
        (Address("postmaster", ""), "postmaster"),
    ],
)
def test_written(address: Address, written: str) -> None:
    assert str(address) == written


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_what_is_written_is_read_again(local: str) -> None:
    address = Address(local, "a.test")
    assert parse_address(str(address)) == address
    assert parse_path(f"<{address}> X") == (address, " X")


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_bad(text: str) -> None:
    with suppress(BadAddress):
        address, rest = parse_path(text)
        assert text.endswith(rest)
        assert address is None or str(address).isprintable()


def test_domains() -> None:
    assert is_domain("a.test")
    assert is_domain("[127.0.0.1]")
    assert is_domain("[IPv6:::1]")
    assert not is_domain("[IPv6:127]")
    assert not is_domain("a b")
    assert not is_domain("a." * 130 + "test")
    assert not is_domain("")
