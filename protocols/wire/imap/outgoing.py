"""What is still to go out: lines and large pieces in their order, from some point on compressed."""

from protocols.wire.conversation import Pieces

from .deflate import Deflate

# Octets compressed in one go, on the reactor's thread.
MAX_DEFLATED = 128 * 1024


class Outgoing:
    """A queue of octets that is taken out in pieces."""

    __slots__ = ("_deflate", "_pieces", "_plain", "octets")

    def __init__(self) -> None:
        # What waits, not compressed yet.
        self.octets = 0
        self._pieces: Pieces = []
        self._deflate: Deflate | None = None
        self._plain = b""  # What is still to go out as it is.

    def __bool__(self) -> bool:
        return bool(self._pieces or self._plain)

    def add(self, *pieces: bytes | memoryview) -> None:
        """Say these octets, which are whole lines or part of what others go on with."""
        self._pieces += pieces
        self.octets += sum(map(len, pieces))

    def compress(self, deflate: Deflate) -> None:
        """Compress what is added from now on (RFC 4978 §3)."""
        self._plain = b"".join(self._pieces)
        self._pieces.clear()
        self.octets = 0
        self._deflate = deflate

    def stop_compressing(self) -> None:
        """Leave what is added from now on as it is (RFC 8437).

        What waits still is compressed in one go: an answer begins when little waits before it.
        """
        if self._deflate is None:
            return
        packed = self._deflate.deflate(b"".join(self._pieces), flush=True)
        self._pieces = [self._plain + packed]
        self.octets = len(self._pieces[0])
        self._plain, self._deflate = b"", None

    def take(self, limit: int) -> Pieces:
        """At most `limit` octets to write next, none of the pieces empty."""
        if self._deflate is None:
            return self._take(limit)
        packed, self._plain = self._plain, b""
        while self._pieces and not packed:
            octets = b"".join(self._take(min(limit, MAX_DEFLATED)))
            packed = self._deflate.deflate(octets, flush=not self._pieces)
        return [packed] if packed else []

    def _take(self, limit: int) -> Pieces:
        pieces = self._pieces
        room = limit
        for count, piece in enumerate(pieces):
            if len(piece) > room:
                view = memoryview(piece)
                taken = [*pieces[:count], view[:room]] if room else pieces[:count]
                pieces[: count + 1] = [view[room:]]
                self.octets -= limit
                return taken
            room -= len(piece)
        self._pieces = []
        self.octets = 0
        return pieces
