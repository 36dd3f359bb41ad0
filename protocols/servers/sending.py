"""Writing to a peer in the fewest system calls, and how far it is behind in reading.

What Mailhost knows of the insides of Twisted's TCP transport stands here and nowhere else.
"""

import fcntl
import os
import struct
import sys
import termios
from typing import Any

from protocols.wire.conversation import Pieces

# Octets handed to the transport, and by it to the system, at once: each call gives up the
# interpreter. It asks us to pause above 64 KiB, so at most about 576 KiB wait for a peer that does
# not read.
SIZE = 512 * 1024
# What one call takes of them.
MOST_PIECES = os.sysconf("SC_IOV_MAX")


def prepare(transport: Any) -> None:
    """Before anything is written."""
    transport.SEND_LIMIT = SIZE


def write(transport: Any, pieces: Pieces, *, is_secured: bool) -> None:
    """Write to the peer, at once where nothing is waiting and no TLS stands between."""
    if not (is_secured or _has_waiting(transport)):
        # Most answers fit into the socket, which saves two system calls and a turn of the reactor.
        # What does not fit, or fails, goes the usual way.
        sent = _send(transport, pieces)
        if isinstance(sent, int):
            pieces = _behind(pieces, sent)
    if pieces:
        transport.write(b"".join(pieces))


def _send(transport: Any, pieces: Pieces) -> Any:
    """How many octets the system has taken, or the failure."""
    if len(pieces) == 1:
        return transport.writeSomeData(pieces[0])
    try:
        # Long pieces are octets of messages: to join them would cost as much as to send them.
        return transport.socket.sendmsg(pieces[:MOST_PIECES])
    except OSError as failure:
        return failure


def _behind(pieces: Pieces, sent: int) -> Pieces:
    """What is left of them behind so many octets."""
    for count, piece in enumerate(pieces):
        if sent < len(piece):
            return [memoryview(piece)[sent:], *pieces[count + 1 :]]
        sent -= len(piece)
    return []


def end_output(transport: Any) -> None:
    """Half-close, without TLS, once everything is written."""
    if _has_waiting(transport):
        transport.loseWriteConnection()
    else:
        # What Twisted does after an empty write in the reactor's next turn, for three system
        # calls less: every connection comes to this, most with nothing left to write.
        transport._writeDisconnecting = transport._writeDisconnected = True
        transport._closeWriteConnection()
        # The other half ends with the socket; to end it first is one more call, which fails.
        transport._shouldShutdown = False


def unsent_octets(transport: Any) -> int:
    """Octets that the peer has not acknowledged: those in the transport, and in the kernel."""
    waiting: int = len(transport.dataBuffer) - transport.offset + transport._tempDataLen
    return waiting + _in_kernel(transport.fileno())


def _has_waiting(transport: Any) -> bool:
    return bool(transport.dataBuffer or transport._tempDataBuffer)


def _in_kernel(descriptor: int) -> int:
    # tcp(7): SIOCOUTQ, which has the number of TIOCOUTQ, counts what is not acknowledged yet.
    if not sys.platform.startswith("linux"):
        return 0
    try:
        octets = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))
    except OSError:
        return 0
    return int(struct.unpack("i", octets)[0])
