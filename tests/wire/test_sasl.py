"""SASL exchanges of the server (RFC 4616, LOGIN): lines to credentials or to nothing."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.sasl import Cancelled, Challenge, Credentials, Malformed, begin


def b64(text: str) -> bytes:
    return base64.b64encode(text.encode())


def test_mechanisms_are_found_in_any_case() -> None:
    assert begin("plain") is not None
    assert begin("Login") is not None
    assert begin("CRAM-MD5") is None
    assert begin("") is None


@pytest.mark.parametrize(
    ("line", "step"),
    [
        (b64("\0anna\0secret"), Credentials("anna", "secret")),
        (b64("boss\0anna\0secret"), Credentials("anna", "secret", "boss")),
        (b64("\0añña\0sécret"), Credentials("añña", "sécret")),
        (b"*", Cancelled()),
        (b"", Malformed()),
        (b"=", Malformed()),
        (b64("anna\0secret"), Malformed()),
        (b64("\0anna\0sec\0ret"), Malformed()),
        (b64("\0\0secret"), Malformed()),
        (b64("\0anna\0"), Malformed()),
        (b64("\0anna\0" + "x" * 1025), Malformed()),
        (base64.b64encode(b"\0anna\0\xff"), Malformed()),
        (b64("\0anna\0secret")[:-1], Malformed()),
        (b64("\0anna\0secret") + b"!", Malformed()),
        (b" " + b64("\0anna\0secret"), Malformed()),
        (b64("\0" + "a" * 10000 + "\0b"), Malformed()),
    ],
)
def test_plain(line: bytes, step: object) -> None:
    exchange = begin("PLAIN")
    assert exchange is not None
    assert exchange.start(None) == Challenge(b"")
    assert exchange.answer(line) == step


def test_login() -> None:
    exchange = begin("LOGIN")
    assert exchange is not None
    assert exchange.start(None) == Challenge(b"VXNlcm5hbWU6")
    assert exchange.answer(b64("anna")) == Challenge(b"UGFzc3dvcmQ6")
    assert exchange.answer(b64("secret")) == Credentials("anna", "secret")


@pytest.mark.parametrize(
    ("line", "step"), [(b"*", Cancelled()), (b"?", Malformed()), (b"=", Malformed())]
)
def test_login_that_ends_early(line: bytes, step: object) -> None:
    for lines in ([line], [b64("anna"), line]):
        exchange = begin("LOGIN")
        assert exchange is not None
        exchange.start(None)
        assert [exchange.answer(each) for each in lines][-1] == step


def test_only_oneself_may_be_acted_as() -> None:
    assert Credentials("anna", "x").acts_as_itself
    assert Credentials("anna", "x", "anna").acts_as_itself
    assert not Credentials("anna", "x", "boss").acts_as_itself


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Credentials("anna", "secret"))


@given(st.sampled_from(["PLAIN", "LOGIN"]), st.lists(st.binary(max_size=40), max_size=3))
def test_any_lines_are_a_step(mechanism: str, lines: list[bytes]) -> None:
    exchange = begin(mechanism)
    assert exchange is not None
    exchange.start(None)
    for line in lines:
        assert isinstance(exchange.answer(line), Challenge | Credentials | Cancelled | Malformed)
