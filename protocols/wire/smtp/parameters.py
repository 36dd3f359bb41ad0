"""ESMTP parameters behind MAIL FROM:<…> and RCPT TO:<…> (RFC 5321 §4.1.2)."""

import re

from protocols.wire.smtp.events import MailFrom
from protocols.wire.smtp.refusals import PARAMETER_UNKNOWN
from protocols.wire.smtp.reply import Reply

_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\s=\x00-\x20\x7f]*))?")


class BadParameter(ValueError):
    """What follows the path is no list of parameters; the text is for the peer."""


def parse_parameters(text: str) -> dict[str, str]:
    """Keywords in upper case and their values ("" where there is none), in order."""
    if text[:1] != " ":
        raise BadParameter("Leave a space after the address")
    parameters: dict[str, str] = {}
    for word in text.split():
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise BadParameter("Bad parameter syntax")
        keyword = match[1].upper()
        if keyword in parameters:
            raise BadParameter(f"{keyword} is given twice")
        parameters[keyword] = match[2] or ""
    return parameters


def apply_parameters(
    event: MailFrom, parameters: dict[str, str], is_submission: bool
) -> Reply | None:
    """Write MAIL's parameters into the event, or say what is wrong with them."""
    for keyword, value in parameters.items():
        match keyword:
            # RFC 1870 §3: at most twenty digits.
            case "SIZE" if value.isdecimal() and value.isascii() and len(value) <= 20:
                event.size = int(value)
            case "BODY" if value.upper() in ("7BIT", "8BITMIME"):
                event.is_8bit = value.upper() == "8BITMIME"
            case "SMTPUTF8" if not value:
                event.is_smtputf8 = True
            case "AUTH" if value and is_submission:
                # RFC 4954 §5: whom else the message is attributed to is not for us to trust.
                pass
            case "SIZE" | "BODY" | "SMTPUTF8":
                return Reply(501, "5.5.4", f"Bad value of {keyword}")
            case _:
                return PARAMETER_UNKNOWN
    return None
