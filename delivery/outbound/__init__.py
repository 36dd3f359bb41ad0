"""Mail on its way out: what is due is claimed, carried, settled, and reported where it failed."""

import threading
import time

from django.conf import settings

from delivery.outbound.draining import STOP_PATIENCE, Drain
from delivery.transport.loop import Setting
from delivery.transport.mx import Routing

__all__ = ["Drain", "drain", "last_turn", "setting", "stop"]

_lock = threading.Lock()
_drain: Drain | None = None
_is_stopped = False


def drain() -> bool:
    """Send what is due until nothing is; False where this process is already at it, or stopping."""
    made = _get_drain()
    return made is not None and made.run()


def stop(patience: float = STOP_PATIENCE) -> None:
    """Take no new work; finish or release what is under way within `patience` seconds."""
    global _is_stopped
    with _lock:
        _is_stopped = True
        made = _drain
    if made is not None:
        made.stop(patience)


def last_turn() -> float:
    """When, on the monotonic clock, sending last went round; now, while there is nothing to do."""
    return _drain.last_turn if _drain is not None else time.monotonic()


def setting() -> Setting:
    """What the configuration says about carrying mail."""
    config = settings.MAILHOST
    return Setting(
        Routing(
            hostname=config.hostname,
            port=config.outbound_port,
            allowed_networks=tuple(config.outbound_allow_nets),
            own_address=config.bind,
            own_port=config.smtp_port,
            relay=config.relayhost,
            source_address=config.outbound_bind,
        ),
        dns_servers=tuple(config.dns_servers),
        trust_ad=config.dns_trust_ad,
    )


def _get_drain() -> Drain | None:
    global _drain
    with _lock:
        if _is_stopped:
            return None
        if _drain is None:
            _drain = Drain(setting(), retry_schedule=settings.MAILHOST.retry_schedule)
        return _drain
