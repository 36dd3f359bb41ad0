"""Write one header field in ASCII, in lines of a length that every relay takes.

Names and texts become encoded words (RFC 2047), parameters become RFC 2231, domains become
A-labels. What ASCII cannot say at all (a local part in UTF-8) shows "?" in its place.
"""

import binascii
import re
from contextlib import suppress
from itertools import groupby

import idna

from protocols.wire.message.address import ADDRESS_OCTETS, Address, parse_addresses
from protocols.wire.message.charset import decode_text
from protocols.wire.message.content import Params, parse_content_type, parse_disposition
from protocols.wire.message.decode import decode_header
from protocols.wire.message.header import Field, unfold

# RFC 5322 §2.1.1, the line end not counted.
LINE_LIMIT = 998

# Octets that must not travel: 8-bit ones, NUL, and the rest of what a field may not hold.
TO_ASCII = bytes(0x20 if octet == 0 else octet if octet < 128 else 0x3F for octet in range(256))
ADDRESS_FIELDS = frozenset(
    prefix + name
    for prefix in (b"", b"resent-")
    for name in (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc")
) | {b"return-path", b"disposition-notification-to", b"mail-followup-to", b"mail-reply-to"}

_WORD = re.compile(rb"[^ \t]++")
_SAFE_PHRASE = re.compile(rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~. -]++")
_DOT_ATOM = re.compile(rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++)*+")
_TOKEN = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`{|}~-]++")
_PERCENT_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_~")
# RFC 2047 §2: an encoded word has at most 75 characters; 45 octets make 60 of base64.
_WORD_OCTETS = 45
_SECTION_OCTETS = 20
_DOMAIN_LIMIT = 253
_ADDRESS_LIMIT = ADDRESS_OCTETS


def downgrade_field(raw: bytes, field: Field) -> bytes:
    """The whole field, `raw` being the field as received with its line end."""
    if raw.isascii() and b"\0" not in raw and b"\r" not in raw.replace(b"\r\n", b""):
        return fold(raw)
    name = raw.partition(b":")[0].rstrip()
    value = unfold(field.value)
    if field.name == b"content-type" and (content := parse_content_type(value)):
        media_type = content.type + b"/" + content.subtype
        text = media_type.translate(TO_ASCII) + _params(content.params)
    elif field.name == b"content-disposition" and (parsed := parse_disposition(value)):
        text = parsed[0].translate(TO_ASCII) + _params(parsed[1])
    elif field.name in ADDRESS_FIELDS and len(value) <= ADDRESS_OCTETS:
        text = _addresses(parse_addresses(value, _ADDRESS_LIMIT))
    else:
        text = _unstructured(value)
    return fold(name + b": " + text.translate(TO_ASCII) + b"\r\n")


def fold(raw: bytes) -> bytes:
    """The field with lines longer than LINE_LIMIT folded, at white space where there is any."""
    if len(raw) <= LINE_LIMIT:
        return raw
    return b"\n".join(
        line if len(line) <= LINE_LIMIT else _fold_line(line) for line in raw.split(b"\n")
    )


def _fold_line(line: bytes) -> bytes:
    end = b"\r" if line.endswith(b"\r") else b""
    line = line.removesuffix(b"\r")
    pieces: list[bytes] = []
    at = 0
    # A continuation line must hold more than white space, so a break needs text before it.
    while len(line) - at > LINE_LIMIT - 1:
        stop = at + LINE_LIMIT - 1
        cut = max(line.rfind(b" ", at + 1, stop), line.rfind(b"\t", at + 1, stop))
        if cut < 0 or not line[at:cut].strip():
            cut = max(line.rfind(b";", at + 1, stop), line.rfind(b",", at + 1, stop)) + 1 or stop
        pieces.append(line[at:cut])
        at = cut + 1 if line[cut : cut + 1] in (b" ", b"\t") else cut
    pieces.append(line[at:])
    return b"\r\n ".join(pieces) + end


def encode_words(text: str) -> bytes:
    """`text` as encoded words, one a line when there are several."""
    words: list[bytes] = []
    chunk = b""
    for character in text:
        octets = character.encode("utf-8", "replace")
        if len(chunk) + len(octets) > _WORD_OCTETS:
            words.append(chunk)
            chunk = b""
        chunk += octets
    words.append(chunk)
    return b"\r\n ".join(
        b"=?utf-8?b?%b?=" % binascii.b2a_base64(word, newline=False) for word in words
    )


def _unstructured(value: bytes) -> bytes:
    """Runs of 8-bit words as encoded words; white space is written as one space."""
    runs = [
        (is_ascii, list(words)) for is_ascii, words in groupby(value.split(), key=bytes.isascii)
    ]
    pieces: list[bytes] = []
    for index, (is_ascii, words) in enumerate(runs):
        text = b" ".join(words)
        if not is_ascii:
            # White space between two encoded words is not shown (RFC 2047 §6.2), so where one
            # stands next to the run, the space goes into the run.
            if index and runs[index - 1][1][-1].endswith(b"?="):
                text = b" " + text
            if index + 1 < len(runs) and runs[index + 1][1][0].startswith(b"=?"):
                text += b" "
            text = encode_words(decode_text(text))
        pieces.append(text)
    return b" ".join(pieces)


def _params(params: Params) -> bytes:
    return b"".join(b";\r\n\t" + _param(name, value) for name, value in params)


def _param(name: bytes, value: bytes) -> bytes:
    is_boundary = name.lower() == b"boundary"
    name = name.translate(TO_ASCII)
    if is_boundary or value.isascii() or b"*" in name:
        value = value.translate(TO_ASCII)
        if _TOKEN.fullmatch(value):
            return name + b"=" + value
        return name + b"=" + _quoted(value)
    octets = decode_text(value).encode("utf-8", "replace")
    sections = [
        b"".join(
            b"%c" % octet if octet in _PERCENT_SAFE else b"%%%02X" % octet
            for octet in octets[at : at + _SECTION_OCTETS]
        )
        for at in range(0, len(octets), _SECTION_OCTETS)
    ]
    sections[0] = b"utf-8''" + sections[0]
    if len(sections) == 1:
        return name + b"*=" + sections[0]
    return b";\r\n\t".join(
        b"%b*%d*=%b" % (name, number, section) for number, section in enumerate(sections)
    )


def _addresses(addresses: list[Address]) -> bytes:
    separator = b""
    chunks: list[bytes] = []
    for address in addresses:
        if address.domain is None and address.local is None:
            chunks.append(b";")
            separator = b",\r\n "
            continue
        if address.domain is None:
            chunks.append(separator + _phrase(address.local or b"") + b":")
            separator = b" "
            continue
        chunks.append(separator + _mailbox(address))
        separator = b",\r\n "
    return b"".join(chunks)


def _mailbox(address: Address) -> bytes:
    local = address.local or b""
    domain = ascii_domain(address.domain or b"")
    spec = local.translate(TO_ASCII)
    if spec and not _DOT_ATOM.fullmatch(spec):
        spec = _quoted(spec)
    if domain:
        spec += b"@" + domain
    if address.name is None:
        return spec or b"<>"
    return _phrase(address.name) + b" <" + spec + b">"


def _phrase(name: bytes) -> bytes:
    if not name.isascii():
        return encode_words(decode_header(name))
    return name if _SAFE_PHRASE.fullmatch(name) else _quoted(name.translate(TO_ASCII))


def ascii_domain(domain: bytes) -> bytes:
    """A domain as A-labels, as far as it is one (RFC 5891); what is left of it is `?`."""
    if domain.isascii() or len(domain) > _DOMAIN_LIMIT:
        return domain.translate(TO_ASCII)
    with suppress(UnicodeError):
        return idna.encode(domain.decode(), uts46=True)
    # By the rules of 2003, which some names have been made by alone: those with emoji.
    with suppress(UnicodeError):
        return domain.decode().encode("idna")
    return domain.translate(TO_ASCII)


def _quoted(value: bytes) -> bytes:
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
