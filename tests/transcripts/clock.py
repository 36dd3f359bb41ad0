"""A clock that WAIT can move: of rows and of maildrops' locks; it runs ahead of the real."""

from datetime import datetime, timedelta
from unittest import mock

from django.utils import timezone

from accounts import maildrop_table


class Clock:
    def __init__(self) -> None:
        self._ahead = timedelta()
        real, real_nanoseconds = timezone.now, maildrop_table.now

        def now() -> datetime:
            return real() + self._ahead

        def nanoseconds() -> int:
            return real_nanoseconds() + int(self._ahead.total_seconds() * 1e9)

        self._patches = (
            mock.patch("django.utils.timezone.now", now),
            mock.patch("accounts.maildrop_table.now", nanoseconds),
            mock.patch("accounts.clock.now", now),
        )
        for patch in self._patches:
            patch.start()

    def advance(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)

    def stop(self) -> None:
        for patch in self._patches:
            patch.stop()
