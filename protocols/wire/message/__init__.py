"""The message format: an own bounded MIME scanner that keeps offsets and never fails.

Pure functions of octets. Every function takes any octets, finishes in linear time and raises
nothing because of what they are. The standard library's `email` never sees received mail.
"""

from protocols.wire.message.address import (
    ADDRESS_OCTETS,
    Address,
    parse_addresses,
    plain_addresses,
)
from protocols.wire.message.arrival import add_missing_fields, ranges_to_strip
from protocols.wire.message.charset import decode_text
from protocols.wire.message.date import parse_date
from protocols.wire.message.decode import decode_header, decode_params, decode_transfer
from protocols.wire.message.downgrade import to_7bit
from protocols.wire.message.glance import is_soon_prepared
from protocols.wire.message.header import (
    author_values,
    begins_with_field,
    count_received,
    header_fields,
    iter_fields,
    split_header,
    unfold,
)
from protocols.wire.message.message_ids import ancestors, message_ids
from protocols.wire.message.nul import encode_nul
from protocols.wire.message.octets import Buffer
from protocols.wire.message.prepare import (
    LIST_VIEW_FIELDS,
    OVERVIEW_FIELDS,
    PREPARED_VERSION,
    Prepared,
    prepare,
)
from protocols.wire.message.structure import Kind, Part, find_part, locate, parse, section, walk
from protocols.wire.message.subject import base_subject, read_subject
from protocols.wire.message.text import decoded_header, decoded_text
from protocols.wire.message.told_forms import in_ascii, in_utf8

__all__ = [
    "ADDRESS_OCTETS",
    "LIST_VIEW_FIELDS",
    "OVERVIEW_FIELDS",
    "PREPARED_VERSION",
    "Address",
    "Buffer",
    "Kind",
    "Part",
    "Prepared",
    "add_missing_fields",
    "ancestors",
    "author_values",
    "base_subject",
    "begins_with_field",
    "count_received",
    "decode_header",
    "decode_params",
    "decode_text",
    "decode_transfer",
    "decoded_header",
    "decoded_text",
    "encode_nul",
    "find_part",
    "header_fields",
    "in_ascii",
    "in_utf8",
    "is_soon_prepared",
    "iter_fields",
    "locate",
    "message_ids",
    "parse",
    "parse_addresses",
    "parse_date",
    "plain_addresses",
    "prepare",
    "ranges_to_strip",
    "read_subject",
    "section",
    "split_header",
    "to_7bit",
    "unfold",
    "walk",
]
