"""Commands on a connection in memory, and all that is said to them."""

from tests.transcripts.direct import DirectWire


def ask(wire: DirectWire, command: bytes) -> bytes:
    """What is said up to the tagged answer, or to the end; the tag is `t`."""
    wire.send(b"t " + command + b"\r\n")
    said = b""
    while (line := wire.read_line()) is not None:
        said += line
        if line.startswith(b"t "):
            break
    return said
