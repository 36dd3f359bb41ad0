"""What a SEARCH for words should find, told from a message's octets alone, without any index."""

from accounts.mailstore.search_text import TEXT_LIMIT, Needle
from protocols.wire.message import decoded_header, decoded_text


def body_has(needle: Needle, octets: bytes) -> bool:
    """Whether the text of the body contains it; an empty string is in every body."""
    return not needle.text or any(map(needle.is_in, decoded_text(octets, TEXT_LIMIT)))


def message_has(needle: Needle, octets: bytes) -> bool:
    """Whether the header or the text of the body contains it."""
    return body_has(needle, octets) or any(map(needle.is_in, decoded_header(octets)))
