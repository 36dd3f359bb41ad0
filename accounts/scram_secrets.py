"""The SCRAM keys of a generated password as a column keeps them (RFC 5803 §2).

    SCRAM-SHA-256$4096:<salt>$<StoredKey>:<ServerKey>

Salt and keys are in base64.
"""

from base64 import b64decode, b64encode

from protocols.wire import sasl

_SCHEME = "SCRAM-SHA-256"


def make(password: str, salt: bytes, iterations: int) -> str:
    """The column of a password in ASCII."""
    key = sasl.make_key(0, password, salt, iterations)
    kept = f"{_text(key.stored_key)}:{_text(key.server_key)}"
    return f"{_SCHEME}${iterations}:{_text(salt)}${kept}"


def read(key_id: int, column: str) -> sasl.ScramKeys:
    """What `make` wrote; the key gets the id. Raises ValueError."""
    scheme, terms, keys = column.split("$")
    if scheme != _SCHEME:
        raise ValueError(f"no scheme of ours: {scheme}")
    iterations, _, salt = terms.partition(":")
    stored_key, _, server_key = keys.partition(":")
    key = sasl.ScramKey(key_id, b64decode(stored_key), b64decode(server_key))
    return sasl.ScramKeys(b64decode(salt), int(iterations), (key,))


def _text(octets: bytes) -> str:
    return b64encode(octets).decode()
