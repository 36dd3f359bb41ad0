"""What a process loads before it does anything, and what only who needs it loads."""

import os
import subprocess
import sys

from tests.partners.presence import Loopback

SET_UP = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "mailhost.settings"
import django
django.setup()
"""


def run(lines: str, **settings: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SET_UP + lines],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **settings},
    )
    return done.stdout.strip()


def test_no_process_loads_what_few_need() -> None:
    late = ("accounts.admin", "redis", "dns", "cryptography.x509", "psycopg")
    assert run(f"print(*(name for name in {late} if name in sys.modules))") == ""


def test_the_check_sees_all_pages_of_the_admin() -> None:
    seen = run(
        """
from django.core.checks import run_checks
from django.contrib import admin
from accounts.models import Mailbox
from accounts.admin.mailboxes import MailboxAdmin
MailboxAdmin.list_display = ("nowhere",)
print(*(each.id for each in run_checks(tags=["admin"])))
"""
    )
    assert seen == "admin.E108"


def test_processes_of_one_server_have_their_program_in_common(loopback: Loopback) -> None:
    """All but the reactor, whose files each must have for itself."""
    seen = run(
        """
from django.core.management import call_command
from protocols.servers.children import Children
def look(children, when_ready):
    names = ("protocols.servers.imap", "protocols.servers.pop3", "twisted.internet.reactor")
    print(*(name for name in names if name in sys.modules))
Children.run = look
call_command("serve", "imap", "--processes", "2", skip_checks=True)
""",
        MAILHOST_BIND=loopback.address(),
    )
    assert seen == "protocols.servers.imap"
