"""How much of the machine's processors is idle, for what gives way to others."""

import os
from typing import NamedTuple

_HERTZ = os.sysconf("SC_CLK_TCK")


class Ticks(NamedTuple):
    """Clock ticks of all processors together since some moment: those without work, and all."""

    idle: int
    total: int

    def idle_since(self, before: "Ticks", worked: float = 0.0) -> float:
        """The share of the ticks since then that others left idle, where so many seconds of a
        processor were our own; 1.0 where nobody can tell.
        """
        total = self.total - before.total
        if total <= 0:
            return 1.0
        return (self.idle - before.idle + worked * _HERTZ) / total

    def seconds_since(self, before: "Ticks") -> float:
        """Seconds of all processors together since then."""
        return (self.total - before.total) / _HERTZ


def ticks() -> Ticks:
    """The ticks until now; where the system does not count them they never change."""
    try:
        with open("/proc/stat", "rb") as file:
            words = file.readline().split()
    except OSError:
        return Ticks(0, 0)
    # proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal. What follows is in these.
    counts = [int(word) for word in words[1:9]]
    return Ticks(sum(counts[3:5]), sum(counts))
