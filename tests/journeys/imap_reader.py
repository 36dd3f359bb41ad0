"""An IMAP connection that hides nothing: octets out, every response in, taken apart but not judged.

Client libraries keep untagged responses in a drawer; whoever wants to know whether each was allowed
at its moment has to read them in their order.
"""

import re
import socket
import zlib
from dataclasses import dataclass
from typing import Any

_LITERAL = re.compile(rb"~?\{(\d+)\}\r\n\Z")
_INNER_LITERAL = re.compile(rb"~?\{(\d+)\}\r\n")
_ATOM_END = b' ()"\r\n'


_STATUS = frozenset((b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"))


class Text(bytes):
    """A quoted string or a literal; what is no string is plain `bytes`."""


class HungUp(OSError):
    """The server closed the connection."""


@dataclass(frozen=True, slots=True)
class Response:
    """One response: `words` are its parts behind the tag, lists nested, literals as octets."""

    raw: bytes
    tag: bytes
    words: list[Any]

    @property
    def kind(self) -> bytes:
        """`EXISTS`, `FETCH`, `OK` …: behind a number, where there is one."""
        word = self.words[1] if self.number is not None and len(self.words) > 1 else self.words[0]
        return bytes(word).upper() if isinstance(word, bytes) else b""

    @property
    def number(self) -> int | None:
        """The number in front, as in `* 3 EXPUNGE`."""
        first = self.words[0] if self.words else b""
        return int(first) if isinstance(first, bytes) and first.isdigit() else None

    @property
    def items(self) -> dict[bytes, Any]:
        """What a FETCH says, by item."""
        listed = self.words[2]
        return {bytes(listed[at]).upper(): listed[at + 1] for at in range(0, len(listed), 2)}

    def code(self, name: bytes) -> bytes | None:
        """The arguments of a response code, None where another or none is there."""
        found = re.match(rb"\S+ (?:OK|NO|BAD|BYE) \[" + name + rb"(?: ([^\]]*))?\]", self.raw)
        return (found[1] or b"") if found else None


class ImapReader:
    """One connection; `transcript` keeps what was said last, for the report of a failure."""

    KEPT = 60

    def __init__(self, address: str, port: int) -> None:
        self._socket = socket.create_connection((address, port), timeout=60)
        self._buffer = b""
        self._deflate: Any = None
        self._inflate: Any = None
        self.transcript: list[bytes] = []

    def send(self, octets: bytes) -> None:
        self._note(b"C: " + octets.rstrip(b"\r\n"))
        if self._deflate is not None:
            octets = self._deflate.compress(octets) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        self._socket.sendall(octets)

    def read(self, seconds: float = 60) -> Response | None:
        """The next response; None where none comes in time."""
        whole = self._read_line(seconds)
        if whole is None:
            return None
        while literal := _LITERAL.search(whole):
            whole += self._read_octets(int(literal[1]))
            rest = self._read_line(60)
            if rest is None:
                raise HungUp("cut off behind a literal")
            whole += rest
        self._note(b"S: " + whole[:300].rstrip(b"\r\n"))
        tag, _, rest = whole.partition(b" ")
        first = rest.split(b" ", 1)[0].strip()
        # What follows is for people.
        is_status = tag == b"+" or first.upper() in _STATUS
        return Response(whole, tag, [first] if is_status else parse(rest))

    def compress(self) -> None:
        """From here on both sides deflate (RFC 4978)."""
        self._deflate = zlib.compressobj(wbits=-15)
        self._inflate = zlib.decompressobj(wbits=-15)

    def close(self) -> None:
        self._socket.close()

    def _note(self, line: bytes) -> None:
        self.transcript.append(line)
        del self.transcript[: -self.KEPT]

    def _read_line(self, seconds: float) -> bytes | None:
        while b"\r\n" not in self._buffer:
            self._socket.settimeout(seconds)
            try:
                self._receive()
            except TimeoutError:
                return None
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line + b"\r\n"

    def _read_octets(self, size: int) -> bytes:
        self._socket.settimeout(60)
        while len(self._buffer) < size:
            self._receive()
        octets, self._buffer = self._buffer[:size], self._buffer[size:]
        return octets

    def _receive(self) -> None:
        data = self._socket.recv(1 << 16)
        if not data:
            raise HungUp("the server hung up")
        self._buffer += data if self._inflate is None else self._inflate.decompress(data)


def parse(text: bytes) -> list[Any]:
    """Words, strings and lists of a response."""
    found, at = _parse_list(text, 0)
    assert at >= len(text.rstrip(b"\r\n")), text
    return found


def _parse_list(text: bytes, at: int) -> tuple[list[Any], int]:
    found: list[Any] = []
    while at < len(text):
        char = text[at : at + 1]
        if char == b")":
            return found, at + 1
        if char in b" \r\n":
            at += 1
        elif char == b"(":
            inner, at = _parse_list(text, at + 1)
            found.append(inner)
        elif char == b'"':
            string, at = _parse_quoted(text, at + 1)
            found.append(string)
        elif char in b"~{" and (literal := _INNER_LITERAL.match(text, at)):
            end = literal.end() + int(literal[1])
            found.append(Text(text[literal.end() : end]))
            at = end
        else:
            end = _atom_end(text, at)
            found.append(text[at:end])
            # What cannot be an atom's is taken as a word of its own.
            at = max(end, at + 1)
    return found, at


def _parse_quoted(text: bytes, at: int) -> tuple[Text, int]:
    string = b""
    while text[at : at + 1] not in (b'"', b""):
        at += text[at : at + 1] == b"\\"
        string += text[at : at + 1]
        at += 1
    return Text(string), at + 1


def _atom_end(text: bytes, at: int) -> int:
    """Where an atom ends; `BODY[HEADER.FIELDS (SUBJECT)]` is one."""
    depth = 0
    while at < len(text):
        char = text[at]
        if char == ord("["):
            depth += 1
        elif char == ord("]"):
            depth -= 1
        elif depth <= 0 and char in _ATOM_END:
            break
        at += 1
    return at


def numbers_in(text: bytes) -> list[int]:
    """The numbers of a sequence-set without `*`."""
    found: list[int] = []
    for part in text.split(b","):
        low, _, high = part.partition(b":")
        if low:
            found += range(int(low), int(high or low) + 1)
    return found
