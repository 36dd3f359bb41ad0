"""A dialogue with an IMAP server."""

import re
from collections.abc import Iterator, Sequence

from tests.journeys.differential.dialogues import MESSAGES, Dialogue, Server
from tests.journeys.differential.levelling import level
from tests.journeys.imap_reader import HungUp, ImapReader, Response


class Session:
    """One connection, logged in."""

    def __init__(self, address: tuple[str, int], user: str, password: str) -> None:
        self._reader = ImapReader(*address)
        self._reader.read()
        self._tag = 0
        # What `{name}` in a line stands for: what this server said last.
        self.heard: dict[str, str] = {}
        done = self.say(f"LOGIN {user} {password}")[-1]
        assert done.words[0] == b"OK", done.raw

    def say(self, line: str) -> list[Response]:
        """The answers to a line, to the tagged one (for IDLE: to the continuation)."""
        for name, value in self.heard.items():
            line = line.replace(f"{{{name}}}", value)
        if line == "HEAR":
            return list(self._news())
        if line == "DONE":
            self._reader.send(b"DONE\r\n")
            return list(self._answers())
        self._tag += 1
        parts = re.split(r"<(\+?)([\w.-]+\.eml|'[^']*')>", line)
        octets = b"t%d %b" % (self._tag, parts[0].encode())
        found: list[Response] = []
        for plus, name, rest in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            literal = name[1:-1].encode() if name[0] == "'" else (MESSAGES / name).read_bytes()
            octets += b"{%d%b}\r\n" % (len(literal), plus.encode())
            if not plus:
                self._reader.send(octets)
                octets = b""
                found += self._until_continuation()
                if found and found[-1].tag != b"*":
                    return found
            octets += literal + rest.encode()
        self._reader.send(octets + b"\r\n")
        found += self._until_continuation() if line == "IDLE" else self._answers()
        if line.upper() == "COMPRESS DEFLATE" and found[-1].words[0] == b"OK":
            self._reader.compress()
        return found

    def close(self) -> None:
        self._reader.close()

    def _news(self) -> Iterator[Response]:
        """What comes unasked, until there is no more for a moment."""
        patience = 5.0
        while response := self._reader.read(patience):
            yield response
            patience = 0.3

    def _until_continuation(self) -> list[Response]:
        found = []
        while (response := self._read()).tag != b"+":
            found.append(response)
            if response.tag != b"*":
                break
        return found

    def _answers(self) -> Iterator[Response]:
        while True:
            response = self._read()
            yield response
            if response.tag not in (b"*", b"+"):
                return

    def _read(self) -> Response:
        response = self._reader.read(10)
        assert response is not None, self._reader.transcript
        for name in (b"UIDVALIDITY", b"HIGHESTMODSEQ"):
            if value := response.code(name):
                self.heard[name.decode().lower()] = value.decode()
        return response


def capabilities(server: Server) -> set[str]:
    """What the server announces to whom has logged in."""
    session = Session(server.imap, *server.make_mailbox())
    said = session.say("CAPABILITY")[0]
    session.close()
    return {word.decode() for word in said.words[1:]}


def fill(session: Session, names: Sequence[str]) -> None:
    """Put messages into INBOX. A dialogue of its own tells whether new ones are \\Recent."""
    for name in names:
        done = session.say(f'APPEND INBOX "24-Nov-2026 10:00:00 +0000" <+{name}>')[-1]
        assert done.words[0] == b"OK", done.raw
    if names:
        session.say("SELECT INBOX")
        session.say("UNSELECT")


def perform(dialogue: Dialogue, server: Server) -> list[list[str]]:
    """What the server says to each step, levelled."""
    login = server.make_mailbox()
    sessions = {"A": Session(server.imap, *login)}
    try:
        fill(sessions["A"], dialogue.holds)
        said = []
        for step in dialogue.steps:
            if step.session not in sessions:
                sessions[step.session] = Session(server.imap, *login)
            try:
                said.append(level(step.line, sessions[step.session].say(step.line)))
            except HungUp:
                said.append(["(hangs up)"])
        return said
    finally:
        for session in sessions.values():
            session.close()
