"""IMAP responses as lines that two servers can be compared by.

What may differ between any two servers is levelled: texts for people, UIDVALIDITYs and
mod-sequences, the order of items, how a string is quoted, what only one of the two announces.
"""

import re
from collections.abc import Sequence
from typing import Any

from tests.journeys.imap_reader import Response, Text

# Said by one of the two alone, wherever they may be; docs/rfcs.md says why.
_PASSED_OVER = re.compile(rb"\* (?:OK \[(?:MAILBOXID|CLOSED)|CAPABILITY |OK (?!\[)|ENABLED\r)")
_CODE = re.compile(rb"(OK|NO|BAD|BYE|PREAUTH) (\[[^\]]*\])?")
_NUMBERS = (
    (re.compile(r"(UIDVALIDITY) \d+"), r"\1 V"),
    (re.compile(r"(HIGHESTMODSEQ|NOMODSEQ) \d+"), r"\1 M"),
    (re.compile(r"(APPENDUID|COPYUID) \d+"), r"\1 V"),
    (re.compile(r"MODSEQ \(\d+\)"), "MODSEQ (M)"),
    (re.compile(r"\(MODSEQ \d+\)"), "(MODSEQ M)"),
    (re.compile(r"MODSEQ \d+"), "MODSEQ M"),
    # Each dialogue has a mailbox of its own.
    (re.compile(r"user\d+(@a\.test)?"), "USER"),
    (re.compile(r'"CHILDINFO"'), "CHILDINFO"),
)
# Untagged responses whose order among each other means nothing.
_ANY_ORDER = ("SELECT", "EXAMINE", "LIST", "LSUB", "STATUS", "ENABLE")


def level(line: str, responses: Sequence[Response]) -> list[str]:
    """Answers as lines that two servers can be compared by."""
    command = line.split()[0].upper()
    said = [
        _level_one(each)
        for each in responses
        if each.tag != b"+" and not _PASSED_OVER.match(each.raw)
    ]
    if command in ("SELECT", "EXAMINE") and "CONDSTORE" not in line and "QRESYNC" not in line:
        said = [each for each in said if "[HIGHESTMODSEQ" not in each]
    if command in _ANY_ORDER:
        said = [*sorted(said[:-1]), said[-1]]
    return said


def _level_one(response: Response) -> str:
    tag = "*" if response.tag == b"*" else "tag"
    status = _CODE.match(response.raw.partition(b" ")[2])
    if status:
        code = (status[2] or b"").decode("latin-1")
        if code.startswith(("[CAPABILITY", "[MAILBOXID")):
            code = ""
        if code.startswith(("[PERMANENTFLAGS", "[BADCHARSET")):
            code = re.sub(r"\(([^)]*)\)", lambda m: f"({' '.join(sorted(m[1].split()))})", code)
        text = f"{tag} {status[1].decode()} {code}".rstrip()
    else:
        text = f"{tag} " + " ".join(map(_plain, _ordered(response)))
    for pattern, replacement in _NUMBERS:
        text = pattern.sub(replacement, text)
    return text


def _ordered(response: Response) -> list[Any]:
    words = list(response.words)
    match response.kind:
        case b"FETCH":
            items = words[2]
            assert len(items) % 2 == 0, response.raw
            pairs = [(items[at], items[at + 1]) for at in range(0, len(items), 2)]
            words[2] = [
                word for pair in sorted(pairs, key=_by_name) for word in _sorted_flags(pair)
            ]
        case b"FLAGS":
            words[1] = sorted(words[1])
        case b"LIST" | b"LSUB":
            words[1] = sorted(words[1], key=bytes.lower)
            words[3] = Text(words[3])
        case b"STATUS":
            pairs = [(words[2][at], words[2][at + 1]) for at in range(0, len(words[2]), 2)]
            words[1:] = [Text(words[1]), [word for pair in sorted(pairs) for word in pair]]
        case b"ESEARCH":
            # Without the tag that it is about.
            tail = words[2:] if len(words) > 1 and isinstance(words[1], list) else words[1:]
            start = tail[:1] if tail[:1] == [b"UID"] else []
            words = [words[0], *start, *_sorted_pairs(tail[len(start) :])]
        case b"METADATA" if isinstance(words[2], list):
            words[2] = _sorted_pairs(words[2])
    return words


def _sorted_pairs(words: list[Any]) -> list[Any]:
    pairs = [(words[at], words[at + 1]) for at in range(0, len(words), 2)]
    return [word for pair in sorted(pairs, key=_by_name) for word in pair]


def _by_name(pair: tuple[Any, Any]) -> bytes:
    return bytes(pair[0]).upper()


def _sorted_flags(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    name, value = pair
    return (name, sorted(value)) if name == b"FLAGS" else (name, value)


def _plain(word: Any) -> str:
    if isinstance(word, list):
        return f"({' '.join(map(_plain, word))})"
    text = word.decode("latin-1")
    if isinstance(word, Text):
        return '"' + text.replace("\r\n", "\\r\\n") + '"'
    return text
