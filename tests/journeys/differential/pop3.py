"""A dialogue with a POP3 server."""

import re

from tests.journeys.differential.dialogues import Dialogue, Server
from tests.journeys.differential.imap import Session, fill
from tests.journeys.wire import Line

# Followed by lines up to a lone dot: always, or without an argument.
_LONG = ("RETR", "TOP", "CAPA")
_LONG_ALONE = ("LIST", "UIDL")


def perform(dialogue: Dialogue, server: Server) -> list[list[str]]:
    """What the server says to each step, levelled; QUIT opens the next connection."""
    user, password = server.make_mailbox()
    imap = Session(server.imap, user, password)
    fill(imap, dialogue.holds)
    imap.close()
    line, said = _open(server, user, password), []
    for step in dialogue.steps:
        said.append(_ask(line, step.line))
        if step.line == "QUIT":
            line.close()
            line = _open(server, user, password)
    line.say("QUIT")
    line.close()
    return said


def _open(server: Server, user: str, password: str) -> Line:
    line = Line(*server.pop3)
    line.read()
    line.say(f"USER {user}")
    assert line.say(f"PASS {password}").startswith("+OK")
    return line


def _ask(line: Line, command: str) -> list[str]:
    answer = line.say(command)
    words = command.upper().split() or [""]
    said = [_level(words[0], answer)]
    is_long = words[0] in _LONG or (words[0] in _LONG_ALONE and len(words) == 1)
    if is_long and answer.startswith("+OK"):
        text = line.read_multiline().decode("latin-1")
        lines = text.split("\r\n")[:-1]
        if words[0] == "CAPA":
            lines = sorted(lines)
        if words[0] == "UIDL":
            lines = [f"{each.split()[0]} ID" for each in lines]
        said += lines
    return said


def _level(command: str, answer: str) -> str:
    """Without the text for people; of STAT, LIST and UIDL the numbers are the answer."""
    found = re.match(r"(\+OK|-ERR)( \[[^\]]*\])?(.*)", answer)
    assert found, answer
    if found[1] == "+OK" and command in ("STAT", "LIST"):
        numbers = re.match(r"( \d+)( \d+)", found[3])
        return found[1] + (numbers[0] if numbers else "")
    return found[1] + (found[2] or "")
