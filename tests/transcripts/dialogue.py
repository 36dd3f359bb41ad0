"""Plays a transcript's steps against a venue and says where the dialogue first differs."""

import re
from typing import Protocol

from tests.transcripts.grammar import (
    Close,
    Closed,
    Expect,
    Send,
    StartTls,
    Step,
    Transcript,
    Wait,
    decode,
    encode,
    fill,
    line_pattern,
    unescape,
)


class Silence(Exception):
    """The server said nothing although it had time to."""


class Wire(Protocol):
    """One connection, as the client sees it."""

    def send(self, octets: bytes) -> None: ...

    def read_line(self) -> bytes | None:
        """The next line with its end; what is left where the server hung up; None at the end."""
        ...

    def start_tls(self) -> None: ...

    def close(self) -> None: ...


class Venue(Protocol):
    """Where a transcript is played."""

    def connect(self) -> Wire: ...

    def wait(self, seconds: float) -> None:
        """Let the clock go on."""
        ...


class Differs(Exception):
    """The dialogue up to the first line that is not as written."""


class Dialogue:
    """One performance of one transcript."""

    def __init__(self, transcript: Transcript, venue: Venue) -> None:
        self._transcript = transcript
        self._venue = venue
        self._wires: dict[str, Wire] = {}
        self._has_two = any(step.who != "A" for step in transcript.steps)
        self._said: list[str] = []
        self._known: dict[str, str] = {}
        self._wanted: dict[str, list[tuple[Step, re.Pattern[str]]]] = {}

    def play(self) -> None:
        """Raises Differs at the first line that differs."""
        for step in self._transcript.steps:
            if step.who not in self._wires:
                self._wires[step.who] = self._venue.connect()
            self._perform(step, self._wires[step.who])
        for who, wanted in self._wanted.items():
            while wanted:
                self._read_any(wanted[0][0], self._wires[who])

    def _perform(self, step: Step, wire: Wire) -> None:
        match step.action:
            case Send(text, is_raw):
                text = fill(text, self._known)
                octets = encode(unescape(text)) if is_raw else encode(text) + b"\r\n"
                self._note(step.who, "C", octets)
                wire.send(octets)
            case Expect("~", pattern):
                wanted = self._wanted.setdefault(step.who, [])
                wanted.append((step, line_pattern(pattern, self._known)))
            case Expect() as expect:
                self._expect(step, expect, wire)
            case StartTls():
                wire.start_tls()
                self._said.append(f"{self._prefix(step.who)}TLS")
            case Close():
                wire.close()
            case Closed():
                self._expect_closed(step, wire)
            case Wait(seconds):
                self._venue.wait(seconds)
                self._said.append(f"WAIT {seconds:g}s")

    def _expect(self, step: Step, expect: Expect, wire: Wire) -> None:
        text = unescape(expect.pattern) if expect.mode == "|" else expect.pattern
        pattern = line_pattern(text, self._known)
        lines = text.count("\r\n") + 1
        wanted = self._wanted.setdefault(step.who, [])
        while True:
            line = self._read(step, wire, lines)
            if match := pattern.fullmatch(line):
                if wanted:
                    raise self._differs(wanted[0][0], "it came without what should stand before it")
                self._known.update(match.groupdict())
                return
            if not self._tick_off(wanted, line) and not expect.skips and not self._skips(step):
                raise self._differs(step, "the last line differs")

    def _skips(self, step: Step) -> bool:
        """S~ lines allow others between them and the next `S:`."""
        position = self._transcript.steps.index(step)
        for before in reversed(self._transcript.steps[:position]):
            if before.who == step.who:
                return isinstance(before.action, Expect) and before.action.mode == "~"
        return False

    def _read_any(self, step: Step, wire: Wire) -> None:
        self._tick_off(self._wanted[step.who], self._read(step, wire, 1))

    def _tick_off(self, wanted: list[tuple[Step, re.Pattern[str]]], line: str) -> bool:
        for item in wanted:
            if match := item[1].fullmatch(line):
                self._known.update(match.groupdict())
                wanted.remove(item)
                return True
        return False

    def _read(self, step: Step, wire: Wire, lines: int) -> str:
        """The next lines, without the end of the last."""
        octets = b""
        for _ in range(lines):
            try:
                line = wire.read_line()
            except Silence:
                raise self._differs(step, "the server says nothing") from None
            if line is None:
                raise self._differs(step, "the server has hung up")
            self._note(step.who, "S", line)
            octets += line
        return decode(octets.removesuffix(b"\r\n"))

    def _expect_closed(self, step: Step, wire: Wire) -> None:
        try:
            line = wire.read_line()
        except Silence:
            raise self._differs(step, "the server has not hung up") from None
        if line is not None:
            self._note(step.who, "S", line)
            raise self._differs(step, "the server should have hung up")

    def _note(self, who: str, side: str, octets: bytes) -> None:
        text = octets.decode("utf-8", "backslashreplace")
        if text.endswith("\r\n"):
            text = text[:-2]
        else:
            text = f"{text}⏎̸"
        shown = text.replace("\r", "\\r").replace("\n", "\\n")
        if len(shown) > 200:
            shown = f"{shown[:150]} … ({len(octets)} octets)"
        self._said.append(f"{self._prefix(who)}{side}: {shown}")

    def _prefix(self, who: str) -> str:
        return f"{who}: " if self._has_two else ""

    def _differs(self, step: Step, why: str) -> Differs:
        action = step.action
        if isinstance(action, Expect):
            expected = f"S{action.mode} {action.pattern}"
        else:
            expected = "CLOSED"
        dialogue = "\n".join(f"    {line}" for line in self._said[-60:])
        return Differs(
            f"{self._transcript.path.name}:{step.line}: {why}\n"
            f"# {self._transcript.title}\n{dialogue}\n"
            f"expected, line {step.line}:\n    {self._prefix(step.who)}{expected}"
        )
