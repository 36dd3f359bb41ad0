"""A real Knot DNS that serves the zones of a test."""

from collections.abc import Mapping
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from tests.partners.daemon import Daemon
from tests.partners.presence import need, program

PORT = 5353


class NameServer:
    """Authoritative for the given zones at `address`:5353; every other name is refused.

    `zones` maps a domain to the records below its SOA and NS, in zone file syntax. Knot and not
    BIND: BIND binds only addresses that an interface lists, which needs root for most of 127/8.
    """

    def __init__(self, directory: Path, address: str, zones: Mapping[str, str]) -> None:
        need("knotd")
        self.address = address
        directory.mkdir(parents=True, exist_ok=True)
        stanzas = []
        for name, records in zones.items():
            (directory / f"{name}.zone").write_text(
                f"$ORIGIN {name}.\n$TTL 5\n"
                f"@ IN SOA ns.{name}. hostmaster.{name}. 1 60 60 3600 5\n"
                f"@ IN NS ns.{name}.\nns IN A {address}\n{records.strip()}\n"
            )
            stanzas.append(f"  - domain: {name}\n    file: {directory}/{name}.zone\n")
        (directory / "knot.conf").write_text(
            f"server:\n  rundir: {directory}\n  listen: {address}@{PORT}\n"
            "  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n"
            "log:\n  - target: stderr\n    any: info\n"
            f"database:\n  storage: {directory}/db\n  journal-db-max-size: 10M\n"
            "template:\n  - id: default\n    journal-content: none\n"
            "zone:\n" + "".join(stanzas)
        )
        knotd = program("knotd")
        assert knotd
        self.daemon = Daemon([knotd, "-c", str(directory / "knot.conf")], directory / "knot.log")
        self.daemon.wait_for(lambda: all(map(self._serves, zones)), "Knot")

    def _serves(self, zone: str) -> bool:
        """Whether the zone is loaded: Knot listens before that."""
        question = dns.message.make_query(zone, "SOA")
        try:
            return bool(dns.query.tcp(question, self.address, timeout=1, port=PORT).answer)
        except (OSError, EOFError, dns.exception.DNSException):
            return False

    @property
    def server(self) -> str:
        """As `MAILHOST_DNS_SERVERS` wants it."""
        return f"{self.address}:{PORT}"

    def stop(self) -> None:
        self.daemon.stop()
