"""What TLS a peer must offer, and the context to speak it with.

Opportunistic only (RFC 7435): used where offered, never verified, and a failure falls back to clear
text, because an unverified connection that fails protects nobody by not delivering.
"""

import ssl
from functools import cache


@cache
def opportunistic_context() -> ssl.SSLContext:
    """TLS 1.2 or later without verification, shared by all connections."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Old servers have short keys. Refusing them would mean clear text, which is weaker still.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def describe(connection: ssl.SSLObject | ssl.SSLSocket | None) -> str:
    """`TLSv1.3 TLS_AES_256_GCM_SHA384`, or "" in clear text."""
    cipher = connection.cipher() if connection is not None else None
    version = connection.version() if connection is not None else None
    return f"{version} {cipher[0]}" if cipher and version else ""
