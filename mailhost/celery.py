"""The Celery app: it wakes workers and runs what is periodic; the database stays the truth.

Losing the broker loses nothing: workers look at the queue by themselves (`mailhost.worker`,
docs/decisions/0002).
"""

import os
import signal
from typing import Any

import celery.beat
from celery import Celery, bootsteps, signals

from protocols.servers.hang_up import answer_to_hang_up

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailhost.settings")

# `-B`: beat is a thread of the worker. The process that Celery would fork outlives a worker that
# is killed, and another one comes with every restart.
setattr(celery.beat, "_Process", None)  # noqa: B010 the stubs do not know it

# Looking at the queue is not among it: every worker does so by itself.
SCHEDULE = {
    "purge-queue": {"task": "delivery.purge_queue", "schedule": 3600.0},
    "forget-deleted-mail": {"task": "accounts.forget_deleted_mail", "schedule": 3600.0},
    "index-mail": {"task": "accounts.index_mail", "schedule": 2.0},
    "settle-flags": {"task": "accounts.settle_flags", "schedule": 5.0},
    "purge-mailboxes": {"task": "accounts.purge_mailboxes", "schedule": 3600.0},
    "prune-changes": {"task": "accounts.prune_changes", "schedule": 86400.0},
    "forget-expired-sessions": {"task": "accounts.forget_expired_sessions", "schedule": 86400.0},
    "collect-garbage": {"task": "accounts.collect_garbage", "schedule": 86400.0},
}


def _configuration() -> dict[str, Any]:
    """Read late: the settings import this package."""
    from django.conf import settings

    from mailhost.home import short_path

    run = settings.HOME / "run"
    embedded = f"redis+socket://{short_path(run / 'valkey.sock')}"
    return {
        "broker_url": settings.MAILHOST.redis_url or embedded,
        # A worker waits for its broker for ever; whoever sends a nudge gives up at once.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            "socket_connect_timeout": 1,
            "socket_timeout": 5,
            "max_retries": 0,
            "interval_start": 0,
        },
        "task_publish_retry": False,
        "task_ignore_result": True,
        "task_default_queue": "mailhost",
        "worker_concurrency": 4,
        "worker_prefetch_multiplier": 1,
        "worker_send_task_events": False,
        "beat_schedule": SCHEDULE,
        "beat_scheduler": "mailhost.beat:Scheduler",
        # A stop waits for beat to wake up.
        "beat_max_loop_interval": 1,
        "beat_schedule_filename": str(run / "beat-schedule"),
        "timezone": "UTC",
    }


app = Celery("mailhost")
app.add_defaults(_configuration)
app.autodiscover_tasks()


class HangUp(bootsteps.StartStopStep):
    """Celery would answer SIGHUP by starting itself anew, which does not work, or die of it."""

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        # Celery sets its handlers between this and `start`.
        self._answer = answer_to_hang_up(lambda *_: signal.raise_signal(signal.SIGTERM))

    def start(self, parent: Any) -> None:
        signal.signal(signal.SIGHUP, self._answer)


app.steps["worker"].add(HangUp)


@signals.setup_logging.connect
def _keep_our_logging(**_: Any) -> None:
    """Django has set logging up; a receiver here keeps Celery from doing it again."""


@signals.worker_init.connect
def _begin(**_: Any) -> None:
    from mailhost import worker

    # Not at worker_ready: that comes only once there is a broker.
    worker.begin()


@signals.worker_shutting_down.connect
def _begin_to_end(**_: Any) -> None:
    from mailhost import worker

    worker.begin_to_end()


@signals.worker_shutdown.connect
def _end(**_: Any) -> None:
    from mailhost import worker

    worker.end()
