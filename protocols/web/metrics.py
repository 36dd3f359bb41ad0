"""`/metrics` in Prometheus' text format: this process's own counters and what the database holds.

It tells strangers nothing: only the networks in `MAILHOST_METRICS_NETWORKS` may read it.
"""

from collections.abc import Iterator
from ipaddress import ip_address

from django.conf import settings
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from accounts import figures
from protocols.web.health import missing_parts


class _Hosted(Collector):
    """Asked of the database at every scrape: there is one truth, whichever process answers."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(
            "mailhost_ready", "1 while nothing is missing.", value=not missing_parts()
        )
        try:
            counts = figures.hosted()
        except DatabaseError:
            return
        for name, value in counts.items():
            text = name.replace("_", " ").capitalize()
            yield GaugeMetricFamily(f"mailhost_{name}", f"{text} hosted here.", value=value)


_hosted = CollectorRegistry()
_hosted.register(_Hosted())


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    if not _may_read(request.META.get("REMOTE_ADDR", "")):
        raise Http404
    return HttpResponse(
        generate_latest(REGISTRY) + generate_latest(_hosted), content_type=CONTENT_TYPE_LATEST
    )


def _may_read(peer: str) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in settings.MAILHOST.metrics_networks)
