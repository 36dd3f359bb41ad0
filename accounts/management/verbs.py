"""The shape of `manage.py NOUN VERB …`: verbs as sub-commands, lists as a table or JSON, and a
reader's mistake as one line on standard error with a non-zero exit, never a traceback.
"""

import json
import os
import re
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, NoReturn

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError

from accounts.directory import DirectoryError
from accounts.management.plain import PlainCommand, refuse_arguments
from accounts.models import Tenant

Options = Mapping[str, Any]
Verb = Callable[[Options], None]
Add = Callable[[str, Verb, str], ArgumentParser]

# One alias with a thousand targets must not make every line of a list as long.
WIDEST = 100


def adder(parser: ArgumentParser, depth: str = "verb") -> Add:
    """`add(name, run, summary)` for the verbs of a parser, or of a verb that has its own."""
    verbs = parser.add_subparsers(dest=depth, required=True, metavar="VERB")

    def add(name: str, run: Verb, summary: str) -> ArgumentParser:
        verb = verbs.add_parser(name, help=summary, description=summary)
        verb.set_defaults(run=run)
        verb.error = partial(refuse_arguments, verb)  # type: ignore[method-assign,arg-type]
        return verb

    return add


@contextmanager
def told_in_a_line() -> Iterator[None]:
    """What the disk or the database refuses meanwhile is a CommandError, one sentence."""
    try:
        yield
    except DatabaseError as error:
        raise CommandError(_unanswered(error)) from error
    except OSError as error:
        raise CommandError(_unusable(error)) from error


def _unusable(error: OSError) -> str:
    # A full disk does not say at which file.
    what = f"{error.filename} cannot be used: " if error.filename else ""
    return f"{what}{error.strerror or error}."


def _unanswered(error: DatabaseError) -> str:
    cause = str(error).splitlines()[0]
    return f"The database does not answer as it should ({cause}); is it migrated?"


class NounCommand(PlainCommand):
    """Sub-classes name their verbs in `add_verbs`; each verb is a method taking the options."""

    # A list of mailboxes must not be preceded by remarks on the settings; `check` makes those.
    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.usage = "%(prog)s [-h] VERB …"
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        self.add_verbs(adder(parser))

    def add_verbs(self, add: Add) -> None:
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        if not all(map(_is_text, _words(options))):
            self.refuse("What was given is not UTF-8 text.")
        try:
            options["run"](options)
        except DirectoryError as error:
            self.refuse(str(error))
        except DatabaseError as error:
            self.refuse(_unanswered(error))
        except BrokenPipeError:
            # The reader (`| head`) has seen enough; Python would complain again at its exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            self.refuse(_unusable(error))

    def refuse(self, sentence: str) -> NoReturn:
        """One line on standard error, and exit status 1."""
        if not getattr(self, "_called_from_command_line", False):
            raise CommandError(sentence)
        self.stderr.write(sentence)
        sys.exit(1)

    def say(self, text: str) -> None:
        self.stdout.write(text)

    def tell(self, text: str) -> None:
        """How far long work has come, beside what a script reads."""
        self.stderr.write(f"… {text}", style_func=str)

    def show(self, rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
        """Rows as JSON, or as aligned columns under their names.

        That there are none is told on standard error: a script that reads lines gets none.
        """
        if as_json:
            self.say(json.dumps(list(rows), indent=2, ensure_ascii=False, default=str))
        elif rows:
            for line in table([list(rows[0]), *([_cell(row[key]) for key in row] for row in rows)]):
                self.say(line)
        else:
            self.stderr.write("There is nothing to list.", style_func=str)


def _words(options: Options) -> Iterator[str]:
    for value in options.values():
        each_of = value if isinstance(value, list) else [value]
        yield from (each for each in each_of if isinstance(each, str))


def _is_text(word: str) -> bool:
    """Whether every octet that was typed could be read."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def table(lines: Iterable[Sequence[str]]) -> Iterator[str]:
    """Columns padded to the widest cell, two spaces apart.

    Cells wider than WIDEST are as wide as they are, in their own line alone.
    """
    lines = list(lines)
    columns = zip(*lines, strict=True)
    widths = [min(max(map(len, column)), WIDEST) for column in columns]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _cell(value: Any) -> str:
    match value:
        case None | "":
            return "-"
        case list():
            return ", ".join(str(each) for each in value)
        case _:
            return str(value)


def choose_tenant(slug: str) -> Tenant:
    """The tenant called `slug`; without one, the only tenant there is, made where there is none."""
    tenants = list(Tenant.objects.order_by("slug")[:20])
    if slug:
        found = Tenant.objects.filter(slug=slug).first()
        if found is None:
            known = ", ".join(tenant.slug for tenant in tenants) or "none"
            raise DirectoryError(f"There is no tenant “{slug}” (there are: {known}).")
        return found
    match tenants:
        case []:
            return Tenant.objects.create(name="Main", slug="main")
        case [only]:
            return only
        case _:
            known = ", ".join(tenant.slug for tenant in tenants)
            raise DirectoryError(f"Say with --tenant whose it is: {known}.")


def read_password(options: Options) -> str:
    """From `--password`, or the first line of standard input with `--password-stdin`."""
    if options["password_stdin"]:
        try:
            return sys.stdin.readline().rstrip("\r\n")
        except UnicodeDecodeError:
            raise DirectoryError("The password is not UTF-8 text.") from None
    if options["password"] is None:
        raise DirectoryError("Give the password with --password or --password-stdin.")
    return str(options["password"])


def add_password_options(verb: ArgumentParser) -> None:
    ways = verb.add_mutually_exclusive_group()
    ways.add_argument("--password", metavar="PW", help="the password (others may see it in `ps`)")
    ways.add_argument(
        "--password-stdin", action="store_true", help="read it from the first line of stdin"
    )


_SPAN = re.compile(r"([1-9][0-9]{0,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def parse_span(text: str) -> timedelta:
    """A span of time such as 30m, 12h or 90d; DirectoryError when it is none."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise DirectoryError(f"“{text}” is no span of time; write 30m, 12h or 90d.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
