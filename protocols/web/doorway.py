"""The first thing every request meets: who it really comes from, and whether it may come in clear.

A proxy in `MAILHOST_PROXY_NETWORKS` is believed about its client's address and scheme, and nobody
else is. Plain HTTP is for loopback, for what such a proxy passed on, and for scraping metrics;
everybody else is sent to the TLS port.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect

HTTPS_PORT = 443


class Doorway:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        peer = _note(request, request.META.get("REMOTE_ADDR", ""))
        is_proxied = _is_in(peer, settings.MAILHOST.proxy_networks)
        if is_proxied:
            _believe(request)
        if request.is_secure() or is_proxied or peer is None or peer.is_loopback:
            return self._get_response(request)
        if request.path == "/metrics" and _is_in(peer, settings.MAILHOST.metrics_networks):
            return self._get_response(request)
        return _to_tls(request)


def _believe(request: HttpRequest) -> None:
    """Take over what the proxy says; the last address of the list is the one it saw itself."""
    seen = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
    _note(request, seen)
    if request.META.get("HTTP_X_FORWARDED_PROTO", "").strip().lower() == "https":
        request.META["wsgi.url_scheme"] = "https"


def _to_tls(request: HttpRequest) -> HttpResponse:
    port = settings.MAILHOST.webs_port
    host = request.get_host().rpartition(":")[0] if _has_port(request) else request.get_host()
    where = host if port == HTTPS_PORT else f"{host}:{port}"
    return HttpResponsePermanentRedirect(f"https://{where}{request.get_full_path()}")


def _has_port(request: HttpRequest) -> bool:
    return request.get_host().rpartition(":")[2].isdecimal()


def _note(request: HttpRequest, text: str) -> IPv4Address | IPv6Address | None:
    """Make it the client's address, where it is one: an IPv4-mapped IPv6 address is read as IPv4.

    All of IPv4 would be one network else, to whoever counts by networks.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    request.META["REMOTE_ADDR"] = str(address)
    return address


def _is_in(
    peer: IPv4Address | IPv6Address | None, networks: Sequence[IPv4Network | IPv6Network]
) -> bool:
    return peer is not None and any(peer in network for network in networks)
