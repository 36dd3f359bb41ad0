"""Routes kept in memory, so that most recipients cost no query.

Only what was found is kept (local and forward); a new address therefore works at once. A route
dies with the directory's version. One that leads to a mailbox with a quota is trusted for a
second, and not at all when the mailbox is nearly full.
"""

import time
from typing import NamedTuple, Protocol

from accounts.directory import version
from accounts.directory.names import fold_domain, fold_local
from accounts.directory.resolving import resolve_rows
from accounts.directory.routes import Route
from accounts.models import Domain

CAPACITY = 50_000
QUOTA_SECONDS = 1.0
NEARLY_FULL = 256 << 20


class AddressLike(Protocol):
    """A recipient as the wire gives it: `domain` is empty in `<postmaster>`."""

    @property
    def local(self) -> str: ...

    @property
    def domain(self) -> str: ...


class _Kept(NamedTuple):
    route: Route
    token: int
    good_until: float


_kept: dict[tuple[str, str], _Kept] = {}


def resolve(address: AddressLike, *, even_full: bool = False) -> Route:
    """Where mail for `address` goes. At most a few queries, none when the answer is known.

    `even_full` is for what nobody would send again: it goes to a full mailbox too.
    """
    key = fold_local(address.local), fold_domain(address.domain)
    token = version.current()
    if (route := _recall(key, token)) is not None:
        return route
    route, headroom = resolve_rows(*key, even_full=even_full)
    if route.kind in ("local", "forward") and (headroom is None or headroom >= NEARLY_FULL):
        if len(_kept) >= CAPACITY:
            _kept.clear()
        lasts = float("inf") if headroom is None else time.monotonic() + QUOTA_SECONDS
        _kept[key] = _Kept(route, token, lasts)
    return route


def cached(local: str, domain: str) -> Route | None:
    """The route if it is known and fresh, without touching the database; else None."""
    token = version.trusted()
    return None if token is None else _recall((fold_local(local), fold_domain(domain)), token)


def is_local_domain(name: str) -> bool:
    """Whether mail for the domain is ours to take (a suspended domain is still ours)."""
    return Domain.objects.filter(name=fold_domain(name)).exists()


def _recall(key: tuple[str, str], token: int) -> Route | None:
    kept = _kept.get(key)
    if kept is None or kept.token != token or time.monotonic() >= kept.good_until:
        return None
    return kept.route
