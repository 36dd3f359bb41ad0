"""What a wrong password costs whoever says it: time, and after some of them the connection."""

import base64

import pytest

from protocols.servers.imap import login
from tests.servers.imap.asking import ask
from tests.transcripts.direct import DirectVenue
from tests.transcripts.given import Scene

PLAIN = base64.b64encode(b"\0alice@a.test\0guess")


@pytest.mark.django_db(transaction=True)
def test_failed_logins_take_time_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    reply = login.Later

    def later(answer: object, seconds: float) -> object:
        waits.append(seconds)
        return reply(answer, seconds)

    monkeypatch.setattr(login, "Later", later)
    venue = DirectVenue(Scene("imap"))
    wire = venue.connect()
    wire.read_line()
    for command in (b"LOGIN alice@a.test guess", b"AUTHENTICATE PLAIN " + PLAIN) * 5:
        if not (said := ask(wire, command)):
            break
        assert b"t NO [AUTHENTICATIONFAILED]" in said
    venue.end()
    assert waits == [login.FAILURE_DELAY] * login.MAX_FAILURES
    assert login.FAILURE_DELAY >= 1
