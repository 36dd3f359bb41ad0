"""A supervisor with three children that do nothing, run as a program of its own by the tests.

python -m tests.wiring.small_house HOME [slow|broken]
"""

import signal
import sys
import time
from pathlib import Path
from types import FrameType

from mailhost.supervisor import Program, Supervisor


def child(name: str, home: Path) -> None:
    """Stay until SIGTERM; a slow house's worker ignores it, a broken one's ends at once."""
    if name == "broken":
        sys.exit(3)

    def stop(number: int, frame: FrameType | None) -> None:
        if name != "slow":
            with (home / "order").open("a") as order:
                order.write(f"{name} ")
            sys.exit()

    signal.signal(signal.SIGTERM, stop)
    print("up", flush=True)
    time.sleep(600)


def program(name: str, home: Path, role: str = "", **options: object) -> Program:
    command = [sys.executable, "-m", __spec__.name, "child", role or name, str(home)]
    return Program(name, command, **options)


def main() -> None:
    if sys.argv[1] == "child":
        child(sys.argv[2], Path(sys.argv[3]))
        return
    home = Path(sys.argv[1])
    role = sys.argv[2] if len(sys.argv) > 2 else ""
    programs = [
        program("server", home),
        # Only who is not going to stop is not waited for.
        program("worker", home, role, stop_seconds=0.5 if role == "slow" else 20.0),
        program("redis", home, is_foundation=True, is_quiet=True),
    ]
    Supervisor(programs, home, Path.cwd()).run(
        is_ready=lambda: True, when_ready=lambda: print("all is well", flush=True)
    )
    print("the end", flush=True)


if __name__ == "__main__":
    main()
