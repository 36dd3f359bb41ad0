"""Commands whose `--help` tells what is their own, and which tell a mistake in one line."""

from argparse import SUPPRESS
from functools import partial
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser


def refuse_arguments(parser: CommandParser, message: str) -> NoReturn:
    """End with status 2 and one line; CommandError for who calls from Python."""
    if parser.called_from_command_line:
        parser.exit(2, f"{parser.prog}: {message} (--help tells what may be given)\n")
    raise CommandError(message)


class PlainCommand(BaseCommand):
    """Sub-classes add their arguments after `super().add_arguments(parser)`."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.error = partial(refuse_arguments, parser)  # type: ignore[method-assign]
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        # What Django gives every command is not what somebody asks `--help` for.
        for action in parser._actions:
            if action.dest != "help":
                action.help = SUPPRESS
