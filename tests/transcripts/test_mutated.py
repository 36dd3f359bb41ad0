"""Transcripts with their clients gone mad: octets turned, lines lost, doubled and cut.

Whatever comes, the session answers or hangs up: an exception would fail the test, and so would an
answer that is not made of lines.
"""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import clean_slate
from tests.transcripts.direct import DirectVenue
from tests.transcripts.given import given as make_true
from tests.transcripts.grammar import Send, StartTls, Transcript, encode, parse, unescape

HERE = Path(__file__).parent
TRANSCRIPTS = {
    protocol: [parse(path) for path in sorted(HERE.glob(f"{protocol}/**/*.txt"))]
    for protocol in ("smtp", "imap", "pop3")
}

pytestmark = pytest.mark.django_db(transaction=True)

PIECES = st.sampled_from(
    [
        *(b"\0", b"\r", b"\n", b"\r\n", b"\x1b", b"\xff", b"\xc3\xa9", b" ", b"  ", b"\t", b"."),
        *(b"{3}", b"{3+}\r\n", b"{99999999999}", b'"', b"\\", b"(", b")" * 9, b"*", b"%", b"~"),
        *(b"<>", b"<", b"@", b"[", b"=", b"+", b"-1", b"0", b"4294967296", b"NIL", b"x" * 3000),
    ]
)


@st.composite
def mutations(draw: st.DrawFn) -> list[tuple[str, int, bytes]]:
    """Kinds of mistakes, each with a place in the whole and a piece to put there."""
    kinds = st.sampled_from(["insert", "replace", "drop", "double", "swap"])
    return draw(st.lists(st.tuples(kinds, st.integers(0, 9999), PIECES), min_size=1, max_size=6))


def spoken(transcript: Transcript) -> list[bytes]:
    """What the client of a transcript sends, piece by piece; b"" is where TLS begins."""
    said = []
    for step in transcript.steps:
        match step.action:
            case Send(octets=text, is_raw=True):
                said.append(encode(unescape(text)))
            case Send(octets=text):
                said.append(encode(text) + b"\r\n")
            case StartTls():
                said.append(b"")
    return said


def mutate(said: list[bytes], mistakes: list[tuple[str, int, bytes]]) -> list[bytes]:
    said = list(said)
    for kind, place, piece in mistakes:
        if not said:
            break
        at = place % len(said)
        line = said[at]
        cut = place // 7 % (len(line) + 1)
        match kind:
            case "insert":
                said[at] = line[:cut] + piece + line[cut:]
            case "replace":
                said[at] = line[:cut] + piece + line[cut + len(piece) :]
            case "drop":
                del said[at]
            case "double":
                said.insert(at, line)
            case "swap":
                said[at], said[at - 1] = said[at - 1], said[at]
    return said


@pytest.mark.parametrize("protocol", TRANSCRIPTS)
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_mad_client_is_answered(protocol: str, data: st.DataObject) -> None:
    transcript = data.draw(st.sampled_from(TRANSCRIPTS[protocol]), "transcript")
    said = mutate(spoken(transcript), data.draw(mutations(), "mistakes"))
    clean_slate.wipe()
    with make_true(transcript) as scene:
        venue = DirectVenue(scene)
        try:
            wire = venue.connect()
            for octets in said:
                wire.send(octets)
                venue.deliver_all()
                if not octets and not wire._is_closed and wire._conversation.wants_tls:
                    wire.start_tls()
        finally:
            heard = b"".join(venue.end())
    assert not heard or heard.endswith(b"\r\n")
    if protocol == "smtp":
        assert all(re.match(rb"\d{3}[ -]|$", line) for line in heard.split(b"\r\n")), heard
