"""One command's text to its value; what cannot be read becomes `Invalid`.

One function a command, in the grammar file of its group, found by name. Arguments are read in the
order of the RFC's ABNF (RFC 3501 §9), so each function reads like its rule.
"""

import re

from . import (
    acl_grammar,
    append_grammar,
    folder_grammar,
    message_grammar,
    metadata_grammar,
    multisearch,
    notify_grammar,
    quota_grammar,
    session_grammar,
)
from .commands import Command
from .cursor import Cursor, Fault
from .dialect import REV1, Dialect
from .invalid import invalid, tag_of

_START = re.compile(rb"([^\x00-\x20\x7f-\xff(){%*\"\\+]++) ([A-Za-z]++)(?= |\Z)")
_COMMANDS = {
    **session_grammar.COMMANDS,
    **folder_grammar.COMMANDS,
    **append_grammar.COMMANDS,
    **message_grammar.COMMANDS,
    **multisearch.COMMANDS,
    **quota_grammar.COMMANDS,
    **acl_grammar.COMMANDS,
    **metadata_grammar.COMMANDS,
    **notify_grammar.COMMANDS,
}


def parse(text: bytes, dialect: Dialect = REV1) -> Command:
    """The command in `text`: its lines and literals without the last line end. Never raises."""
    start = _START.match(text)
    if start is None:
        tag = tag_of(text)
        words = "Unknown command." if tag != b"*" else "No tag."
        return invalid(tag, Fault(words))
    tag = start[1]
    read = _COMMANDS.get(start[2].upper())
    if read is None:
        return invalid(tag, Fault("Unknown command."))
    cursor = Cursor(text, start.end(), dialect)
    try:
        command = read(tag, cursor)
        cursor.end()
    except Fault as fault:
        return invalid(tag, fault)
    return command
