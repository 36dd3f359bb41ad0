"""How much of the machine's processors is idle, for what gives way to others."""

from typing import NamedTuple


class Ticks(NamedTuple):
    """Clock ticks of all processors together since some moment: those without work, and all."""

    idle: int
    total: int

    def idle_since(self, before: "Ticks") -> float:
        """The share of the ticks since then that were idle; 1.0 where nobody can tell."""
        total = self.total - before.total
        return (self.idle - before.idle) / total if total > 0 else 1.0


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
