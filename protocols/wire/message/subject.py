"""The base subject: what is left of a Subject without "Re:", "Fwd:" and "[list]" (RFC 5256 §2.1).

Linear time: every piece that is looked at is passed for good or ends the work.
"""

import re
from typing import NamedTuple

_SPACES = re.compile(r"[ \t\r\n]++")
_BLOB = r"\[[^\[\]]*+\] *+"
# `subj-leader` of RFC 5256 §5.
_LEADER = re.compile(rf" ++|(?:{_BLOB})*+(?:re|fwd?+) *+(?:{_BLOB})?+:", re.IGNORECASE | re.ASCII)
_BLOBS = re.compile(rf"(?:{_BLOB})++")
_TRAILER = "(fwd)"
_FORWARD = "[fwd:"


class BaseSubject(NamedTuple):
    """What is left of a Subject; `is_reply` also where it says that it forwards something."""

    text: str
    is_reply: bool


def base_subject(subject: str) -> str:
    """The base subject of a decoded Subject, in the case it is written in."""
    return read_subject(subject).text


def read_subject(subject: str) -> BaseSubject:
    """The base subject, and whether a mark of a reply or a forward was taken off (§3)."""
    text = _SPACES.sub(" ", subject)
    start, end = 0, len(text)
    is_reply = False
    while True:
        end, has_trailer = _without_trailers(text, start, end)
        start, has_leader = _without_leaders(text, start, end)
        is_reply |= has_trailer or has_leader
        is_forward = text[start : start + len(_FORWARD)].lower() == _FORWARD
        if not (is_forward and text[end - 1] == "]"):
            return BaseSubject(text[start:end], is_reply)
        start, end = start + len(_FORWARD), end - 1
        is_reply = True


def _without_trailers(text: str, start: int, end: int) -> tuple[int, bool]:
    is_reply = False
    while end > start:
        if text[end - 1] == " ":
            end -= 1
        elif text[max(start, end - len(_TRAILER)) : end].lower() == _TRAILER:
            end -= len(_TRAILER)
            is_reply = True
        else:
            break
    return end, is_reply


def _without_leaders(text: str, start: int, end: int) -> tuple[int, bool]:
    is_reply = False
    while True:
        if leader := _LEADER.match(text, start, end):
            start = leader.end()
            is_reply |= text[start - 1] == ":"
        elif not (blobs := _BLOBS.match(text, start, end)):
            return start, is_reply
        elif blobs.end() < end:
            start = blobs.end()
        else:
            # The last one stays where nothing else would.
            return text.rindex("[", start, end), is_reply
