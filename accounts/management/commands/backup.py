"""manage.py backup: write a consistent copy of everything into a directory."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.backup import back_up
from accounts.database_copies import BackupError
from accounts.management.plain import PlainCommand
from accounts.management.verbs import told_in_a_line


class Command(PlainCommand):
    help = (
        "Write the database, the mail's octets and the keys into a new directory, while the server"
        " runs. On the same filesystem the octets are hard links and take no space; copy the"
        " directory to another machine to be safe from the loss of this one. It holds secrets."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("directory", type=Path, help="where to write; new or empty")

    def handle(self, *args: Any, directory: Path, **options: Any) -> None:
        try:
            with told_in_a_line():
                octets = back_up(directory, lambda text: self.stderr.write(f"… {text}"))
        except BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{directory}: {octets / 1_000_000:.1f} MB")
