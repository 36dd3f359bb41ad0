"""Transcript files to values: what is given, then steps. README.md tells the format."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from mailhost.config import parse_span


class BadTranscript(Exception):
    """A line of the file cannot be understood."""


@dataclass(frozen=True)
class Send:
    octets: str  # as written, {=name} not yet filled in; escapes only where `is_raw`
    is_raw: bool


@dataclass(frozen=True)
class Expect:
    """A line of the server's. `mode` is one of ":", "~", "|"; `skips` follows an `S...`."""

    mode: str
    pattern: str
    skips: bool = False


@dataclass(frozen=True)
class StartTls:
    pass


@dataclass(frozen=True)
class Close:
    """The client hangs up."""


@dataclass(frozen=True)
class Closed:
    """The server hangs up, having said no more."""


@dataclass(frozen=True)
class Wait:
    seconds: float


Action = Send | Expect | StartTls | Close | Closed | Wait


@dataclass(frozen=True)
class Step:
    line: int
    who: str
    action: Action


@dataclass
class Transcript:
    path: Path
    title: str
    given: list[tuple[int, str]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    @property
    def service(self) -> str:
        """The listener's name: the first folder, or what `given service` says."""
        for _line, text in self.given:
            if text.startswith("service "):
                return text.split()[1]
        folder = self.path.relative_to(Path(__file__).parent).parts[0]
        return {"smtp": "mx"}.get(folder, folder)

    @property
    def is_direct_only(self) -> bool:
        """A peer that is not on loopback cannot be had over a real socket."""
        return any(text.startswith("peer ") for _line, text in self.given)


def parse(path: Path) -> Transcript:
    """Read a transcript; BadTranscript names the line that is wrong."""
    lines = path.read_text(encoding="utf-8").split("\n")
    if not lines[0].startswith("# "):
        raise BadTranscript(f"{path.name}:1: the first line must name the RFC section")
    transcript = Transcript(path, lines[0][2:])
    skips = False
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("given "):
            transcript.given.append((number, line.removeprefix("given ").strip()))
            continue
        who, text = (line[0], line[2:].lstrip()) if line[:2] in ("A:", "B:") else ("A", line)
        if text.rstrip() == "S...":
            skips = True
            continue
        action = _action(text, skips)
        if action is None:
            raise BadTranscript(f"{path.name}:{number}: {line!r} is no step")
        skips = False
        transcript.steps.append(Step(number, who, action))
    return transcript


def _action(text: str, skips: bool) -> Action | None:
    mark, rest = text[:2], text[2:].removeprefix(" ")
    match mark:
        case "C:" | "C|":
            return Send(rest, is_raw=mark == "C|")
        case "S:" | "S~" | "S|":
            return Expect(mark[1], rest, skips)
    match text.split():
        case ["TLS"]:
            return StartTls()
        case ["CLOSE"]:
            return Close()
        case ["CLOSED"]:
            return Closed()
        case ["WAIT", span]:
            return Wait(parse_span(span).total_seconds())
    return None


_ESCAPE = re.compile(rb"\\(r|n|t|0|\\|x[0-9a-fA-F]{2})")
_NAMED = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}


def unescape(text: str) -> str:
    r"""A raw line with \r \n \t \0 \\ \xHH read; an octet that is no UTF-8 is a surrogate."""

    def octet(match: re.Match[bytes]) -> bytes:
        code = match[1].decode()
        return bytes([int(code[1:], 16)]) if code[0] == "x" else _NAMED[code].encode()

    return decode(_ESCAPE.sub(octet, text.encode()))


def decode(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


_HOLE = re.compile(r"\{(=?)([a-z_]+)\}")


def fill(text: str, known: dict[str, str]) -> str:
    """Put what was captured in the place of {=name}."""
    return _HOLE.sub(lambda hole: known[hole[2]] if hole[1] else hole[0], text)


def line_pattern(text: str, known: dict[str, str]) -> re.Pattern[str]:
    """A pattern for one whole line: {name} matches anything and is captured."""
    parts: list[str] = []
    position = 0
    seen: set[str] = set()
    for hole in _HOLE.finditer(text):
        parts.append(re.escape(text[position : hole.start()]))
        position = hole.end()
        if hole[1]:
            parts.append(re.escape(known[hole[2]]))
        elif hole[2] in seen:
            parts.append(".*?")
        else:
            seen.add(hole[2])
            parts.append(f"(?P<{hole[2]}>.*?)")
    parts.append(re.escape(text[position:]))
    return re.compile("".join(parts), re.DOTALL)
