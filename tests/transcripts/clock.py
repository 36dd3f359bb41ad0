"""A clock that WAIT can move: `django.utils.timezone.now` runs ahead of the real one."""

from datetime import datetime, timedelta
from unittest import mock

from django.utils import timezone


class Clock:
    def __init__(self) -> None:
        self._ahead = timedelta()
        real = timezone.now

        def now() -> datetime:
            return real() + self._ahead

        self._patch = mock.patch("django.utils.timezone.now", now)
        self._patch.start()

    def advance(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)

    def stop(self) -> None:
        self._patch.stop()
