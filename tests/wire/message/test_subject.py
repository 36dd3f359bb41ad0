"""Base subjects (RFC 5256 §2.1)."""

import time

import pytest

from protocols.wire.message import base_subject, read_subject

CASES = {
    "": "",
    "Hello": "Hello",
    "Re: Hello": "Hello",
    "RE:Hello": "Hello",
    "re : Hello": "Hello",
    "Fw: Fwd: re: Hello": "Hello",
    "Re[2]: Hello": "Hello",
    "Re [list] : Hello": "Hello",
    "[list] Re: [list] Hello": "Hello",
    "[a][b] Hello": "Hello",
    "[a] [b]": "[b]",
    "Re: [a]": "[a]",
    "Re:": "",
    "Hello (fwd)": "Hello",
    "Hello (FWD) (fwd)": "Hello",
    "[Fwd: Hello]": "Hello",
    "[fwd: Re: [Fwd: Hello (fwd)]]": "Hello",
    "[fwd:]": "",
    "[Fwd: Hello] there": "there",
    "Hello\t\t big   world ": "Hello big world",
    "Refwd: Hello": "Refwd: Hello",
    "Report: Hello": "Report: Hello",
    "[open Re: Hello": "[open Re: Hello",
    "(fwd)": "",
}


@pytest.mark.parametrize(("subject", "base"), CASES.items())
def test_base_subject(subject: str, base: str) -> None:
    assert base_subject(subject) == base


# RFC 5256 §3: what makes a reply or a forward.
REPLIES = {
    "Re: Hello": True,
    "[list] re [x]: Hello": True,
    "Fw:": True,
    "Hello (fwd) ": True,
    "[Fwd: Hello]": True,
    "  Hello": False,
    "[list] Hello": False,
    "[list]:": False,
    "Hello: Re: you": False,
    "[Fwd: Hello": False,
    "[fwd:]": True,
    "": False,
}


@pytest.mark.parametrize(("subject", "is_reply"), REPLIES.items())
def test_is_a_reply(subject: str, is_reply: bool) -> None:
    assert read_subject(subject).is_reply is is_reply


@pytest.mark.parametrize(
    "piece",
    ["Re: ", "[x]", "Re: [x] ", "[fwd:", "re [x] ", "[", "(fwd)", " ", "re[x", "[x]re", "]"],
)
def test_a_hostile_subject_takes_linear_time(piece: str) -> None:
    text = piece * ((1 << 20) // len(piece))
    started = time.process_time()
    base_subject(text)
    base_subject(text + "]" * (1 << 18))
    # A quadratic reading of a MiB takes minutes.
    assert time.process_time() - started < 10
