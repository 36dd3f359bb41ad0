"""`manage.py queue`: look at mail that waits to be sent, and decide about it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from accounts.management.verbs import Add, NounCommand, Options, Verb, table
from delivery import queue
from delivery.explaining import explain
from delivery.queue import Changed, NoSuchMessage, RecipientView, Selection
from protocols.wire.smtp.address import BadAddress

MOST_SHOWN = 1_000_000_000
STATES = ("pending", "held", "delivered", "failed", "cancelled")

Change = Callable[[Selection, datetime], Changed]


DONE = {
    "retry": "%s will be tried at once.",
    "hold": "%s held until released.",
    "release": "%s released, to be tried at once.",
    "cancel": "%s cancelled; nobody is told.",
}


class Command(NounCommand):
    help = "Look at the outbound queue; retry, hold, release or cancel what is in it."

    def add_verbs(self, add: Add) -> None:
        verb = add("list", self.list, "List the recipients that wait, soonest due first.")
        verb.add_argument("--state", choices=STATES, default="", help="only those in this state")
        verb.add_argument("--destination", default="", metavar="DOMAIN", help="only those there")
        verb.add_argument("--sender", default="", metavar="ADDRESS", help="only with this sender")
        verb.add_argument(
            "--settled", action="store_true", help="delivered, failed and cancelled ones too"
        )
        verb.add_argument("--limit", type=int, default=200, metavar="N", help="at most N (200)")
        verb.add_argument("--json", action="store_true", help="print JSON")
        verb = add("show", self.show_message, "Show one message with every try at it.")
        verb.add_argument("queue_id", metavar="QUEUE_ID", help="as in the reply to the sender")
        verb.add_argument("--json", action="store_true", help="print JSON")
        for name, change, summary in (
            ("retry", queue.retry, "Try recipients at once instead of when they fall due."),
            ("hold", queue.hold, "Keep recipients from being tried until they are released."),
            ("release", queue.release, "Let held recipients be tried again, at once."),
            ("cancel", queue.cancel, "Never try recipients again, and tell nobody."),
        ):
            verb = add(name, self._changing(name, change), summary)
            verb.add_argument("queue_ids", metavar="QUEUE_ID", nargs="*", help="these messages")
            verb.add_argument("--address", default="", help="only this recipient of the messages")
            verb.add_argument(
                "--destination", default="", metavar="DOMAIN", help="all recipients there"
            )
            verb.add_argument(
                "--sender", default="", metavar="ADDRESS", help="all with this sender"
            )
            verb.add_argument("--all", action="store_true", help="the whole queue")
        verb = add("explain", self.explain, "Say what would happen to mail for ADDRESS now.")
        verb.add_argument("address", metavar="ADDRESS")
        verb.add_argument("--json", action="store_true", help="print JSON")

    def list(self, options: Options) -> None:
        selection = Selection(
            destination=options["destination"], sender=options["sender"], state=options["state"]
        )
        if not 0 <= options["limit"] <= MOST_SHOWN:
            self.refuse(f"--limit is how many recipients are shown: 0 to {MOST_SHOWN}.")
        found = queue.list_recipients(selection, limit=options["limit"], settled=options["settled"])
        told = _as_json if options["json"] else _line
        self.show([told(each) for each in found], as_json=options["json"])

    def show_message(self, options: Options) -> None:
        try:
            message = queue.show(options["queue_id"])
        except NoSuchMessage:
            self.refuse(f"The queue has no message {options['queue_id']}.")
        if options["json"]:
            self.show([asdict(message)], as_json=True)
            return
        self.say(f"{message.queue_id} from <{message.return_path}>, {message.size} octets,")
        self.say(f"queued {_moment(message.queued_at)}")
        for recipient in message.recipients:
            self._show_recipient(recipient)

    def _show_recipient(self, recipient: RecipientView) -> None:
        self.say(f"\n<{recipient.address}> {_state(recipient)}")
        if recipient.original_address:
            self.say(f"  for <{recipient.original_address}>")
        if recipient.next_attempt_at is not None and recipient.claimed_until is None:
            self.say(f"  next try {_moment(recipient.next_attempt_at)}")
        tries = [
            [f"  {a.attempt_no}", _moment(a.started_at), a.result, a.host or "-", a.reply or "-"]
            for a in recipient.attempts
        ]
        for line in table(tries):
            self.say(line)

    def _changing(self, name: str, change: Change) -> Verb:
        def run(options: Options) -> None:
            chosen = [options[key] for key in ("queue_ids", "address", "destination", "sender")]
            if not any(chosen) and not options["all"]:
                self.refuse("Say which: QUEUE_ID, --address, --destination, --sender or --all.")
            selection = Selection(
                queue_ids=[each.upper() for each in options["queue_ids"]],
                address=options["address"],
                destination=options["destination"],
                sender=options["sender"],
            )
            self._tell(name, change(selection, queue.now()))

        return run

    def _tell(self, name: str, changed: Changed) -> None:
        if changed.busy:
            count = _recipients(changed.busy)
            self.stderr.write(f"{count} left alone: being tried just now.")
        if not changed.done:
            self.refuse(f"There is nothing to {name}.")
        self.say(DONE[name] % _recipients(changed.done))

    def explain(self, options: Options) -> None:
        try:
            found = explain(options["address"])
        except BadAddress as error:
            self.refuse(f"{options['address']}: {error}.")
        if options["json"]:
            self.show([asdict(found)], as_json=True)
            return
        self.say(f"<{found.address}> is {found.route}: {found.verdict}.")
        for each in (*found.leads_to, *found.hops):
            self.say(f"  {each}")


def _line(recipient: RecipientView) -> Mapping[str, Any]:
    return {
        "queue id": recipient.queue_id,
        "state": _state(recipient),
        "sender": f"<{recipient.return_path}>",
        "recipient": recipient.address,
        "size": recipient.size,
        "queued": _moment(recipient.queued_at),
        "next try": _moment(recipient.next_attempt_at),
        "tries": recipient.tries,
        "last reply": recipient.last_reply[:80],
    }


def _as_json(recipient: RecipientView) -> Mapping[str, Any]:
    fields = asdict(recipient)
    fields["attempts"] = fields.pop("tries")
    return {"queue_id": fields.pop("queue_id"), "recipient": fields.pop("address"), **fields}


def _state(recipient: RecipientView) -> str:
    marks = [recipient.state]
    if recipient.claimed_until is not None:
        marks.append("being tried")
    if recipient.is_ambiguous:
        marks.append("ambiguous")
    return ", ".join(marks)


def _moment(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else "-"


def _recipients(count: int) -> str:
    return "1 recipient" if count == 1 else f"{count} recipients"
