"""Folder names in modified UTF-7 (RFC 3501 §5.1.3), strict both ways.

`decode` takes only what `encode` writes, so that a name has one form on the wire and `decode` and
`encode` undo each other.
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

_PLAIN = re.compile(rb"[\x20-\x25\x27-\x7e]*")
_SHIFTED = re.compile(r"[^\x20-\x7e]+")
_RUN = re.compile(rb"&([A-Za-z0-9+,]*+)-")


class NotModifiedUtf7(ValueError):
    """The octets are not a name in modified UTF-7."""


def encode(name: str) -> bytes:
    """The name on the wire. Raises UnicodeEncodeError for lone surrogates."""
    if name.isascii() and name.isprintable() and "&" not in name:
        return name.encode("ascii")
    return _SHIFTED.sub(_shift, name.replace("&", "&-")).encode("ascii")


def decode(octets: bytes) -> str:
    """The name the octets write. Raises NotModifiedUtf7."""
    if _PLAIN.fullmatch(octets):
        return octets.decode("ascii")
    pieces: list[str] = []
    position = 0
    after_run = False
    while position < len(octets):
        if octets[position] == 0x26:
            run = _RUN.match(octets, position)
            # Two runs side by side would be one run that was cut: a second form of the name.
            if run is None or (after_run and run[1]):
                raise NotModifiedUtf7
            pieces.append(_unshift(run[1]) if run[1] else "&")
            after_run = bool(run[1])
            position = run.end()
            continue
        plain = _PLAIN.match(octets, position)
        if plain is None or plain.end() == position:
            raise NotModifiedUtf7
        pieces.append(plain[0].decode("ascii"))
        after_run = False
        position = plain.end()
    return "".join(pieces)


def _shift(run: re.Match[str]) -> str:
    base64 = b2a_base64(run[0].encode("utf-16-be"), newline=False)
    return "&" + base64.rstrip(b"=").replace(b"/", b",").decode("ascii") + "-"


def _unshift(run: bytes) -> str:
    base64 = run.replace(b",", b"/")
    try:
        text = a2b_base64(base64 + b"=" * (-len(base64) % 4)).decode("utf-16-be")
    except (Base64Error, UnicodeDecodeError) as error:
        raise NotModifiedUtf7 from error
    # Printable ASCII must stand for itself, and the last sextet must be padded with zero bits:
    # encoding again catches both.
    if _SHIFTED.fullmatch(text) is None or _SHIFTED.sub(_shift, text) != f"&{run.decode('ascii')}-":
        raise NotModifiedUtf7
    return text
