"""Passwords: ours, and those of other hosts by published vectors."""

import base64
import hashlib

import pytest

from accounts import hashers
from accounts.sha512_crypt import sha512_crypt

# U. Drepper, "Unix crypt using SHA-256 and SHA-512", test vectors for SHA-512.
DREPPER = [
    (
        "$6$saltstring",
        "Hello world!",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJu"
        "esI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    ),
    (
        "$6$rounds=10000$saltstringsaltstring",
        "Hello world!",
        "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sb"
        "HbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
    ),
    (
        "$6$rounds=5000$toolongsaltstring",
        "This is just a test",
        "$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQ"
        "zQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0",
    ),
    (
        "$6$rounds=1400$anotherlongsaltstring",
        "a very much longer text to encrypt.  This one even stretches over morethan one line.",
        "$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wP"
        "vMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1",
    ),
    (
        "$6$rounds=77777$short",
        "we have a short salt string but not a short password",
        "$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0g"
        "ge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0",
    ),
    (
        "$6$rounds=10$roundstoolow",
        "the minimum number is still observed",
        "$6$rounds=1000$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1x"
        "hLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.",
    ),
]


@pytest.mark.parametrize(("setting", "password", "wanted"), DREPPER)
def test_sha512_crypt_agrees_with_its_author(setting: str, password: str, wanted: str) -> None:
    assert sha512_crypt(password.encode(), setting) == wanted


def ssha(password: str, salt: bytes) -> str:
    digest = hashlib.sha1(password.encode() + salt).digest()
    return "{SSHA}" + base64.b64encode(digest + salt).decode()


IMPORTED = [
    ("{SHA512-CRYPT}" + DREPPER[0][2], "Hello world!"),
    # crypt_blowfish's own test: John the Ripper's wrapper.c.
    ("{BLF-CRYPT}$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
    ("{BLF-CRYPT}$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
    (ssha("testing123", b"0c0blah1"), "testing123"),
    # passlib's documentation of ldap_pbkdf2_sha256 and pbkdf2_sha256.
    (
        "{PBKDF2-SHA256}6400$0ZrzXitFSGltTQnBWOsdAw$Y11AchqV4b0sUisdZd0Xr97KWoymNE0LNNrnEgY4H9M",
        "password",
    ),
    (
        "{PBKDF2-SHA256}$pbkdf2-sha256$6400$0ZrzXitFSGltTQnBWOsdAw"
        "$Y11AchqV4b0sUisdZd0Xr97KWoymNE0LNNrnEgY4H9M",
        "password",
    ),
    # argon2-cffi's README.
    (
        "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=4$MIIRqgvgQbgj220jfp0MPA"
        "$YfwJSVjtjSU0zzV/P3S9nnQ/USre2wvJMjfCIjrTQbg",
        "correct horse battery staple",
    ),
]


@pytest.mark.parametrize(("stored", "password"), IMPORTED)
def test_imported_hashes_open_with_their_password_only(stored: str, password: str) -> None:
    assert hashers.is_importable(stored)
    assert hashers.verify(password, stored)
    assert not hashers.verify(password + "x", stored)
    assert not hashers.verify("", stored)
    assert hashers.wants_renewal(stored)


def test_ours_is_argon2id_at_our_cost(full_cost: None) -> None:
    stored = hashers.hash_password("sésamo")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hashers.verify("sésamo", stored)
    # RFC 8265 §4.2.2: the same text, composed otherwise.
    assert hashers.verify("se\u0301samo", stored)
    assert not hashers.verify("sesamo", stored)
    assert not hashers.wants_renewal(stored)
    assert stored != hashers.hash_password("sésamo")


@pytest.mark.parametrize(
    "stored",
    [
        "{MD5}abc",
        "{SHA512-CRYPT}",
        "{SHA512-CRYPT}$6$rounds=999999999$salt$" + "a" * 86,
        "{BLF-CRYPT}$2y$31$" + "a" * 53,
        "{PBKDF2-SHA256}999999999$c2FsdA$aGFzaA",
        "{ARGON2ID}$argon2id$v=19$m=999999999,t=3,p=4$c2FsdA$aGFzaA",
        "{SSHA}short",
        "plain",
        "{}",
        "",
    ],
)
def test_hashes_that_are_unknown_broken_or_too_dear_are_not_imported(stored: str) -> None:
    assert not hashers.is_importable(stored)


def test_a_hash_of_an_unknown_scheme_opens_to_nobody() -> None:
    assert not hashers.verify("secret", "{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69")


def test_a_long_password_is_cut_as_bcrypt_does_elsewhere() -> None:
    import bcrypt

    stored = "{BLF-CRYPT}" + bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    assert hashers.verify("x" * 80, stored)
