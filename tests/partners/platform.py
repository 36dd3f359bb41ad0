"""A pytest plug-in: what the suite stands on, chosen before Django reads its settings.

`MAILHOST_TEST_PLATFORM=embedded` (default) is SQLite and the bundled Redis-compatible server;
`scaled` is PostgreSQL and Redis, started here once for all workers of a run.
"""

import atexit
import itertools
import logging
import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from tests.partners.redis import DATABASES, DATABASES_OF_A_WORKER

PLATFORM = os.environ.get("MAILHOST_TEST_PLATFORM", "embedded")
_TEST_ENVIRONMENT = {
    "MAILHOST_SECRET_KEY": "test key, of no use to anybody",
    "MAILHOST_HOSTNAME": "mx.example.test",
    "MAILHOST_OUTBOUND_ALLOW_NETS": "127.0.0.0/8",
    "MAILHOST_ALLOW_PLAINTEXT_LOOPBACK": "1",
    "MAILHOST_OFFER_SCRAM": "1",
}


def _prepare() -> None:
    home = Path(tempfile.mkdtemp(prefix="mailhost-"))
    # Another run of pytest would close its common directory to our daemons that give root up.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(home))
    owner = os.getpid()
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(home, ignore_errors=True))
    for name in [n for n in os.environ if n.startswith("MAILHOST_") and n not in _KEPT]:
        del os.environ[name]
    os.environ.update(_TEST_ENVIRONMENT, MAILHOST_HOME=str(home / "home"))
    if PLATFORM == "scaled":
        if "MAILHOST_TEST_POSTGRES" not in os.environ:
            _start_servers()
        os.environ["MAILHOST_DATABASE_URL"] = os.environ["MAILHOST_TEST_POSTGRES"]
        os.environ["MAILHOST_REDIS_URL"] = _redis_url(0)


_KEPT = {
    "MAILHOST_PROOF",
    "MAILHOST_PROOF_BULK",
    "MAILHOST_PROOF_KILLS",
    "MAILHOST_PROOF_SECONDS",
    "MAILHOST_PROOF_SEED",
    "MAILHOST_PROOF_MESSAGES",
    "MAILHOST_PROOF_VERB_KILLS",
    "MAILHOST_TEST_PLATFORM",
    "MAILHOST_TEST_BUNDLED",
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
    # No test pulls the plug, as on SQLite; the proofs measure with a disk that is waited for.
    is_proof = "MAILHOST_PROOF" in os.environ
    postgres = Postgres(directory / "postgres", address, outlives_power=is_proof)
    redis = Redis(directory / "redis", address)
    os.environ["MAILHOST_TEST_POSTGRES"] = postgres.url
    os.environ["MAILHOST_TEST_REDIS"] = redis.url

    def stop() -> None:
        # pytest has closed what threads that now miss their server would log to.
        logging.raiseExceptions = False
        redis.stop()
        postgres.stop()
        shutil.rmtree(directory, ignore_errors=True)

    atexit.register(stop)


def scaled_settings(name: str, template: str = "template1") -> dict[str, str]:
    """Settings for an instance with a PostgreSQL database of its own; empty when embedded."""
    if PLATFORM != "scaled":
        return {}
    import psycopg

    url = urlsplit(os.environ["MAILHOST_TEST_POSTGRES"])
    with psycopg.connect(url.geturl(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return {
        "MAILHOST_DATABASE_URL": url._replace(path=f"/{name}").geturl(),
        "MAILHOST_REDIS_URL": _redis_url(next(_instances)),
    }


_instances = itertools.count(1)


def _redis_url(number: int) -> str:
    """A Redis database of this worker's own: its tests have the first, its instances the others."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = worker * DATABASES_OF_A_WORKER + number % DATABASES_OF_A_WORKER
    return os.environ["MAILHOST_TEST_REDIS"].removesuffix("/0") + f"/{own % DATABASES}"


_prepare()
