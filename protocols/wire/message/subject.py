"""The base subject: what is left of a Subject without "Re:", "Fwd:" and "[list]" (RFC 5256 §2.1).

Linear time: every piece that is looked at is passed for good or ends the work.
"""

import re

_SPACES = re.compile(r"[ \t\r\n]++")
_BLOB = r"\[[^\[\]]*+\] *+"
# `subj-leader` of RFC 5256 §5.
_LEADER = re.compile(rf" ++|(?:{_BLOB})*+(?:re|fwd?+) *+(?:{_BLOB})?+:", re.IGNORECASE | re.ASCII)
_BLOBS = re.compile(rf"(?:{_BLOB})++")
_TRAILER = "(fwd)"
_FORWARD = "[fwd:"


def base_subject(subject: str) -> str:
    """The base subject of a decoded Subject, in the case it is written in."""
    text = _SPACES.sub(" ", subject)
    start, end = 0, len(text)
    while True:
        end = _without_trailers(text, start, end)
        start = _without_leaders(text, start, end)
        is_forward = text[start : start + len(_FORWARD)].lower() == _FORWARD
        if not (is_forward and end - start > len(_FORWARD) and text[end - 1] == "]"):
            return text[start:end]
        start, end = start + len(_FORWARD), end - 1


def _without_trailers(text: str, start: int, end: int) -> int:
    while end > start:
        if text[end - 1] == " ":
            end -= 1
        elif text[max(start, end - len(_TRAILER)) : end].lower() == _TRAILER:
            end -= len(_TRAILER)
        else:
            break
    return end


def _without_leaders(text: str, start: int, end: int) -> int:
    while True:
        if leader := _LEADER.match(text, start, end):
            start = leader.end()
        elif not (blobs := _BLOBS.match(text, start, end)):
            return start
        elif blobs.end() < end:
            start = blobs.end()
        else:
            # The last one stays where nothing else would.
            return text.rindex("[", start, end)
