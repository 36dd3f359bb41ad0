"""An IMAP client that waits for the tagged response and looks at nothing before it.

Taking a hundred thousand EXPUNGE responses apart would keep the threads beside it from running, and
that would be taken for the server's fault.
"""

import re
import socket

LAST_LINE = 4096


class PlainImap:
    def __init__(self, address: str, port: int) -> None:
        self._socket = socket.create_connection((address, port), timeout=300)
        self._tag = 0
        self._socket.recv(LAST_LINE)

    def ask(self, line: str) -> bytes:
        """Send a command; the tagged response, which must be OK."""
        return self.ask_all([line])

    def ask_all(self, lines: list[str]) -> bytes:
        """Send several at once; the tagged response to the last."""
        commands = []
        for line in lines:
            self._tag += 1
            commands.append(f"t{self._tag} {line}\r\n")
        self._socket.sendall("".join(commands).encode())
        return self.finish()

    def append(self, folder: str, messages: list[bytes]) -> None:
        """All in one command (RFC 3502)."""
        self._tag += 1
        literals = b"".join(b" {%d+}\r\n%b" % (len(each), each) for each in messages)
        self._socket.sendall(b"t%d APPEND %b%b\r\n" % (self._tag, folder.encode(), literals))
        self.finish()

    def finish(self) -> bytes:
        """Read up to the response tagged last."""
        wanted = re.compile(rb"(?:^|\n)(t%d (\w+)[^\r\n]*)\r\n\Z" % self._tag)
        tail = b""
        while True:
            data = self._socket.recv(1 << 18)
            assert data, f"the server hung up: {tail!r}"
            tail = (tail + data)[-LAST_LINE:]
            if found := wanted.search(tail):
                assert found[2] == b"OK", found[1]
                return found[1]

    def close(self) -> None:
        self._socket.close()
