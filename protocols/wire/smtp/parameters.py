"""ESMTP parameters behind MAIL FROM:<…> and RCPT TO:<…> (RFC 5321 §4.1.2)."""

import re

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
