"""Tell a sender what did not arrive, or not yet: delivery status notifications (RFC 3464).

A report goes out with the null return path and is never answered by another one (RFC 5321 §6.1).
The original is embedded as it stands, without being parsed.
"""

import secrets
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime

from accounts import directory
from delivery import local
from delivery.a_labels import with_a_labels
from delivery.envelope import Recipient
from delivery.queue import new_queue_id
from protocols.wire.smtp.address import parse_address

# Longer originals come back as their header alone.
RETURN_WHOLE = 50 * 1024
RETURN_HEADER = 64 * 1024
_DIAGNOSTIC_LIMIT = 1000
# Octets of a word that stays whole.
_WORD_LIMIT = 500
_WIDTH = 72

_ADVICE = {
    "5.1.1": "The other server does not know this address. Check how it is written.",
    "5.1.2": "The part of the address after the @ does not exist. Check how it is written.",
    "5.1.10": "This domain accepts no mail at all. Check the part of the address after the @.",
    "5.2.1": "The mailbox is switched off. Ask the recipient for another address.",
    "5.2.2": "The recipient's mailbox is full. Tell them in another way, and try again later.",
    "5.3.4": "The message is too large for the other server. Send a link instead of the file.",
    "5.4.6": "The domain's mail is set up wrongly. Tell the people who run that domain.",
    "5.6.7": "The other server cannot take addresses or headers that are not plain ASCII.",
    "5.7": "The other server refuses the message by its rules. Its people can tell you why.",
    "5.1": "The other server does not accept this address. Check how it is written.",
    "4.4": "The other server could not be reached. Check the address; perhaps try again later.",
    "4.2.2": "The recipient's mailbox is full. Tell them in another way, and try again later.",
}
_ADVICE_OTHERWISE = "Nothing you can do will help at once: ask the recipient's mail administrator."


@dataclass(frozen=True, slots=True)
class Undelivered:
    """One recipient the report is about. `reply` is the last thing heard, in one line."""

    address: str
    original_address: str
    status: str
    reply: str
    host: str
    is_from_peer: bool
    is_ambiguous: bool
    tried_at: datetime


@dataclass(frozen=True, slots=True)
class Report:
    """A notice to `sender`. With `tried_until` it is one of delay: that is when we give up."""

    sender: str
    hostname: str
    queue_id: str
    queued_at: datetime
    written_at: datetime
    recipients: Sequence[Undelivered]
    tried_until: datetime | None = None
    # The original is internationalised mail (RFC 6531).
    is_smtputf8: bool = False
    own_queue_id: str = field(default_factory=new_queue_id)
    boundary: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def is_delay(self) -> bool:
        return self.tried_until is not None

    @property
    def addressee(self) -> str:
        """The sender in the header: an IDN alone must not make the notice need SMTPUTF8."""
        return with_a_labels(self.sender)

    @property
    def is_ascii(self) -> bool:
        named = [each.address + each.original_address for each in self.recipients]
        return "".join([self.addressee, *named]).isascii()


class NoSender(Exception):
    """The sender is one of ours and takes no mail any more: there is nobody to tell."""


def plan(report: Report, original: bytes) -> tuple[bytes, local.Plan]:
    """The notice and what it becomes: an entry in the sender's mailbox, or queue rows.

    The caller commits it with what it is about. NoSender, BadAddress.
    """
    octets = compose(report, original)
    sender = parse_address(report.sender)
    # RFC 5321 §6.1: the sender has to hear of it, and there is no second notice.
    route = directory.resolve(sender, even_full=True)
    if route.kind == "refuse":
        raise NoSender(f"{report.sender}: {route.text}")
    parcel = local.Parcel(
        queue_id=report.own_queue_id,
        return_path="",
        recipients=[Recipient(report.sender, route)],
        octets=octets,
        is_smtputf8=not report.is_ascii,
    )
    return octets, local.plan(parcel)


def compose(report: Report, original: bytes) -> bytes:
    """The notice as a message, lines ended by CRLF. `original` is what was sent to us."""
    text = _human_part(report)
    parts = [
        _part("text/plain; charset=utf-8", text),
        _part(
            "message/delivery-status" if report.is_ascii else "message/global-delivery-status",
            _status_part(report),
        ),
        _original_part(original, is_smtputf8=report.is_smtputf8),
    ]
    mark = b"--" + report.boundary.encode("ascii")
    body = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"
    return _header(report, is_8bit=not body.isascii()) + b"\r\n" + body


def _header(report: Report, *, is_8bit: bool) -> bytes:
    subject = "Your message is delayed" if report.is_delay else "Your message was not delivered"
    lines = [
        f"From: Mail Delivery System <mailer-daemon@{report.hostname}>",
        f"To: <{report.addressee}>",
        f"Subject: {subject}",
        f"Date: {format_datetime(report.written_at)}",
        f"Message-ID: <{report.own_queue_id}@{report.hostname}>",
        # RFC 3834 §5: no robot shall answer this.
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
        f'\tboundary="{report.boundary}"',
    ]
    if is_8bit:
        # RFC 2045 §6.4: what holds a part of 8 bits is 8bit itself.
        lines.append("Content-Transfer-Encoding: 8bit")
    return _crlf(lines)


def _human_part(report: Report) -> bytes:
    first = (
        "Your message has not been delivered to the following recipients yet. You need not send it "
        "again: we keep trying until {until}."
        if report.tried_until is not None
        else "Your message could not be delivered to the following recipients, and we have stopped "
        "trying."
    )
    until = report.tried_until.strftime("%d %B %Y %H:%M UTC") if report.tried_until else ""
    lines = [f"This is the mail system at {report.hostname}.", ""]
    lines += textwrap.wrap(first.format(until=until), _WIDTH)
    for recipient in report.recipients:
        lines += ["", *_about(recipient, report.is_delay)]
    lines += ["", f"Queue id: {report.queue_id}"]
    return _crlf(lines)


def _about(recipient: Undelivered, is_delay: bool) -> list[str]:
    lines = [f"<{recipient.address}>"]
    if recipient.original_address and recipient.original_address != recipient.address:
        lines.append(f"    (you wrote to <{recipient.original_address}>)")
    said = f"{recipient.host} said: " if recipient.is_from_peer else ""
    told = [f"{said}{recipient.reply}"]
    if recipient.is_ambiguous:
        told.append("A try broke off at its very end: the message may have arrived after all.")
    if not is_delay:
        told.append(advice(recipient.status))
    for sentence in told:
        lines += _wrap(sentence, first="    ")
    return lines


def advice(status: str) -> str:
    """What the sender can do about an RFC 3463 status."""
    subject = status.rpartition(".")[0]
    return _ADVICE.get(status) or _ADVICE.get(subject) or _ADVICE_OTHERWISE


def _status_part(report: Report) -> bytes:
    """RFC 3464 §2.2 and §2.3: fields about the message, then about each recipient."""
    lines = [
        f"Reporting-MTA: dns; {report.hostname}",
        f"X-Mailhost-Queue-ID: {report.queue_id}",
        f"Arrival-Date: {format_datetime(report.queued_at)}",
    ]
    for recipient in report.recipients:
        lines += ["", *_recipient_fields(recipient, report)]
    return _crlf(lines)


def _recipient_fields(recipient: Undelivered, report: Report) -> list[str]:
    lines = []
    if recipient.original_address:
        lines.append(f"Original-Recipient: {_typed(recipient.original_address)}")
    lines += [
        f"Final-Recipient: {_typed(recipient.address)}",
        f"Action: {'delayed' if report.is_delay else 'failed'}",
        f"Status: {recipient.status}",
    ]
    if recipient.host:
        # `name[address]:port`, where the name may be an address literal.
        lines.append(f"Remote-MTA: dns; {recipient.host.rpartition('[')[0] or recipient.host}")
    kind = "smtp" if recipient.is_from_peer else "x-mailhost"
    diagnostic = recipient.reply[:_DIAGNOSTIC_LIMIT]
    if report.is_ascii:
        diagnostic = diagnostic.encode("ascii", "replace").decode("ascii")
    lines += _wrap(f"Diagnostic-Code: {kind}; {diagnostic}")
    lines.append(f"Last-Attempt-Date: {format_datetime(recipient.tried_at)}")
    if report.tried_until is not None:
        lines.append(f"Will-Retry-Until: {format_datetime(report.tried_until)}")
    return lines


def _typed(address: str) -> str:
    # RFC 6533 §3 has a type of its own for addresses that are not ASCII.
    return f"rfc822; {address}" if address.isascii() else f"utf-8; {address}"


def _original_part(original: bytes, *, is_smtputf8: bool) -> bytes:
    # The header of a message/rfc822 is ASCII (RFC 2046 §5.2.1), so RFC 6532 §3.7 has another type.
    is_global = is_smtputf8 and not original[: original.find(b"\r\n\r\n")].isascii()
    if len(original) <= RETURN_WHOLE:
        return _part("message/global" if is_global else "message/rfc822", original)
    end = original.find(b"\r\n\r\n", 0, RETURN_HEADER)
    if end < 0:
        end = original.rfind(b"\r\n", 0, RETURN_HEADER)
    header = original[: end + 2] if end >= 0 else b""
    return _part("message/global-headers" if is_global else "text/rfc822-headers", header)


def _part(content_type: str, octets: bytes) -> bytes:
    lines = [f"Content-Type: {content_type}"]
    if not octets.isascii():
        lines.append("Content-Transfer-Encoding: 8bit")
    return _crlf([*lines, ""]) + octets


def _wrap(text: str, first: str = "") -> list[str]:
    """Lines broken at spaces alone: a link that the other server gave stays whole."""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent="    ",
        break_on_hyphens=False,
        # RFC 5322 §2.1.1 counts octets: a line has at most 998.
        break_long_words=any(len(word.encode()) > _WORD_LIMIT for word in text.split()),
    )


def _crlf(lines: Sequence[str]) -> bytes:
    return b"".join(line.encode("utf-8") + b"\r\n" for line in lines)
