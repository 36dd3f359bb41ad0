"""What an SMTP server says: a code, an enhanced code and one or more lines of text.

Whether a refusal is temporary is derived from the code, never stored beside it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

# RFC 5321 §4.5.3.1.5: a reply line has at most 512 octets, its end included.
_LINE_LIMIT = 512
# A peer that answers with more than this is not speaking SMTP.
_LINES_LIMIT = 128

_REPLY_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)")
_CONTROLS = dict.fromkeys((*range(32), 127), " ")


class BadReply(Exception):
    """The peer sent what is no SMTP reply (RFC 5321 §4.2)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`enhanced` is an RFC 3463 code or ""; a tuple of texts makes a multi-line reply."""

    code: int
    enhanced: str
    text: str | tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        return (self.text,) if isinstance(self.text, str) else self.text

    @property
    def is_completion(self) -> bool:
        """A 2xx reply: what was asked is done (RFC 5321 §4.2.1)."""
        return 200 <= self.code < 300

    @property
    def is_temporary(self) -> bool:
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        return self.code >= 500

    def to_bytes(self) -> bytes:
        """The reply as it goes over the wire, every line ended by CRLF."""
        return _octets(self)

    def __str__(self) -> str:
        """One line for logs, bounces and the queue."""
        head = f"{self.code} {self.enhanced}".strip()
        return f"{head} {' '.join(self.lines)}".strip()


# Nearly all that is said is said again and again.
@lru_cache(maxsize=256)
def _octets(reply: Reply) -> bytes:
    lines = reply.lines
    last = len(lines) - 1
    return b"".join(
        _line(reply.code, " " if number == last else "-", reply.enhanced, text)
        for number, text in enumerate(lines)
    )


def _line(code: int, mark: str, enhanced: str, text: str) -> bytes:
    content = f"{enhanced} {text}" if enhanced else text
    # A text may quote what the peer sent: it must not be able to start a line of its own.
    if not content.isprintable():
        content = content.translate(_CONTROLS)
    octets = f"{code}{mark}{content}".encode("ascii", "replace")
    return octets[: _LINE_LIMIT - 2] + b"\r\n"


class ReplyReader:
    """Collects reply lines (without their ends) into Replies."""

    __slots__ = ("_code", "_texts")

    def __init__(self) -> None:
        self._code = b""
        self._texts: list[str] = []

    def feed_line(self, line: bytes) -> Reply | None:
        """The Reply that this line completes, or None; BadReply when it is none."""
        match = _REPLY_LINE.fullmatch(line)
        if match is None:
            raise BadReply
        code, mark, text = match.groups()
        if (self._code and code != self._code) or len(self._texts) >= _LINES_LIMIT:
            raise BadReply
        self._texts.append((text or b"").decode("utf-8", "replace").translate(_CONTROLS))
        if mark == b"-":
            self._code = code
            return None
        texts, self._code, self._texts = self._texts, b"", []
        return parse_reply(int(code), texts)


def parse_reply(code: int, texts: list[str]) -> Reply:
    """A Reply from its lines, the enhanced code (RFC 2034 §4) taken off each of them."""
    match = _ENHANCED.match(texts[0])
    enhanced = match[1] if match is not None and match[1][0] == str(code)[0] else ""
    if enhanced:
        texts = [_without(enhanced, text) for text in texts]
    return Reply(code, enhanced, texts[0] if len(texts) == 1 else tuple(texts))


def _without(enhanced: str, text: str) -> str:
    """The text behind the code; one that begins with another code, or with none, is whole."""
    word, _, rest = text.partition(" ")
    return rest.lstrip(" ") if word == enhanced else text
