"""The first words of a message on one line, for lists of messages (RFC 8970 §3).

Bounded whatever the message is: a first look at a few KiB of a text is mostly enough, and no more
than `READ_LIMIT` octets of all texts together are looked at.
"""

import re

from protocols.wire.message.charset import decode_text
from protocols.wire.message.content import parse_disposition
from protocols.wire.message.decode import decode_transfer, read_param
from protocols.wire.message.header import unfold
from protocols.wire.message.html_text import TAG_REST, html_to_text
from protocols.wire.message.octets import Buffer, take
from protocols.wire.message.structure import Part, walk

# RFC 8970 §3.1: about 200 characters, never more than 256.
PREVIEW_LENGTH = 200

# Octets of all texts that are decoded at most, and of one text at first.
READ_LIMIT = 64 << 10
_FIRST_LOOK = {b"text/plain": 2 << 10, b"text/html": 16 << 10}
# Characters of decoded text made into words at once: that is what costs. Plain text is mostly
# words, HTML mostly not.
_STEPS = (1 << 10, 8 << 10, READ_LIMIT)
_PLAIN_STEPS = (320, *_STEPS)
# Texts looked into before a message counts as having no words.
_TEXT_LIMIT = 10

_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]++")
_BODY_TAG = re.compile(r"<body\b" + TAG_REST, re.IGNORECASE)

# Control characters, marks that turn the direction of text round, and what senders of bulk mail
# pad the first line with so that nothing else shows behind it.
_UNSEEN = dict.fromkeys(
    (
        *(code for code in range(0x20) if not chr(code).isspace()),
        *range(0x7F, 0x85),
        *range(0x86, 0xA0),
        *(0xAD, 0x34F, 0x61C, 0x180E, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    )
)
# Within a word they join letters; alone they are padding.
_JOINERS = "\u200c\u200d"


def render_preview(octets: Buffer, root: Part) -> str:
    """The preview of a message of that structure; "" where it has no words to show."""
    left = READ_LIMIT
    texts = 0
    for part in walk(root):
        if part.content.kind not in _FIRST_LOOK or part.is_multipart or _is_attachment(part):
            continue
        texts += 1
        words, looked_at = _first_words(octets, part, left)
        left -= looked_at
        if words or left <= 0 or texts >= _TEXT_LIMIT:
            return words
    return ""


def _is_attachment(part: Part) -> bool:
    value = part.fields.get(b"content-disposition")
    parsed = parse_disposition(unfold(value)) if value else None
    return parsed is not None and parsed[0].lower() == b"attachment"


def _first_words(octets: Buffer, part: Part, limit: int) -> tuple[str, int]:
    """The first words of one text, and how many of its octets were decoded for them."""
    size = part.body_end - part.body_start
    is_html = part.content.kind == b"text/html"
    words = text = ""
    decoded = 0
    for window in (min(_FIRST_LOOK[part.content.kind], limit), limit):
        end = part.body_start + min(size, window)
        decoded += end - part.body_start
        text = _decoded(octets, part, end)
        words = _from_html(text, is_cut=window < size) if is_html else _from_plain(text)
        if len(words) >= PREVIEW_LENGTH or window >= size:
            break
    if not words and not is_html:
        # All of it is quotation: then that is what there is to see.
        words = _on_one_line(text[: _STEPS[0]])
    return words[:PREVIEW_LENGTH].rstrip(), decoded


def _decoded(octets: Buffer, part: Part, end: int) -> str:
    body = decode_transfer(take(octets, part.body_start, end), part.encoding)
    charset = read_param(part.content.params, b"charset") or b""
    if end < part.body_end:
        body = _whole_characters(body, charset.lower())
    return decode_text(body, charset)


def _from_html(html: str, *, is_cut: bool) -> str:
    begin = _BODY_TAG.search(html)
    start = begin.end() if begin else 0
    words = ""
    for step in _STEPS:
        some = html[start : start + step]
        is_last = start + step >= len(html)
        if (is_cut or not is_last) and (at := some.rfind("<")) > some.rfind(">"):
            # The cut is within a tag, which would be no tag but text then.
            some = some[:at]
        words = _on_one_line(html_to_text(some))
        if len(words) >= PREVIEW_LENGTH or is_last:
            break
    return words


def _from_plain(text: str) -> str:
    words = ""
    for step in _PLAIN_STEPS:
        words = _on_one_line(_own_lines(text[:step]))
        if len(words) >= PREVIEW_LENGTH or step >= len(text):
            break
    return words


def _whole_characters(octets: bytes, charset: bytes) -> bytes:
    """The octets without a character that was cut off at their end."""
    if charset.startswith((b"utf-16", b"utf-32")):
        return octets[: len(octets) // 4 * 4]
    # Shifts end with the line (RFC 1468); where there is none, only UTF-8 tells its characters.
    if line_end := octets.rfind(b"\n") + 1:
        return octets[:line_end]
    end = len(octets)
    while end > max(len(octets) - 3, 0) and octets[end - 1] & 0xC0 == 0x80:
        end -= 1
    if end and octets[end - 1] >= 0xC0:
        end -= 1
    return octets[:end]


def _own_lines(text: str) -> str:
    """The text without the lines that are quoted from another message (RFC 3676 §4.5)."""
    if ">" not in text:
        return text
    return "\n".join(line for line in text.split("\n") if not line.startswith(">"))


def _on_one_line(text: str) -> str:
    if text.isascii():
        return " ".join(_CONTROLS.sub("", text).split())
    words = text.translate(_UNSEEN).split()
    return " ".join(word for word in words if word.strip(_JOINERS))
