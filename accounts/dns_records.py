"""The DNS records a domain needs, as they are to be typed in at its registrar."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    name: str
    type: str
    value: str
    purpose: str


# RFC 6186 §3 and RFC 8314 §5.1: how mail programs find their servers.
_SERVICES = (("_submissions", "submissions"), ("_imaps", "imaps"), ("_pop3s", "pop3s"))


def records_for(
    domain: str, hostname: str, ports: dict[str, int], dkim_keys: list[tuple[str, str, str]]
) -> list[Record]:
    """`ports` by service (submissions, imaps, pop3s); a key is selector, algorithm, public key."""
    host = f"{hostname}."
    records = [
        Record(f"{domain}.", "MX", f"10 {host}", "mail for the domain comes here"),
        Record(f"{domain}.", "TXT", "v=spf1 mx -all", "only this host sends for the domain"),
    ]
    records += [
        Record(f"{service}._tcp.{domain}.", "SRV", f"0 1 {ports[port]} {host}", "for mail programs")
        for service, port in _SERVICES
    ]
    for selector, algorithm, public_key in dkim_keys:
        kind = "ed25519" if algorithm.startswith("ed25519") else "rsa"
        value = f"v=DKIM1; k={kind}; p={public_key}"
        name = f"{selector}._domainkey.{domain}."
        records.append(Record(name, "TXT", value, "the key that signs for the domain"))
    return records
