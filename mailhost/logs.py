"""One way to log for the three runtimes (server, worker, web): structlog beside `logging`.

A line is JSON, or aligned text for a reader at a terminal. Secrets and mail never reach it: values
under their names are replaced, octets are told by their number, and what a stranger says can
neither end a line nor steer a terminal.

Our own lines pass through structlog alone, since the hot paths write one for each message and
`logging` would cost several times as much; what libraries tell `logging` is made to look the same.
"""

import json
import logging.config
import sys
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import EventDict

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
        elif isinstance(value, str) and not value.isprintable():
            event[name] = "".join(map(_visible, value))
    return event


def _visible(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode()


class Stderr:
    """Where a structlog logger's finished lines go; `name` is the module that logs."""

    __slots__ = ("name",)

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        # One call that ends in a newline: standard error passes it on at once and in one piece.
        sys.stderr.write(f"{line}\n")

    debug = info = warning = error = critical = msg


def configure(settings: Mapping[str, Any]) -> None:
    """Django's LOGGING_CONFIG: called once when a process sets Django up."""
    is_json = settings["format"] == "json" or (
        settings["format"] == "auto" and not sys.stderr.isatty()
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    ending = _ending(is_json=is_json)
    structlog.configure(
        processors=[*shared, *ending],
        logger_factory=Stderr,
        wrapper_class=structlog.make_filtering_bound_logger(settings["level"]),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "line": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": [structlog.stdlib.ExtraAdder(), *shared],
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        *ending,
                    ],
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
                # A stranger's wrong Host is answered with 400, and is no error of ours.
                "django.security.DisallowedHost": {"level": "CRITICAL"},
            },
        }
    )


def _ending(*, is_json: bool) -> list[Any]:
    if is_json:
        return [structlog.processors.format_exc_info, _to_json]
    # Where rich is installed a traceback would come with all local variables, passwords among them.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]


# json.dumps makes an encoder for every line.
_encode = json.JSONEncoder(ensure_ascii=False, default=repr).encode


def _to_json(logger: object, method: str, event: EventDict) -> str:
    return _encode(event)
