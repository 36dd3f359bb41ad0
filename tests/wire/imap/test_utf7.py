"""Modified UTF-7 is strict and undoes itself (RFC 3501 §5.1.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.imap.utf7 import NotModifiedUtf7, decode, encode

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT)
def test_names_survive_the_wire(name: str) -> None:
    octets = encode(name)
    assert all(0x20 <= octet < 0x7F for octet in octets)
    assert decode(octets) == name


@given(st.one_of(st.binary(), st.text("&-,+AZaz09/ é").map(lambda text: text.encode())))
def test_octets_have_one_reading_or_none(octets: bytes) -> None:
    try:
        name = decode(octets)
    except NotModifiedUtf7:
        return
    assert encode(name) == octets


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("", b""),
        ("INBOX", b"INBOX"),
        ("&", b"&-"),
        ("A&B&", b"A&-B&-"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("Entwürfe", b"Entw&APw-rfe"),
        ("Büro & Co", b"B&APw-ro &- Co"),
        ("é&é", b"&AOk-&-&AOk-"),
        ("\U0001f4e7", b"&2D3c5w-"),
        ("a\tb", b"a&AAk-b"),
    ],
)
def test_known_names(name: str, octets: bytes) -> None:
    assert encode(name) == octets
    assert decode(octets) == name


@pytest.mark.parametrize(
    "octets",
    [
        b"&",
        b"&AOk",
        b"&AOk=-",
        b"&AO-",
        b"&AOl-",  # bits behind the last character
        b"&AGE-",  # "a" must stand for itself
        b"&AOkAYQ-",
        b"&AOk-&AOk-",  # one run, cut in two
        b"&2D0-",  # half a surrogate pair
        b"&U/BTFw-",  # "/" is no letter of this base64
        b"\xc3\xa9",
        b"a\x00",
        b"a\x7f",
    ],
)
def test_what_is_refused(octets: bytes) -> None:
    with pytest.raises(NotModifiedUtf7):
        decode(octets)
