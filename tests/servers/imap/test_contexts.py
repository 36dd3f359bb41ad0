"""Who applies ADDTO and REMOVEFROM holds what a fresh SEARCH or SORT says (RFC 5267 §4.3)."""

import random
import re

import pytest

from accounts.login import Identity
from accounts.mailstore import append
from accounts.models import Mailbox
from protocols.servers.imap import arrivals, contexts
from tests.accounts.mail import append_many, inbox, make_mailbox
from tests.servers.imap.away import Changes
from tests.transcripts.direct import DirectVenue, DirectWire
from tests.transcripts.given import Scene

pytestmark = pytest.mark.django_db(transaction=True)

_CHANGE = re.compile(rb'\* ESEARCH \(TAG "(\w+)"\)( UID)? (ADDTO|REMOVEFROM) \((.*)\)\r\n')
_EXPUNGE = re.compile(rb"\* (\d+) EXPUNGE\r\n")
_FOUND = re.compile(rb"\* (?:SEARCH|SORT)((?: \d+)*)\r\n")
_ALL = re.compile(rb"\* ESEARCH .* ALL ([0-9:,]+)\r\n")

# By tag: what is followed. "{}" is where RETURN stands.
FOLLOWED = {
    b"a": b"UID SEARCH{} FLAGGED",
    b"b": b"SEARCH{} OR SEEN KEYWORD $a",
    b"c": b"UID SORT{} (SUBJECT) UTF-8 UNDELETED",
    b"d": b"SORT{} (REVERSE SIZE REVERSE SUBJECT) UTF-8 NOT ANSWERED",
    b"e": b'UID SEARCH{} SUBJECT "b" NOT (DRAFT SEEN)',
    b"f": b"SEARCH{} UID 3,5:* UNFLAGGED",
    b"g": b"UID SEARCH{} UID *",
}


class Follower:
    """A client that keeps the results of its searches by what it is told alone."""

    def __init__(self, mailbox_id: int) -> None:
        self._venue = DirectVenue(Scene("imap"))
        self._wire: DirectWire = self._venue.connect()
        address = Mailbox.objects.get(pk=mailbox_id).address
        self._wire._session._client.identity = Identity(mailbox_id, 1, address, 1)
        self.results: dict[bytes, list[int]] = {}
        self.ask(b"SELECT INBOX")
        for tag, command in FOLLOWED.items():
            said = self.ask(command.replace(b"{}", b" RETURN (UPDATE ALL)"), tag)
            found = _ALL.search(said)
            self.results[tag] = _numbers(found[1]) if found else []

    def ask(self, command: bytes, tag: bytes = b"zz") -> bytes:
        """Send a command; every line is applied as it comes."""
        self._wire.send(tag + b" " + command + b"\r\n")
        said = b""
        while (line := self._wire.read_line()) is not None:
            said += line
            self._apply(line)
            if line.startswith(tag + b" "):
                assert line.startswith((tag + b" OK", tag + b" NO [EXPUNGEISSUED]")), said
                break
        return said

    def _apply(self, line: bytes) -> None:
        if gone := _EXPUNGE.fullmatch(line):
            number = int(gone[1])
            for tag, results in self.results.items():
                if b"UID" not in FOLLOWED[tag][:3]:
                    # It was taken out before its number went.
                    assert number not in results
                    results[:] = [each - (each > number) for each in results]
        if change := _CHANGE.fullmatch(line):
            tag, uid, kind, pairs = change.groups()
            assert bool(uid) == FOLLOWED[tag].startswith(b"UID")
            words = pairs.split(b" ")
            for position, numbers in zip(words[::2], words[1::2], strict=True):
                self._change(self.results[tag], kind, int(position), _numbers(numbers))

    def _change(self, results: list[int], kind: bytes, position: int, some: list[int]) -> None:
        if kind == b"ADDTO":
            assert not set(some) & set(results)
            if position:
                assert position - 1 <= len(results)
                results[position - 1 : position - 1] = some
            else:
                results[:] = sorted([*results, *some])
        elif position:
            assert results[position - 1 : position - 1 + len(some)] == some
            del results[position - 1 : position - 1 + len(some)]
        else:
            assert set(some) <= set(results)
            results[:] = [each for each in results if each not in some]

    def check(self, *, only_numbers: bool) -> None:
        """Everything is what the server would say now."""
        for tag, command in FOLLOWED.items():
            if only_numbers and command.startswith(b"UID"):
                # It would let EXPUNGE be said.
                continue
            found = _FOUND.search(self.ask(command.replace(b"{}", b"")))
            assert found is not None
            assert self.results[tag] == [int(word) for word in found[1].split()], command

    def end(self) -> None:
        self._venue.end()


def _numbers(text: bytes) -> list[int]:
    found: list[int] = []
    for piece in text.split(b","):
        low, _, high = piece.partition(b":")
        found += range(int(low), int(high or low) + 1)
    return found


@pytest.fixture
def mailbox_id() -> int:
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 6)
    return mailbox_id


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_client_that_follows(mailbox_id: int, seed: int) -> None:
    chance = random.Random(seed)
    changes = Changes(mailbox_id, chance)
    client = Follower(mailbox_id)
    client.check(only_numbers=False)
    for _ in range(25):
        for _ in range(chance.choice((1, 1, 2, 6))):
            changes.make()
            if chance.random() < 0.4:
                subject = b"Subject: %b%b\r\n" % (
                    chance.choice((b"", b"Re: ")),
                    bytes(chance.choices(b"abc", k=chance.randrange(3))),
                )
                octets = subject + b"\r\n" + b"x" * chance.randrange(3)
                append.append_message(mailbox_id, inbox(mailbox_id), octets).result(30)
        if chance.random() < 0.4:
            # No EXPUNGE is said here: numbers of what is gone hold.
            client.ask(b"FETCH 1:* FLAGS" if chance.random() < 0.5 else b"SEARCH ALL")
            client.check(only_numbers=True)
        else:
            client.ask(b"NOOP")
            client.check(only_numbers=False)
    client.end()


def test_only_so_many_results_are_followed(monkeypatch, mailbox_id: int) -> None:
    monkeypatch.setattr(contexts, "MAX_RESULTS", 11)
    client = Follower.__new__(Follower)
    client._venue = DirectVenue(Scene("imap"))
    client._wire = client._venue.connect()
    client.results = {}
    address = Mailbox.objects.get(pk=mailbox_id).address
    client._wire._session._client.identity = Identity(mailbox_id, 1, address, 1)
    client.ask(b"SELECT INBOX")
    assert b"NOUPDATE" not in client.ask(b"SEARCH RETURN (UPDATE ALL) ALL", b"s1")
    assert b"NOUPDATE" not in client.ask(b"SEARCH RETURN (UPDATE ALL) 1:5", b"s2")
    assert b'* NO [NOUPDATE "s3"]' in client.ask(b"SEARCH RETURN (UPDATE ALL) 1", b"s3")
    client.end()


def test_more_new_messages_than_are_told_of(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "MAX_ARRIVALS", 3)

    def ask(command: bytes, tag: bytes = b"zz") -> list[bytes]:
        wire.send(tag + b" " + command + b"\r\n")
        lines: list[bytes] = []
        while not lines or not lines[-1].startswith(tag + b" "):
            line = wire.read_line()
            assert line is not None
            lines.append(line.rstrip())
        return lines

    ask(b"EXAMINE INBOX")
    ask(b"UID SEARCH RETURN (UPDATE (UID)) ALL", b"a")
    ask(b"UID SEARCH RETURN (UPDATE) ALL", b"b")
    append_many(mailbox_id, inbox(mailbox_id), 3)
    said = ask(b"NOOP")
    assert said[-6:-3] == [b"* %d FETCH (UID %d)" % (uid, uid) for uid in (7, 8, 9)]
    # The other search goes on; how many messages there are is told in any case.
    append_many(mailbox_id, inbox(mailbox_id), 4)
    assert ask(b"NOOP") == [
        b"* 13 EXISTS",
        b"* 13 RECENT",
        b'* NO [NOUPDATE "a"] Too much has come at once.',
        b'* ESEARCH (TAG "b") UID ADDTO (0 10:13)',
        b"zz OK Done.",
    ]
    assert ask(b'CANCELUPDATE "a"')[-1].startswith(b"zz BAD")
    monkeypatch.setattr(contexts, "MAX_OCTETS", 20)
    ask(b"UID SEARCH RETURN (UPDATE (INTERNALDATE)) ALL", b"c")
    append_many(mailbox_id, inbox(mailbox_id), 1)
    assert b'* NO [NOUPDATE "c"] Too much has come at once.' in ask(b"NOOP")
