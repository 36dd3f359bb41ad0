"""The compressed streams of a connection (RFC 4978): raw deflate both ways.

Memory: what comes is inflated only as far as it is asked for, so no bomb goes off. What goes is
compressed by a compressor made anew after each flush: a raw deflate stream may go on with the
blocks of another, and an idle connection keeps none of its 256 KiB.
"""

import zlib

_LEVEL = 3


class BrokenStream(Exception):
    """What the peer sends is no deflate."""


class Deflate:
    """Both directions of one connection."""

    __slots__ = ("_compressor", "_inflater", "_is_full", "_waiting")

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._waiting = b""
        self._is_full = False
        self._compressor: zlib._Compress | None = None

    @property
    def has_more(self) -> bool:
        """Whether octets wait to be inflated."""
        return self._is_full or bool(self._waiting)

    def feed(self, octets: bytes) -> None:
        """Take octets from the peer."""
        self._waiting += octets

    def inflate(self, limit: int) -> bytes:
        """At most `limit` octets of what the peer said. Raises BrokenStream."""
        waiting, self._waiting = self._waiting, b""
        if waiting and self._inflater.eof:
            # RFC 4978 §3: the stream lasts as long as the connection.
            raise BrokenStream
        try:
            octets = self._inflater.decompress(waiting, limit)
        except zlib.error as error:
            raise BrokenStream from error
        # Who ends the stream is leaving, yet what stands before the end is meant.
        self._waiting = self._inflater.unconsumed_tail or self._inflater.unused_data
        # What did not fit may be held inside, with no input left.
        self._is_full = len(octets) == limit
        return octets

    def left_over(self) -> bytes:
        """What came and was not inflated, for whoever takes it as it is."""
        waiting, self._waiting = self._waiting, b""
        return waiting

    def deflate(self, octets: bytes, *, flush: bool) -> bytes:
        """Octets for the peer; `flush`: it can read all of them without waiting for more."""
        if self._compressor is None:
            self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = self._compressor.compress(octets)
        if flush:
            # Not a partial flush: readers that wait for whole octets would wait for ever.
            packed += self._compressor.flush(zlib.Z_SYNC_FLUSH)
            self._compressor = None
        return packed
