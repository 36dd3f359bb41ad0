"""What ties a login to its TLS connection: channel bindings of RFC 9266 and RFC 5929.

`tls-exporter` exists for TLS 1.3 alone: before that it is only safe where the master secret was
extended (RFC 9266 §4.2), which OpenSSL does not tell us. `tls-unique` is left out for the same
reason. Call it on the thread that runs TLS.
"""

from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate
from OpenSSL import SSL

# RFC 9266 §2.
_LABEL, _SIZE = b"EXPORTER-Channel-Binding", 32
# RFC 5929 §4.1: SHA-256 stands in for these.
_OLD = (hashes.MD5, hashes.SHA1)


def of(connection: SSL.Connection) -> Mapping[str, bytes]:
    """The bindings of a connection whose handshake is complete, by their registered names."""
    found: dict[str, bytes] = {}
    if connection.get_protocol_version() >= SSL.TLS1_3_VERSION:
        found["tls-exporter"] = connection.export_keying_material(_LABEL, _SIZE, b"")
    certificate = connection.get_certificate(as_cryptography=True)
    if certificate is not None and (digest := end_point(certificate)):
        found["tls-server-end-point"] = digest
    return found


def end_point(certificate: Certificate) -> bytes | None:
    """A certificate's hash, by the function that signed it; None where there is none (Ed25519)."""
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None:
        return None
    digest = hashes.Hash(hashes.SHA256() if isinstance(algorithm, _OLD) else algorithm)
    digest.update(certificate.public_bytes(Encoding.DER))
    return digest.finalize()
