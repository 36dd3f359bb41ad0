"""What MAIL and RCPT say: the event that they stand for, or the refusal.

Syntax, and what the listener offers: the order of commands is the conversation's.
"""

from protocols.wire.smtp import refusals as say
from protocols.wire.smtp.address import Address, BadAddress, parse_path
from protocols.wire.smtp.events import MailFrom, RcptTo
from protocols.wire.smtp.parameters import BadParameter, apply_parameters, parse_parameters
from protocols.wire.smtp.reply import Reply
from protocols.wire.smtp.terms import Terms


def parse_mail(argument: str, terms: Terms, *, is_extended: bool) -> MailFrom | Reply:
    """What is behind MAIL; parameters need an EHLO before (`is_extended`)."""
    if argument[:5].upper() != "FROM:":
        return say.MAIL_SYNTAX
    try:
        sender, rest = parse_path(argument[5:].lstrip(" "))
        parameters = parse_parameters(rest) if rest else {}
    except BadAddress as error:
        return Reply(501, "5.1.7", str(error))
    except BadParameter as error:
        return Reply(501, "5.5.4", str(error))
    event = MailFrom(sender, 0, False, False)
    if parameters:
        if not is_extended:
            return say.PARAMETERS_NEED_EHLO
        if refusal := apply_parameters(event, parameters, terms.is_submission):
            return refusal
        if event.size > terms.max_size:
            return say.TOO_BIG
    if sender is not None and not sender.domain:
        return say.SENDER_WITHOUT_DOMAIN
    if not _may_say(sender, event.is_smtputf8):
        return say.NEEDS_SMTPUTF8
    return event


def parse_rcpt(argument: str, *, is_smtputf8: bool) -> RcptTo | Reply:
    """What is behind RCPT, in a transaction whose MAIL said SMTPUTF8, or did not."""
    if argument[:3].upper() != "TO:":
        return say.RCPT_SYNTAX
    try:
        recipient, rest = parse_path(argument[3:].lstrip(" "))
        parameters = parse_parameters(rest) if rest else {}
    except BadAddress as error:
        return Reply(501, "5.1.3", str(error))
    except BadParameter as error:
        return Reply(501, "5.5.4", str(error))
    if recipient is None:
        return say.NULL_RECIPIENT
    if parameters:
        return say.PARAMETER_UNKNOWN
    if not _may_say(recipient, is_smtputf8):
        return say.NEEDS_SMTPUTF8
    return RcptTo(recipient)


def _may_say(address: Address | None, is_smtputf8: bool) -> bool:
    return is_smtputf8 or address is None or address.is_ascii
