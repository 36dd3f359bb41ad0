"""One way to log for the three runtimes (server, worker, web): structlog on top of `logging`.

A line is JSON, or aligned text for a reader at a terminal. Secrets and mail never reach it: values
under their names are replaced, and octets are told by their number.
"""

import logging.config
import sys
from collections.abc import Mapping
from typing import Any

import structlog

# Names whose values are nobody's to read.
SECRET = frozenset(
    {
        "authorization",
        "body",
        "cookie",
        "credentials",
        "hash",
        "octets",
        "passphrase",
        "password",
        "plain",
        "private_key",
        "secret",
        "secret_key",
        "token",
    }
)


def redact(logger: object, method: str, event: Any) -> Any:
    """A structlog processor: what is secret by name, or octets by type, is not told."""
    for name, value in event.items():
        if name.lower() in SECRET:
            event[name] = "(not logged)"
        elif isinstance(value, bytes | bytearray | memoryview):
            event[name] = f"({len(value)} octets)"
    return event


def configure(settings: Mapping[str, Any]) -> None:
    """Django's LOGGING_CONFIG: called once when a process sets Django up."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    is_json = settings["format"] == "json" or (
        settings["format"] == "auto" and not sys.stderr.isatty()
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "line": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": _ending(is_json=is_json),
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": settings["level"]},
            # The access log of every page and Celery's word on every task say nothing to act on.
            "loggers": {
                "django.server": {"level": "WARNING"},
                "celery.app.trace": {"level": "WARNING"},
                "celery.worker.strategy": {"level": "WARNING"},
                "celery.beat": {"level": "WARNING"},
            },
        }
    )


def _ending(*, is_json: bool) -> list[Any]:
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if is_json:
        traceback = structlog.processors.format_exc_info
        return [remove, traceback, structlog.processors.JSONRenderer(ensure_ascii=False)]
    return [remove, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
