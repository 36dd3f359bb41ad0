"""How quickly mail is coming in, for the tailer of the search index: it works when that pauses.

Messages are numbered as they come in, all of the database together, so the highest key tells what
came since the last look; it stands at the end of an index.
"""

import time

from accounts.models import Message

# Messages a second: who brings more feels what else the processors do.
MANY = 100
# Seconds: between two looks that tell a rate, and from the last look that told of many.
SPAN = 0.5
QUIET = 1.0
# Seconds. On PostgreSQL a lower key may appear after a higher one, and flags change without mail.
LOOK_AGAIN = 10.0


class Intake:
    """What was seen by the looks so far."""

    def __init__(self) -> None:
        self._highest = 0
        self._at = -LOOK_AGAIN
        self._busy_until = 0.0
        # The highest key and the time when all there was had been worked through.
        self._done = 0, -LOOK_AGAIN

    def look(self) -> int:
        """See what came; the highest key there is."""
        highest = Message.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        now = time.monotonic()
        if (since := now - self._at) >= SPAN:
            # What came while nobody looked came at no rate that is known.
            if since < LOOK_AGAIN and highest - self._highest > MANY * since:
                self._busy_until = now + QUIET
            self._highest, self._at = highest, now
        return highest

    @property
    def is_busy(self) -> bool:
        """Whether much was coming in a moment ago, as far as the last look told."""
        return time.monotonic() < self._busy_until

    def is_done(self, highest: int) -> bool:
        """Whether all was worked through when this was the highest key, a moment ago."""
        key, at = self._done
        return key == highest and time.monotonic() - at < LOOK_AGAIN

    def done(self, highest: int) -> None:
        """All that came up to this key is worked through."""
        self._done = highest, time.monotonic()
