"""Dot stuffing (RFC 5321 §4.5.2) over chunks cut anywhere, in whole-buffer operations."""


class DotStuffer:
    """Puts a dot before every dot that begins a line, and ends the message.

    The octets must use CRLF alone for line ends.
    """

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        # The message begins at the beginning of a line.
        self._tail = b"\r\n"

    def stuff(self, chunk: bytes) -> bytes:
        """The chunk as it goes over the wire."""
        if not chunk:
            return b""
        # The last two octets of what went before tell whether a line begins here; prefixing them
        # lets one replace() find every such dot.
        joined = self._tail + chunk
        stuffed = joined.replace(b"\r\n.", b"\r\n..")[len(self._tail) :]
        self._tail = joined[-2:]
        return stuffed

    def end(self) -> bytes:
        """The end of data, after a line end where the message lacks one."""
        return b".\r\n" if self._tail == b"\r\n" else b"\r\n.\r\n"
