"""Plain sockets for the journeys: exact octets out, exact replies in."""

import re
import socket


class Line:
    """A dialogue line by line over one socket."""

    def __init__(self, address: str, port: int) -> None:
        self._socket = socket.create_connection((address, port), timeout=60)
        self._file = self._socket.makefile("rb")

    def read(self) -> str:
        """One line, or all lines of an SMTP reply joined by a newline."""
        lines = []
        while True:
            line = self._file.readline()
            assert line.endswith(b"\r\n"), f"cut off after {line!r}"
            lines.append(line[:-2].decode())
            if not re.match(rb"\d{3}-", line):
                return "\n".join(lines)

    def say(self, text: str) -> str:
        self.send(text.encode() + b"\r\n")
        return self.read()

    def send(self, octets: bytes) -> None:
        self._socket.sendall(octets)

    def read_until(self, end: str) -> list[str]:
        """Lines up to and with the one that starts with `end`."""
        lines = []
        while True:
            lines.append(self.read())
            if lines[-1].startswith(end):
                return lines

    def read_octets(self, size: int) -> bytes:
        return self._file.read(size)

    def read_multiline(self) -> bytes:
        """A POP3 multi-line answer, dots unstuffed."""
        lines = []
        while (line := self._file.readline()) != b".\r\n":
            assert line
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def send_message(line: Line, sender: str, to: str, octets: bytes) -> str:
    """One transaction on a greeted session; the reply to the final dot (or the first refusal)."""
    for command, wanted in (
        (f"MAIL FROM:<{sender}> BODY=8BITMIME", "250"),
        (f"RCPT TO:<{to}>", "250"),
        ("DATA", "354"),
    ):
        reply = line.say(command)
        if not reply.startswith(wanted):
            return reply
    stuffed = (
        re.sub(rb"(?m)^\.", b"..", octets) if b"\n." in octets or octets[:1] == b"." else (octets)
    )
    if not stuffed.endswith(b"\r\n"):
        stuffed += b"\r\n"
    line.send(stuffed + b".\r\n")
    return line.read()
