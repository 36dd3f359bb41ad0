"""What a first start shows: a tenant, a domain, two mailboxes and an admin, to try things with.

The passwords are written down before anything is made with them, so that a start that dies between
leaves nothing that nobody can open.
"""

import json
import os
import secrets
from pathlib import Path

from django.db import transaction

from accounts import directory
from accounts.models import Membership, Tenant, User

TENANT = "Demo"
DOMAIN = "example.test"
MAILBOXES = {"alice@example.test": "Alice Example", "bob@example.test": "Bob Example"}
ADMIN = "admin"
LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
LENGTH = 16


def is_wanted() -> bool:
    """Only a house that nobody lives in yet gets a demo."""
    return not Tenant.objects.exists() and not User.objects.exists()


def create(credentials_file: Path) -> dict[str, str]:
    """Make the demo; gives the passwords by name, as they stand in the file (mode 0600)."""
    passwords = _passwords(credentials_file)
    with transaction.atomic():
        tenant = directory.create_tenant(TENANT)
        directory.create_domain(tenant, DOMAIN)
        for address, name in MAILBOXES.items():
            mailbox = directory.create_mailbox(address, passwords[address], name=name)
            if mailbox.user is not None and address.startswith("alice"):
                directory.join(mailbox.user, tenant, Membership.Role.OWNER)
        User.objects.create_superuser(ADMIN, passwords[ADMIN], full_name="Administrator")
    return passwords


def _passwords(path: Path) -> dict[str, str]:
    names = (ADMIN, *MAILBOXES)
    if path.exists():
        known = json.loads(path.read_text())
        if known.keys() >= set(names):
            return dict(known)
    made = {name: _password() for name in names}
    draft = path.with_suffix(f".{os.getpid()}")
    draft.touch(0o600)
    draft.write_text(json.dumps(made, indent=2) + "\n")
    draft.replace(path)
    return made


def _password() -> str:
    """93 bits in letters and digits that nobody takes for each other."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
