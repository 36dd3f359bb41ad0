"""Commands whose `--help` tells what is their own."""

from argparse import SUPPRESS

from django.core.management.base import BaseCommand, CommandParser


class PlainCommand(BaseCommand):
    """Sub-classes add their arguments after `super().add_arguments(parser)`."""

    def add_arguments(self, parser: CommandParser) -> None:
        # What Django gives every command is not what somebody asks `--help` for.
        for action in parser._actions:
            if action.dest != "help":
                action.help = SUPPRESS
