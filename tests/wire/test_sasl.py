"""SASL exchanges of the server: octets to claims or to nothing."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire import sasl
from protocols.wire.sasl import (
    Accepted,
    Bearer,
    Challenge,
    Credentials,
    Denied,
    Exchange,
    Malformed,
    ScramKeys,
    ScramName,
    ScramProof,
    Step,
)

NONCE = "3rfcNHYJY1ZVvWVs7j"
BINDINGS = {"tls-exporter": b"e" * 32, "tls-server-end-point": b"s" * 32}


def begin(
    mechanism: str, *, nonce: str = NONCE, bindings: dict[str, bytes] | None = None
) -> Exchange:
    exchange = sasl.begin(mechanism, nonce=nonce, bindings=bindings or {})
    assert exchange is not None
    return exchange


@pytest.mark.parametrize(
    ("name", "in_clear", "in_tls"),
    [
        ("plain", True, True),
        ("Login", True, True),
        ("scram-sha-256", True, True),
        ("SCRAM-SHA-256-PLUS", False, True),
        ("OAuthBearer", True, True),
        ("XOAUTH2", True, True),
        ("CRAM-MD5", False, False),
        ("SCRAM-SHA-1", False, False),
        ("", False, False),
    ],
)
def test_what_is_announced_can_begin(name: str, in_clear: bool, in_tls: bool) -> None:
    for is_there, bindings in ((in_clear, {}), (in_tls, BINDINGS)):
        assert (name.upper() in sasl.mechanisms(is_tls=bool(bindings), with_scram=True)) is is_there
        assert (sasl.begin(name, nonce=NONCE, bindings=bindings) is not None) is is_there


def test_base64() -> None:
    assert sasl.decode(b"AGEAYg==") == b"\0a\0b"
    assert sasl.decode(b"") == sasl.decode(b"=") == b""
    for line in (b"AGEAYg=", b"AGEAYg==!", b" AGEAYg==", b"?"):
        assert sasl.decode(line) is None
    assert sasl.encode(b"\0a\0b") == b"AGEAYg=="


# Passwords.


@pytest.mark.parametrize(
    ("said", "step"),
    [
        ("\0anna\0secret", Credentials("anna", "secret")),
        ("boss\0anna\0secret", Credentials("anna", "secret", "boss")),
        ("\0añña\0sécret", Credentials("añña", "sécret")),
        ("", Malformed()),
        ("anna\0secret", Malformed()),
        ("\0anna\0sec\0ret", Malformed()),
        ("\0\0secret", Malformed()),
        ("\0anna\0", Malformed()),
        ("\0anna\0" + "x" * 1025, Malformed()),
        (b"\0anna\0\xff", Malformed()),
        ("\0" + "a" * 10000 + "\0b", Malformed()),
    ],
)
def test_plain(said: str | bytes, step: Step) -> None:
    octets = said if isinstance(said, bytes) else said.encode()
    exchange = begin("PLAIN")
    assert exchange.start(None) == Challenge(b"")
    assert exchange.answer(octets) == step
    assert begin("PLAIN").start(octets) == step
    assert exchange.accept() == Accepted()
    assert exchange.refuse() == Denied()


def test_login() -> None:
    exchange = begin("LOGIN")
    assert exchange.start(None) == Challenge(b"Username:")
    assert exchange.answer(b"anna") == Challenge(b"Password:")
    assert exchange.answer(b"secret") == Credentials("anna", "secret")
    assert begin("LOGIN").start(b"anna") == Challenge(b"Password:")
    for wrong in (b"", b"\0", b"\xff", b"x" * 1025):
        assert begin("LOGIN").start(wrong) == Malformed()


def test_only_oneself_may_be_acted_as() -> None:
    assert sasl.acts_as_itself(Credentials("anna", "x"))
    assert sasl.acts_as_itself(Credentials("anna", "x", "anna"))
    assert sasl.acts_as_itself(Credentials("Anna@a.test", "x", "anna@A.test"))
    assert not sasl.acts_as_itself(Credentials("anna", "x", "boss"))
    assert not sasl.acts_as_itself(ScramName("anna", "boss"))


def test_a_secret_is_not_shown() -> None:
    assert "secret" not in repr([Credentials("anna", "secret"), Bearer("secret", "anna")])


# SCRAM. The example of RFC 7677 §3: user "user", password "pencil".

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
SERVER_NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
CLIENT_FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = (
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
)
CLIENT_FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def pencil(*others: str) -> ScramKeys:
    keys = [sasl.make_key(n, word, SALT) for n, word in enumerate((*others, "pencil"))]
    return ScramKeys(SALT, 4096, tuple(keys))


def at_server_first(found: ScramKeys | None = None) -> Exchange:
    exchange = begin("SCRAM-SHA-256", nonce=SERVER_NONCE)
    assert exchange.start(CLIENT_FIRST) == ScramName("user")
    assert exchange.take_keys(found or pencil()) == Challenge(SERVER_FIRST)
    return exchange


def test_scram_as_in_the_rfc() -> None:
    exchange = at_server_first()
    assert exchange.answer(CLIENT_FINAL) == ScramProof("user", 0)
    assert exchange.accept() == Challenge(SERVER_FINAL)
    assert exchange.answer(b"") == Accepted()


def test_scram_without_an_initial_response() -> None:
    exchange = begin("SCRAM-SHA-256", nonce=SERVER_NONCE)
    assert exchange.start(None) == Challenge(b"")
    assert exchange.answer(CLIENT_FIRST) == ScramName("user")


def test_scram_with_one_password_of_many() -> None:
    exchange = at_server_first(pencil("pen", "crayon"))
    assert exchange.answer(CLIENT_FINAL) == ScramProof("user", 2)
    assert exchange.accept() == Challenge(SERVER_FINAL)


def test_scram_with_a_wrong_password_or_none() -> None:
    wrong = ScramKeys(SALT, 4096, (sasl.make_key(7, "brush", SALT),))
    for found in (wrong, ScramKeys(SALT, 4096, ())):
        exchange = at_server_first(found)
        assert exchange.answer(CLIENT_FINAL) == ScramProof("user", None)
        assert exchange.refuse() == Denied()


@pytest.mark.parametrize(
    "final",
    [
        b"",
        CLIENT_FINAL[:-1],
        CLIENT_FINAL.replace(b"k0,", b"k1,"),
        CLIENT_FINAL.replace(b"r=rOpr", b"r="),
        CLIENT_FINAL.replace(b"dHzb", b"dHz"),
        CLIENT_FINAL.replace(b"p=dHzb", b"p="),
        CLIENT_FINAL + b",x=y",
        b"m=a," + CLIENT_FINAL,
        CLIENT_FINAL.replace(b",p=", b",m=must,p="),
        b"c=biws" + b"A" * 9000,
    ],
)
def test_scram_finals_that_are_none(final: bytes) -> None:
    assert at_server_first().answer(final) == Malformed()


def test_scram_that_does_not_repeat_its_beginning() -> None:
    # c=eSws is "y,,": somebody changed what the client said first.
    final = CLIENT_FINAL.replace(b"c=biws", b"c=eSws")
    assert at_server_first().answer(final) == ScramProof("user", None)


@pytest.mark.parametrize(
    ("first", "step"),
    [
        (b"n,,n=user,r=abc", ScramName("user")),
        (b"y,,n=user,r=abc", ScramName("user")),
        (b"n,a=boss,n=user,r=abc", ScramName("user", "boss")),
        (b"n,,n=a=2Cb=3Dc,r=abc", ScramName("a,b=c")),
        (b"n,,n=user,r=abc,x=unknown", ScramName("user")),
        ("n,,n=jürgen@a.test,r=abc".encode(), ScramName("jürgen@a.test")),
        (b"n,,m=must,n=user,r=abc", Malformed()),
        (b"n,,n=user,r=abc,m=must", Malformed()),
        (b"n,,n=user,r=abc,x=unknown,m=must", Malformed()),
        (b"n,,n=a=2cb,r=abc", Malformed()),
        (b"n,,n=,r=abc", Malformed()),
        (b"n,,n=user,r=", Malformed()),
        (b"n,,n=user,r=a b", Malformed()),
        (b"n,,n=user", Malformed()),
        (b"n,n=user,r=abc", Malformed()),
        (b"p=tls-unique,,n=user,r=abc", Malformed()),
        (b"n,,n=\xff,r=abc", Malformed()),
        (b"n,,n=" + b"x" * 1025 + b",r=abc", Malformed()),
        (b"n,,n=user,r=" + b"x" * 9000, Malformed()),
    ],
)
def test_how_scram_begins(first: bytes, step: Step) -> None:
    assert begin("SCRAM-SHA-256").start(first) == step


@pytest.mark.parametrize(
    ("mechanism", "first", "step"),
    [
        ("SCRAM-SHA-256", b"n,,n=user,r=abc", ScramName("user")),
        # RFC 5802 §6: -PLUS was offered; the client was told that it was not.
        ("SCRAM-SHA-256", b"y,,n=user,r=abc", Denied()),
        ("SCRAM-SHA-256-PLUS", b"p=tls-exporter,,n=user,r=abc", ScramName("user")),
        ("SCRAM-SHA-256-PLUS", b"p=tls-unique,,n=user,r=abc", Denied()),
        ("SCRAM-SHA-256-PLUS", b"n,,n=user,r=abc", Malformed()),
    ],
)
def test_how_scram_begins_in_tls(mechanism: str, first: bytes, step: Step) -> None:
    assert begin(mechanism, bindings=BINDINGS).start(first) == step


# Tokens.

OAUTH = (
    b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01"
    b"auth=Bearer vF9dft4qmT\x01\x01"
)


@pytest.mark.parametrize(
    ("mechanism", "said", "step"),
    [
        ("OAUTHBEARER", OAUTH, Bearer("vF9dft4qmT", "user@example.com")),
        ("OAUTHBEARER", b"n,,\x01auth=bearer a.b-c==\x01\x01", Bearer("a.b-c==", "")),
        ("OAUTHBEARER", b"n,a=a=2Cb,\x01auth=Bearer t\x01\x01", Bearer("t", "a,b")),
        ("OAUTHBEARER", b"n,,\x01auth=Basic YTpi\x01\x01", Bearer("", "")),
        ("OAUTHBEARER", b"n,,\x01host=a\x01\x01", Bearer("", "")),
        ("OAUTHBEARER", b"n,,\x01\x01", Bearer("", "")),
        ("OAUTHBEARER", b"n,,\x01auth=Bearer a b\x01\x01", Bearer("", "")),
        ("OAUTHBEARER", b"p=tls-exporter,,\x01auth=Bearer t\x01\x01", Malformed()),
        ("OAUTHBEARER", b"n,,auth=Bearer t\x01\x01", Malformed()),
        ("OAUTHBEARER", b"n,,\x01auth=Bearer t\x01", Malformed()),
        ("OAUTHBEARER", b"", Malformed()),
        ("OAUTHBEARER", b"n,a=\xff,\x01\x01", Malformed()),
        ("OAUTHBEARER", OAUTH + b"x" * 9000, Malformed()),
        ("XOAUTH2", b"user=a@a.test\x01auth=Bearer ya29.v\x01\x01", Bearer("ya29.v", "a@a.test")),
        ("XOAUTH2", b"user=a@a.test\x01auth=Bearer t\x01", Malformed()),
        ("XOAUTH2", OAUTH, Malformed()),
    ],
)
def test_tokens(mechanism: str, said: bytes, step: Step) -> None:
    exchange = begin(mechanism)
    assert exchange.start(None) == Challenge(b"")
    assert exchange.answer(said) == step
    assert begin(mechanism).start(said) == step
    assert exchange.accept() == Accepted()


@pytest.mark.parametrize(
    ("mechanism", "error", "dummy"),
    [
        ("OAUTHBEARER", b'{"status":"invalid_token"}', b"\x01"),
        ("XOAUTH2", b'{"status":"401","schemes":"bearer"}', b""),
    ],
)
def test_a_refused_token_is_told_first(mechanism: str, error: bytes, dummy: bytes) -> None:
    exchange = begin(mechanism)
    exchange.start(OAUTH)
    assert exchange.refuse() == Challenge(error)
    assert exchange.answer(dummy) == Denied()


@given(
    st.sampled_from(["PLAIN", "LOGIN", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2"]),
    st.lists(
        st.binary(max_size=40)
        | st.sampled_from([CLIENT_FIRST, CLIENT_FINAL, OAUTH, b"n,,n=a,r=b", b"\0a\0b"]),
        max_size=4,
    ),
    st.booleans(),
)
def test_any_octets_are_a_step(mechanism: str, said: list[bytes], is_good: bool) -> None:
    exchange = begin(mechanism)
    step = exchange.start(None)
    for octets in said:
        match step:
            case Challenge():
                step = exchange.answer(octets)
            case ScramName():
                step = exchange.take_keys(pencil())
            case Credentials() | ScramProof() | Bearer():
                step = exchange.accept() if is_good else exchange.refuse()
            case _:
                assert isinstance(step, Malformed | Accepted | Denied)
                break
