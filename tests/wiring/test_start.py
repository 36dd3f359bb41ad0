"""What a process loads before it does anything, and what only who needs it loads."""

import subprocess
import sys

SET_UP = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "mailhost.settings"
import django
django.setup()
"""


def run(lines: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SET_UP + lines], capture_output=True, text=True, check=True
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
