"""Dialogues as data: the files of this directory, and what two servers answer differently."""

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
MESSAGES = HERE / "messages"


@dataclass(slots=True)
class Step:
    """A line of a client, and how the answers to it are expected to differ."""

    number: int
    session: str
    line: str
    reason: str = ""
    expected: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Dialogue:
    """One behaviour: the messages INBOX holds, and what is said of them.

    `needs` is a capability without which we are not asked yet.
    """

    title: str
    number: int
    needs: str = ""
    holds: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


def read_dialogues(text: str) -> list[Dialogue]:
    """The dialogues of a file (`README.md`)."""
    found: list[Dialogue] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            found.append(Dialogue(line[3:], number))
        elif line.startswith("holds "):
            found[-1].holds += line[6:].split(", ")
        elif line.startswith("needs "):
            found[-1].needs = line[6:]
        elif line.startswith(("  < ", "  > ")):
            found[-1].steps[-1].expected.append(line[2:])
        elif line.startswith("  differs: "):
            found[-1].steps[-1].reason = line[11:]
        elif line and not line.startswith("#"):
            session = re.match(r"([B-D]): ", line)
            said = line[3:] if session else line
            found[-1].steps.append(Step(number, session[1] if session else "A", said))
    return found


@dataclass(frozen=True, slots=True)
class Server:
    """Where it listens, and how a fresh mailbox of it is made: by address and password."""

    imap: tuple[str, int]
    pop3: tuple[str, int]
    make_mailbox: Callable[[], tuple[str, str]]


def differences(theirs: Sequence[str], ours: Sequence[str]) -> list[str]:
    """Lines of theirs alone (`<`), and of ours alone (`>`)."""
    found = []
    for line in difflib.ndiff(theirs, ours):
        if line[0] in "-+":
            found.append(("< " if line[0] == "-" else "> ") + line[2:])
    return found
