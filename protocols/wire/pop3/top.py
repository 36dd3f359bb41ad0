"""Cuts a message for TOP (RFC 1939 §7): its header, the empty line, the first lines of its body."""

import re

_EMPTY_LINE = re.compile(rb"\n\r?\n")


class TopCutter:
    """Takes a message's octets in pieces and gives back what TOP shows of each."""

    __slots__ = ("_is_in_body", "_lines_left", "_tail")

    def __init__(self, lines: int) -> None:
        self._lines_left = lines
        self._is_in_body = False
        # A message may begin with the empty line: then it has no header.
        self._tail = b"\n"

    @property
    def is_done(self) -> bool:
        """True once nothing that follows is shown."""
        return self._is_in_body and self._lines_left == 0

    def cut(self, octets: bytes) -> bytes:
        if self._is_in_body:
            return self._cut_body(octets)
        window = self._tail + octets
        found = _EMPTY_LINE.search(window)
        if found is None:
            self._tail = window[-2:]
            return octets
        body_start = found.end() - len(self._tail)
        self._is_in_body = True
        return octets[:body_start] + self._cut_body(octets[body_start:])

    def _cut_body(self, octets: bytes) -> bytes:
        lines = octets.count(b"\n")
        if lines < self._lines_left:
            self._lines_left -= lines
            return octets
        end = 0
        for _ in range(self._lines_left):
            end = octets.index(b"\n", end) + 1
        self._lines_left = 0
        return octets[:end]
