"""`manage.py search`: the search index, which the worker keeps by itself."""

from dataclasses import asdict

from accounts import directory
from accounts.mailstore import search_state, search_tailer
from accounts.management.verbs import Add, NounCommand, Options
from accounts.models import Mailbox

# As long as it takes.
_WITHOUT_END = float("inf")


class Command(NounCommand):
    help = (
        "Show how far the search index reaches, bring it up to date, or make it anew. The worker"
        " keeps it by itself, and a search is right without it: only slower."
    )

    def add_verbs(self, add: Add) -> None:
        verb = add("status", self.status, "Show messages, kept texts and indexed ones by mailbox.")
        verb.add_argument("address", metavar="ADDRESS", nargs="*", help="only these mailboxes")
        verb.add_argument("--json", action="store_true", help="print JSON")
        verb = add("catch-up", self.catch_up, "Index now what the worker would index later.")
        verb.add_argument("--json", action="store_true", help="print JSON")
        verb = add("rebuild", self.rebuild, "Drop the index and make it anew; texts are kept.")
        verb.add_argument("address", metavar="ADDRESS", nargs="*", help="only these mailboxes")
        verb.add_argument("--json", action="store_true", help="print JSON")

    def status(self, options: Options) -> None:
        chosen = [directory.find_mailbox(each).pk for each in options["address"]]
        rows = [asdict(state) for state in search_state.states(chosen)]
        self.show(rows, as_json=options["json"])

    def catch_up(self, options: Options) -> None:
        read = search_tailer.catch_up(_WITHOUT_END, rests=False)
        self.show([{"read": read}], as_json=options["json"])

    def rebuild(self, options: Options) -> None:
        chosen = [directory.find_mailbox(each).pk for each in options["address"]]
        keys = chosen or list(Mailbox.objects.order_by("pk").values_list("pk", flat=True))
        for key in keys:
            search_tailer.start_again(key)
        self.catch_up(options)
