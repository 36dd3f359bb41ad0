"""How a peer gets on: whether it is silent, trickles, or does not read what waits for it.

Pure arithmetic: callers pass the time in (seconds, as the reactor counts them). No timer is started
and no object is made for an event.
"""

# RFC 1939 §3 lets nobody be idle for less than ten minutes.
LOGIN_TIMEOUT = 900.0
# Octet by octet a peer could be heard for ever: what it has begun to say must be complete, or be
# so many octets longer, within so many seconds. RFC 5321 §4.5.3.2.5 gives a block three minutes.
TRICKLE_TIMEOUT = 300.0
TRICKLE_SIZE = 64 * 1024
# Nor may it read so: it takes all that waits, or at least this much, in the stall timeout.
STALL_SIZE = 16 * 1024


class Pace:
    """One a connection, from its first moment on."""

    __slots__ = ("_begun", "_since", "_unsent", "heard_at", "paused_at")

    def __init__(self, now: float) -> None:
        self._since = now
        self.heard_at = now  # when the peer last got on
        self.paused_at: float | None = None  # since when it does not read
        self._begun = 0  # octets heard since we last said something
        self._unsent = 0  # octets that waited for it when it paused

    def hear(self, size: int, now: float) -> None:
        """It has said so many octets more."""
        if not self._begun or self._begun + size >= TRICKLE_SIZE:
            self.heard_at = now
            self._begun = 0
        self._begun += size

    def answer(self, now: float) -> None:
        """What it said was answered, so that it has to begin anew."""
        self.heard_at = now
        self._begun = 0

    def pause(self, unsent: int, now: float) -> None:
        """It does not read; so many octets wait for it."""
        self.paused_at = now
        self._unsent = unsent

    def resume(self, now: float) -> None:
        """It reads again."""
        self.paused_at = None
        self.heard_at = now

    def has_stalled(self, unsent: int, stall_timeout: float, now: float) -> bool:
        """Whether it has taken too little of what waits, for too long."""
        if self.paused_at is None:
            return False
        if unsent <= self._unsent - STALL_SIZE:
            self.pause(unsent, now)
            return False
        return now - self.paused_at > stall_timeout

    def is_kept_until(self, idle_timeout: float, *, must_log_in: bool) -> float:
        """Until when it is waited for while it says nothing, or nothing complete."""
        timeout = min(idle_timeout, TRICKLE_TIMEOUT) if self._begun else idle_timeout
        until = self.heard_at + timeout
        return min(until, self._since + LOGIN_TIMEOUT) if must_log_in else until
