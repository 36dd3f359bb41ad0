"""Nothing that a client says reaches a folder of another tenant: names, ids and rights are unknown.

Rules of the file: the stranger knows all that could be guessed (address, folder, identifiers) and
is answered as though it did not exist; what the other tenant stores is compared row by row.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.directory.domains import create_domain
from accounts.directory.mailboxes import create_mailbox
from accounts.login import Identity
from accounts.mailstore import acl
from accounts.mailstore.folders import create_folder, get_folder
from accounts.mailstore.object_ids import mailbox_id as object_id
from accounts.mailstore.rights import ALL
from accounts.models import Entry, Folder, FolderRight, Mailbox, Subscription, Tenant
from tests.accounts.mail import append_many
from tests.transcripts.direct import DirectVenue, DirectWire
from tests.transcripts.given import Scene

pytestmark = pytest.mark.django_db(transaction=True)

OWNER = "alice@a.test"
STRANGER = "mallory@b.test"
FOLDER = "Treasury"

# How servers name the folders of others: none of these leads anywhere.
SPELLINGS = (
    FOLDER,
    f"{OWNER}/{FOLDER}",
    f"{OWNER}/INBOX",
    f"Shared/{OWNER}/{FOLDER}",
    f"shared/{OWNER}/{FOLDER}",
    f"user/{OWNER}/{FOLDER}",
    f"user.alice.{FOLDER}",
    f"~alice/{FOLDER}",
    f"#shared/{OWNER}/{FOLDER}",
    f"../{OWNER}/{FOLDER}",
    f"/{OWNER}/{FOLDER}",
)

# Each must be refused with a plain NO or BAD, whichever spelling stands for the folder.
REFUSED = (
    'SELECT "{name}"',
    'EXAMINE "{name}"',
    'STATUS "{name}" (MESSAGES UIDNEXT MAILBOXID)',
    'DELETE "{name}"',
    'RENAME "{name}" Mine',
    'APPEND "{name}" {{4+}}\r\na: b',
    'COPY 1 "{name}"',
    'MOVE 1 "{name}"',
    'UID COPY 1:* "{name}"',
    'GETMETADATA "{name}" /shared/comment',
    'SETMETADATA "{name}" (/shared/comment "x")',
    'GETACL "{name}"',
    'MYRIGHTS "{name}"',
    f'SETACL "{{name}}" {STRANGER} lrswipkxtea',
    'SETACL "{name}" anyone +lr',
    f'DELETEACL "{{name}}" {OWNER}',
    f'LISTRIGHTS "{{name}}" {STRANGER}',
    # Nor may a folder of one's own be opened to somebody of another tenant.
    f"SETACL INBOX {OWNER} lr",
    f"LISTRIGHTS INBOX {OWNER}",
)


class Two:
    """Two mailboxes of two tenants, and a session of the stranger."""

    def __init__(self, wire: DirectWire, owner_id: int, folder_id: int) -> None:
        self.wire = wire
        self.owner_id = owner_id
        self.folder_id = folder_id

    def ask(self, command: str) -> str:
        """Everything that is said up to the tagged answer."""
        self.wire.send(f"t {command}\r\n".encode())
        said = b""
        while (line := self.wire.read_line()) is not None:
            said += line
            if line.startswith(b"t "):
                break
        return said.decode()

    def rows(self) -> list[Any]:
        """All that the owner stores, as rows."""
        mine = {"mailbox_id": self.owner_id}
        return [
            list(Folder.objects.filter(**mine).order_by("pk").values_list()),
            list(
                Entry.objects.filter(folder__mailbox_id=self.owner_id).order_by("pk").values_list()
            ),
            list(Subscription.objects.filter(**mine).order_by("pk").values_list()),
        ]


@pytest.fixture
def two() -> Iterator[Two]:
    for slug in "ab":
        create_domain(Tenant.objects.create(slug=slug, name=slug), f"{slug}.test")
    owner = create_mailbox(OWNER, "secret")
    folder_id = create_folder(owner.pk, FOLDER).id
    append_many(owner.pk, folder_id, 3)
    stranger = create_mailbox(STRANGER, "secret")
    _open_to_all(owner.pk, folder_id, stranger.pk)
    inbox = Folder.objects.get(mailbox=stranger, name="INBOX")
    append_many(stranger.pk, inbox.pk, 1)
    venue = DirectVenue(Scene("imap"))
    wire = venue.connect()
    wire._session._client.identity = Identity(stranger.pk, 1, stranger.address, 1)
    two = Two(wire, owner.pk, folder_id)
    two.ask("NOOP")
    yield two
    venue.end()


def _open_to_all(owner_id: int, folder_id: int, stranger_id: int) -> None:
    """Give the folder to whoever may have it, and to the stranger past every verb."""
    acl.set_rights(owner_id, get_folder(folder_id), acl.Identifier(None), "", ALL)
    FolderRight.objects.create(
        mailbox_id=owner_id,
        folder_id=folder_id,
        tenant=Tenant.objects.get(slug="a"),
        grantee_id=stranger_id,
        letters="lrswipkxtea",
    )


def test_a_colleague_does_reach_the_folder(two: Two) -> None:
    colleague = create_mailbox("bob@a.test", "secret")
    two.wire._session._client.identity = Identity(colleague.pk, 1, "bob@a.test", 1)
    name = f"Shared/{OWNER}/{FOLDER}"
    assert "* 3 EXISTS" in two.ask(f"SELECT {name}")
    assert name in two.ask('LIST "" *')
    assert name in two.ask(f"ESEARCH IN (subtree Shared/{OWNER}) ALL")


def test_the_owner_does_reach_the_folder(two: Two) -> None:
    two.wire._session._client.identity = Identity(two.owner_id, 1, OWNER, 1)
    assert "* 3 EXISTS" in two.ask(f"SELECT {FOLDER}")
    assert FOLDER in two.ask('LIST "" *')


@pytest.mark.parametrize("command", REFUSED)
def test_folders_of_another_tenant_do_not_exist(two: Two, command: str) -> None:
    folder = Folder.objects.get(pk=two.folder_id)
    ids = (str(folder.pk), object_id(folder.pk, folder.uidvalidity))
    before = two.rows()
    for name in (*SPELLINGS, *ids):
        # Where a command needs a selected folder, the stranger's own is.
        assert "t OK" in two.ask("SELECT INBOX")
        said = two.ask(command.format(name=name))
        last = said.splitlines()[-1]
        assert last.startswith(("t NO ", "t BAD ")), (name, said)
        assert OWNER not in said, said
        assert FOLDER not in said, said
    assert two.rows() == before


@pytest.mark.parametrize(
    "command",
    [
        'LIST "" *',
        'LIST "" %/%/%',
        f'LIST "" "Shared/{OWNER}/*"',
        f'LIST "{OWNER}/" "*"',
        'LSUB "" *',
        'LIST () "" ("*" "%") RETURN (CHILDREN STATUS (MESSAGES MAILBOXID))',
        "NAMESPACE",
        f'NOTIFY SET STATUS (mailboxes ("{FOLDER}" "{OWNER}/INBOX") (MessageNew MessageExpunge))',
        f'ESEARCH IN (mailboxes ("{FOLDER}" "{OWNER}/INBOX" "Shared/{OWNER}/{FOLDER}")) ALL',
        f'ESEARCH IN (subtree "Shared/{OWNER}" subtree "" subscribed personal inboxes) ALL',
        f'NOTIFY SET STATUS (subtree "Shared/{OWNER}" (MessageNew MessageExpunge MailboxName))',
    ],
)
def test_lists_name_nothing_of_another_tenant(two: Two, command: str) -> None:
    said = two.ask(command)
    assert said.splitlines()[-1].startswith("t OK"), said
    assert "alice" not in said
    assert "a.test" not in said
    assert FOLDER not in said


def test_names_made_alike_stay_ones_own(two: Two) -> None:
    before = two.rows()
    for command in ("CREATE", "SUBSCRIBE", "UNSUBSCRIBE", "DELETE"):
        for name in (FOLDER, f"Shared/{OWNER}/{FOLDER}"):
            two.ask(f'{command} "{name}"')
    assert two.rows() == before
    stranger = Mailbox.objects.exclude(pk=two.owner_id).get()
    assert not Folder.objects.filter(mailbox=stranger, name=FOLDER).exists()
