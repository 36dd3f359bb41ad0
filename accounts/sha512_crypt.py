"""SHA512-crypt ("$6$"), as glibc and Dovecot store it: U. Drepper, "Unix crypt using SHA-256 and
SHA-512", 2007. Only verified here, never made: the standard library's `crypt` is gone in 3.13.
"""

import hashlib

DEFAULT_ROUNDS = 5000
_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def sha512_crypt(password: bytes, setting: str) -> str:
    """The hash of `password` under `setting` ("$6$[rounds=N$]salt…"; what follows is ignored)."""
    parts = setting.split("$")
    has_rounds = parts[2].startswith("rounds=")
    rounds = int(parts[2].removeprefix("rounds=")) if has_rounds else DEFAULT_ROUNDS
    rounds = max(1000, min(rounds, 999_999_999))
    salt_text = (parts[3] if has_rounds else parts[2])[:16]
    digest = _stretch(password, salt_text.encode(), rounds)
    prefix = f"$6$rounds={rounds}$" if has_rounds else "$6$"
    return f"{prefix}{salt_text}${_encode(digest)}"


def _stretch(password: bytes, salt: bytes, rounds: int) -> bytes:
    # The numbers are those of the paper's steps 4 to 21.
    alternate = hashlib.sha512(password + salt + password).digest()  # 4–8
    first = password + salt + _repeat(alternate, len(password))  # 1–3, 9–10
    length = len(password)
    while length:  # 11
        first += alternate if length & 1 else password
        length >>= 1
    digest = hashlib.sha512(first).digest()  # 12
    p = _repeat(hashlib.sha512(password * len(password)).digest(), len(password))  # 13–16
    s = _repeat(hashlib.sha512(salt * (16 + digest[0])).digest(), len(salt))  # 17–20
    for turn in range(rounds):  # 21
        mixed = (p if turn & 1 else digest) + (s if turn % 3 else b"") + (p if turn % 7 else b"")
        digest = hashlib.sha512(mixed + (digest if turn & 1 else p)).digest()
    return digest


def _repeat(block: bytes, length: int) -> bytes:
    return (block * (length // len(block) + 1))[:length]


def _encode(digest: bytes) -> str:
    """The paper's own base64: three octets at a time in a rotating order, lowest bits first."""
    out: list[str] = []
    for row in range(21):
        trio = [row, row + 21, row + 42]
        turned = trio[row % 3 :] + trio[: row % 3]
        out.append(_four(int.from_bytes(bytes(digest[at] for at in turned), "big"), 4))
    out.append(_four(digest[63], 2))
    return "".join(out)


def _four(value: int, count: int) -> str:
    return "".join(_ALPHABET[value >> (6 * place) & 63] for place in range(count))
