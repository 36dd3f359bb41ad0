"""Names in other scripts as the DNS has them: as A-labels (RFC 5890 §2.3.2.1)."""

import idna


def to_a_labels(domain: str) -> str:
    """The domain in lower case with A-labels; as it was where it has none."""
    domain = domain.lower().rstrip(".")
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return domain


def with_a_labels(address: str) -> str:
    """The address with its domain as A-labels; as it was where the domain is ASCII, or has none."""
    local, at, domain = address.rpartition("@")
    return address if domain.isascii() else local + at + to_a_labels(domain)
