"""A pytest plug-in: what the suite stands on, chosen before Django reads its settings.

`MAILHOST_TEST_PLATFORM=embedded` (default) is SQLite and the bundled Redis-compatible server;
`scaled` is PostgreSQL and Redis, started here once for all workers of a run.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

PLATFORM = os.environ.get("MAILHOST_TEST_PLATFORM", "embedded")
_TEST_ENVIRONMENT = {
    "MAILHOST_SECRET_KEY": "test key, of no use to anybody",
    "MAILHOST_HOSTNAME": "mx.example.test",
    "MAILHOST_OUTBOUND_ALLOW_NETS": "127.0.0.0/8",
    "MAILHOST_ALLOW_PLAINTEXT_LOOPBACK": "1",
}


def _prepare() -> None:
    home = Path(tempfile.mkdtemp(prefix="mailhost-test-"))
    owner = os.getpid()
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(home, ignore_errors=True))
    for name in [n for n in os.environ if n.startswith("MAILHOST_") and n not in _KEPT]:
        del os.environ[name]
    os.environ.update(_TEST_ENVIRONMENT, MAILHOST_HOME=str(home / "home"))
    if PLATFORM == "scaled":
        if "MAILHOST_TEST_POSTGRES" not in os.environ:
            _start_servers()
        os.environ["MAILHOST_DATABASE_URL"] = os.environ["MAILHOST_TEST_POSTGRES"]
        os.environ["MAILHOST_REDIS_URL"] = os.environ["MAILHOST_TEST_REDIS"]


_KEPT = {
    "MAILHOST_TEST_PLATFORM",
    "MAILHOST_TEST_DATA",
    "MAILHOST_TEST_POSTGRES",
    "MAILHOST_TEST_REDIS",
    "MAILHOST_REQUIRE_PARTNERS",
}


def _start_servers() -> None:
    from tests.partners.postgres import Postgres
    from tests.partners.redis import Redis

    directory = Path(tempfile.mkdtemp(prefix="mailhost-servers-"))
    address = f"127.{100 + os.getpid() % 100}.{os.getpid() // 100 % 250}.1"
    postgres = Postgres(directory / "postgres", address)
    redis = Redis(directory / "redis", address)
    os.environ["MAILHOST_TEST_POSTGRES"] = postgres.url
    os.environ["MAILHOST_TEST_REDIS"] = redis.url

    def stop() -> None:
        redis.stop()
        postgres.stop()
        shutil.rmtree(directory, ignore_errors=True)

    atexit.register(stop)


def scaled_settings(name: str) -> dict[str, str]:
    """Settings for an instance with a PostgreSQL database of its own; empty when embedded."""
    if PLATFORM != "scaled":
        return {}
    import psycopg

    url = urlsplit(os.environ["MAILHOST_TEST_POSTGRES"])
    with psycopg.connect(url.geturl(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
    return {
        "MAILHOST_DATABASE_URL": url._replace(path=f"/{name}").geturl(),
        "MAILHOST_REDIS_URL": os.environ["MAILHOST_TEST_REDIS"].removesuffix("/0")
        + f"/{1 + _next_redis()}",
    }


_redis_databases = 0


def _next_redis() -> int:
    global _redis_databases
    _redis_databases = (_redis_databases + 1) % 14
    return _redis_databases


_prepare()
