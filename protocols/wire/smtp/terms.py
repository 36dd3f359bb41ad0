"""What an SMTP listener offers its clients."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Terms:
    """`max_size` is in octets."""

    max_size: int
    is_submission: bool = False
    has_starttls: bool = True
    # Without it, AUTH is offered only inside TLS (RFC 8314 §3).
    allows_clear_login: bool = False
    offers_scram: bool = False
    max_recipients: int = 1000
