"""Dot stuffing (RFC 5321 §4.5.2, RFC 1939 §3): what goes out must never look like the end.

Rule of the file: whole-buffer operations only, never a loop over lines.
"""


def stuff_whole(octets: bytes) -> tuple[bytes, bytes]:
    """A whole message as it goes over the wire, and its closing dot."""
    stuffed = octets.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed, b".\r\n" if not octets or octets.endswith(b"\r\n") else b"\r\n.\r\n"


class DotStuffer:
    """Doubles the dot that begins a line, over octets that come in pieces cut anywhere.

    Lines end in CRLF alone.
    """

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        # A message begins at the beginning of a line.
        self._tail = b"\r\n"

    def stuff(self, octets: bytes) -> bytes:
        """The octets as they go over the wire."""
        # Hardly a message has such a line, and replace() copies nothing then.
        stuffed = octets.replace(b"\r\n.", b"\r\n..")
        # A line may also begin with the first octet, or with the second after a cut in its CRLF.
        seam = (self._tail + octets[:2]).find(b"\r\n.")
        if seam >= 0:
            stuffed = stuffed[:seam] + b"." + stuffed[seam:]
        self._tail = (self._tail + octets[-2:])[-2:]
        return stuffed

    def end(self) -> bytes:
        """The closing dot, on a line of its own."""
        return b".\r\n" if self._tail == b"\r\n" else b"\r\n.\r\n"
