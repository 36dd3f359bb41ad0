"""Message-ids in header fields, in the one form in which they are compared (RFC 5256 §3).

Linear time on any octets: each `<` begins at most one try, which ends at the next one.
"""

import re

# `msg-id` of RFC 5322 §3.6.4, tolerant of whatever programs put between the angle brackets. A local
# part may be quoted, and then hold a bracket.
_ID = re.compile(rb'<\s*+("(?:[^"\\\r\n]|\\.)*+"(?=\s*+@)|)([^<>]*+)>')
_SPACES = re.compile(rb"[ \t\r\n]++")
_ESCAPED = re.compile(rb"\\(.)")
# Octets of a field that are looked through.
FIELD_OCTETS = 256 << 10


def message_ids(value: bytes) -> list[bytes]:
    """The valid message-ids in a field's value, folded or not, in their order.

    They come without brackets, white space and quotes: `<"a"@b.test>` and `<a@b.test>` are one.
    Case counts. Valid is what has an `@` with something on both sides of it.
    """
    found = []
    for quoted, rest in _ID.findall(value, 0, FIELD_OCTETS):
        identifier = _SPACES.sub(b"", rest) if rest.split() != [rest] else rest
        if quoted:
            identifier = _ESCAPED.sub(rb"\1", quoted[1:-1]) + identifier
        if 0 < identifier.rfind(b"@") < len(identifier) - 1:
            found.append(identifier)
    return found


def ancestors(references: bytes, in_reply_to: bytes) -> list[bytes]:
    """The message-ids of a message's ancestors, oldest first, from the values of two fields.

    Of In-Reply-To only the first message-id counts, and only without References: addresses have
    been seen behind it (RFC 5256 §3).
    """
    return message_ids(references) or message_ids(in_reply_to)[:1]
