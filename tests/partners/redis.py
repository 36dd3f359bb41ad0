"""A real Redis."""

from pathlib import Path

from tests.partners.daemon import Daemon, accepts
from tests.partners.presence import need, program


class Redis:
    """redis-server at `address`:6379 with append-only persistence in `directory`."""

    def __init__(self, directory: Path, address: str) -> None:
        need("redis-server")
        self.address = address
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self) -> None:
        server = program("redis-server")
        assert server
        self.daemon = Daemon(
            [
                server,
                *("--bind", self.address, "--port", "6379", "--dir", str(self.directory)),
                *("--appendonly", "yes", "--save", "", "--protected-mode", "no"),
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
