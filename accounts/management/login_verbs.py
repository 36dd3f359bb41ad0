"""`manage.py mailbox app-password` and `token`: what opens a mailbox beside its own password."""

from argparse import ArgumentParser

from accounts import access_tokens, app_passwords, directory
from accounts.management.verbs import Add, NounCommand, Options, adder, parse_span
from accounts.models import AccessToken, Credential
from accounts.scopes import PROTOCOLS


def add_login_verbs(command: NounCommand, add: Add) -> None:
    verbs = LoginVerbs(command)
    summary = "Add, list and revoke app passwords."
    passwords = add("app-password", verbs.list_app_passwords, summary)
    passwords.add_argument("address", metavar="ADDRESS")
    add_one = adder(passwords, "deed")
    verb = add_one("add", verbs.add_app_password, "Generate one; it is shown this once.")
    _add_terms(verb)
    verb = add_one("list", verbs.list_app_passwords, "List them; never what they are.")
    verb.add_argument("--json", action="store_true", help="print JSON")
    verb = add_one("revoke", verbs.revoke_app_password, "End one; open sessions end.")
    verb.add_argument("id", metavar="ID", type=int)
    verb = add_one("only", verbs.only_app_passwords, "Refuse the mailbox's own password.")
    verb.add_argument("--undo", action="store_true", help="take it again")

    summary = "Add, list and revoke access tokens (OAUTHBEARER, XOAUTH2)."
    tokens = add("token", verbs.list_tokens, summary)
    tokens.add_argument("address", metavar="ADDRESS")
    add_one = adder(tokens, "deed")
    verb = add_one("add", verbs.add_token, "Make one; it is shown this once.")
    _add_terms(verb)
    verb.add_argument("--expires-in", metavar="SPAN", help="30m, 12h, 90d; else never")
    verb = add_one("list", verbs.list_tokens, "List them; never what they are.")
    verb.add_argument("--json", action="store_true", help="print JSON")
    verb = add_one("revoke", verbs.revoke_token, "End one; open sessions end.")
    verb.add_argument("id", metavar="ID", type=int)


def _add_terms(verb: ArgumentParser) -> None:
    known = ",".join(PROTOCOLS)
    verb.add_argument("--label", required=True, help="what program or device it is for")
    verb.add_argument("--protocols", default=known, metavar="LIST", help=f"some of {known} (all)")
    verb.add_argument("--json", action="store_true", help="print JSON")


class LoginVerbs:
    def __init__(self, command: NounCommand) -> None:
        self._command = command

    def add_app_password(self, options: Options) -> None:
        mailbox = directory.find_mailbox(options["address"])
        protocols = options["protocols"].split(",")
        made, password = app_passwords.create_app_password(mailbox, options["label"], protocols)
        if options["json"]:
            self._command.show([{**_row(made), "password": password}], as_json=True)
            return
        self._command.say(f"App password {made.pk} of {mailbox}, shown this once:\n{password}")

    def list_app_passwords(self, options: Options) -> None:
        mailbox = directory.find_mailbox(options["address"])
        rows = [_row(each) for each in app_passwords.list_app_passwords(mailbox)]
        self._command.show(rows, as_json=options["json"])

    def revoke_app_password(self, options: Options) -> None:
        mailbox = directory.find_mailbox(options["address"])
        gone = app_passwords.revoke_app_password(mailbox, options["id"])
        self._command.say(f"App password {gone.pk} “{gone.label}” of {mailbox} opens nothing now.")

    def only_app_passwords(self, options: Options) -> None:
        mailbox = directory.find_mailbox(options["address"])
        app_passwords.allow_app_passwords_only(mailbox, is_so=not options["undo"])
        state = "too" if options["undo"] else "on the web alone"
        self._command.say(f"{mailbox} is opened by its own password {state}.")

    def add_token(self, options: Options) -> None:
        mailbox = directory.find_mailbox(options["address"])
        # Of an empty word (a variable that is not set) no token must come that never ends.
        span = options["expires_in"]
        lifetime = None if span is None else parse_span(span)
        protocols = options["protocols"].split(",")
        made, token = access_tokens.create_token(mailbox, options["label"], protocols, lifetime)
        if options["json"]:
            self._command.show([{**_token_row(made), "token": token}], as_json=True)
            return
        self._command.say(f"Token {made.pk} of {mailbox}, shown this once:\n{token}")

    def list_tokens(self, options: Options) -> None:
        mailbox = directory.find_mailbox(options["address"])
        rows = [_token_row(each) for each in access_tokens.list_tokens(mailbox)]
        self._command.show(rows, as_json=options["json"])

    def revoke_token(self, options: Options) -> None:
        mailbox = directory.find_mailbox(options["address"])
        gone = access_tokens.revoke_token(mailbox, options["id"])
        self._command.say(f"Token {gone.pk} “{gone.label}” of {mailbox} opens nothing now.")


def _row(each: Credential) -> dict[str, object]:
    return {
        "id": each.pk,
        "label": each.label,
        "protocols": each.scopes,
        "created_at": each.created_at,
        "last_used_at": each.last_used_at,
    }


def _token_row(each: AccessToken) -> dict[str, object]:
    return {
        "id": each.pk,
        "label": each.label,
        "protocols": each.scopes,
        "expires_at": each.expires_at,
        "created_at": each.created_at,
        "last_used_at": each.last_used_at,
    }
