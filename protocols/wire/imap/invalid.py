"""Commands that cannot be read: their tag, and the event that says why."""

import re

from .commands import Invalid
from .cursor import Fault
from .responses import Tagged

_TAG = re.compile(rb"([^\x00-\x20\x7f-\xff(){%*\"\\+]++)(?: |\Z)")


def tag_of(text: bytes) -> bytes:
    """The tag that `text` starts with, b"*" when it has none."""
    match = _TAG.match(text)
    return match[1] if match else b"*"


def invalid(tag: bytes, fault: Fault) -> Invalid:
    """The event that says why a command was not understood."""
    reply = Tagged(tag, fault.status, fault.text, fault.code)
    return Invalid(tag, reply, fault.empties_saved, fault.leaves_folder)
