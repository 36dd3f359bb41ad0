"""A client of Marionette, the remote protocol of Mozilla's programs: JSON over a socket.

A frame is its length in octets, a colon and JSON. A command is `[0, id, name, parameters]`, its
answer `[1, id, error, result]`; one is sent at a time.
"""

import json
import socket
from typing import Any


class MarionetteError(Exception):
    """The program could not do it; the text holds its name and words for that."""


class Marionette:
    """One session, whose scripts run with the program's own rights."""

    def __init__(self, port: int, patience: float = 90) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=patience)
        self._file = self._socket.makefile("rb")
        self._last = 0
        greeting = self._read()
        assert greeting["marionetteProtocol"] == 3, greeting
        # It cannot know who signed the server's certificate.
        self._command("WebDriver:NewSession", acceptInsecureCerts=True)
        self._command("Marionette:SetContext", value="chrome")

    def run(self, script: str, *arguments: Any) -> Any:
        """What a function body returns, or what comes of the promise it returns."""
        words = {"script": script, "args": arguments, "sandbox": "system"}
        return self._command("WebDriver:ExecuteScript", **words)["value"]

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _command(self, name: str, **parameters: Any) -> Any:
        self._last += 1
        frame = json.dumps([0, self._last, name, parameters]).encode()
        self._socket.sendall(b"%d:%b" % (len(frame), frame))
        _, answered, error, result = self._read()
        assert answered == self._last
        if error:
            raise MarionetteError(f"{name}: {error['error']}: {error['message']}")
        return result

    def _read(self) -> Any:
        length = b""
        while (octet := self._file.read(1)) != b":":
            assert octet.isdigit(), f"it hung up after {length!r}"
            length += octet
        return json.loads(self._file.read(int(length)))
