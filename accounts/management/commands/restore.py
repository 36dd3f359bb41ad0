"""manage.py restore: put a backup back into an empty home."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.backup import restore
from accounts.database_copies import BackupError
from accounts.management.plain import PlainCommand
from accounts.management.verbs import told_in_a_line


class Command(PlainCommand):
    help = (
        "Prove a backup's files and put them back. The server must not run. Every UIDNEXT and"
        " MODSEQ is raised, so that no mail program takes a new message for one it has seen."
        " Queued mail that was sent after the backup is sent again."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("directory", type=Path, help="a directory that backup wrote")
        parser.add_argument(
            "--force",
            action="store_true",
            help="restore although there are domains or mail; what was there is moved to"
            " HOME/replaced-… (on PostgreSQL, the rows are replaced)",
        )

    def handle(self, *args: Any, directory: Path, force: bool, **options: Any) -> None:
        try:
            with told_in_a_line():
                restore(directory, lambda text: self.stderr.write(f"… {text}"), is_forced=force)
        except BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Restored from {directory}. Run fsck, then start the server.")
