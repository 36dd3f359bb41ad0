"""How far a peer is behind in reading what was written to it."""

import fcntl
import struct
import sys
import termios
from typing import Any


def unsent_octets(transport: Any) -> int:
    """Octets that the peer has not acknowledged: those in the transport, and in the kernel."""
    waiting: int = len(transport.dataBuffer) - transport.offset + transport._tempDataLen
    return waiting + _in_kernel(transport.fileno())


def _in_kernel(descriptor: int) -> int:
    # tcp(7): SIOCOUTQ, which has the number of TIOCOUTQ, counts what is not acknowledged yet.
    if not sys.platform.startswith("linux"):
        return 0
    try:
        octets = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))
    except OSError:
        return 0
    return int(struct.unpack("i", octets)[0])
