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


def answered(wire: DirectWire, command: bytes) -> tuple[bytes, bool]:
    """The same, and whether it was said without a thread for it."""
    session, noted = wire._session, []
    is_quick = session.is_quick

    def noting(event: object) -> bool:
        noted.append(is_quick(event))
        return noted[-1]

    session.is_quick = noting
    said = ask(wire, command)
    session.is_quick = is_quick
    return said, noted == [True]
