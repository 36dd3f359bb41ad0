"""The same dialogues with Dovecot and with us: every difference is named, and none is new."""

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.journeys.differential import imap, pop3
from tests.journeys.differential.dialogues import HERE, Server, differences, read_dialogues
from tests.partners.dovecot import Dovecot
from tests.partners.presence import Loopback
from tests.transcripts.given import Scene
from tests.transcripts.real import RealVenue

RFCS = Path(__file__).resolve().parents[2] / "docs" / "rfcs.md"
FILES = sorted(HERE.glob("*.txt"))

# What Mailhost has without being told: folders for special uses, and extensions by plug-ins.
CONFIGURATION = """
# NOTIFY needs it.
mailbox_list_index = yes
mail_plugins = acl quota
mail_attribute_dict = file:%h/dovecot-attributes
plugin {
  acl = vfile
  acl_anyone = allow
  quota = count:User quota
  quota_vsizes = yes
}
passdb {
  driver = static
  args = password=secret
}
namespace inbox {
  mailbox INBOX {
    auto = subscribe
  }
  mailbox Archive {
    special_use = \\Archive
    auto = subscribe
  }
  mailbox Drafts {
    special_use = \\Drafts
    auto = subscribe
  }
  mailbox Junk {
    special_use = \\Junk
    auto = subscribe
  }
  mailbox Sent {
    special_use = \\Sent
    auto = subscribe
  }
  mailbox Trash {
    special_use = \\Trash
    auto = subscribe
  }
}
protocol imap {
  mail_plugins = $mail_plugins imap_zlib imap_acl imap_quota
  imap_metadata = yes
  mail_max_userip_connections = 1000
}
protocol pop3 {
  mail_max_userip_connections = 1000
}
"""

_numbers = count(1)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory, loopback: Loopback) -> Iterator[Server]:
    dovecot = Dovecot(
        tmp_path_factory.mktemp("dovecot"), loopback.address(), {}, more=CONFIGURATION
    )

    def make_mailbox() -> tuple[str, str]:
        return f"user{next(_numbers)}", "secret"

    yield Server((dovecot.address, 2143), (dovecot.address, 2110), make_mailbox)
    dovecot.stop()


@pytest.fixture
def ours(transactional_db: None) -> Iterator[Server]:
    from accounts.directory.domains import create_domain
    from accounts.directory.mailboxes import create_mailbox
    from accounts.models import Tenant

    create_domain(Tenant.objects.create(slug="t", name="T"), "a.test")
    venues = [RealVenue(Scene(service)) for service in ("imap", "pop3")]

    def make_mailbox() -> tuple[str, str]:
        user = f"user{next(_numbers)}@a.test"
        create_mailbox(user, "secret")
        return user, "secret"

    yield Server(venues[0].address, venues[1].address, make_mailbox)
    for venue in venues:
        venue.end()


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_no_difference_is_new(path: Path, theirs: Server, ours: Server) -> None:
    perform = pop3.perform if path.stem == "pop3" else imap.perform
    capabilities = imap.capabilities(ours)
    surprises = []
    for dialogue in read_dialogues(path.read_text()):
        if dialogue.needs and dialogue.needs not in capabilities:
            continue
        answers = zip(perform(dialogue, theirs), perform(dialogue, ours), strict=True)
        for step, (their, our) in zip(dialogue.steps, answers, strict=True):
            found = differences(their, our)
            if found != step.expected:
                place = f"{path.name}:{step.number} {dialogue.title}"
                surprises.append("\n".join([place, step.line, *(f"  {each}" for each in found)]))
    assert not surprises, "\n\n".join(["", *surprises])


def test_every_difference_is_explained() -> None:
    told = RFCS.read_text().partition("## Differences from Dovecot")[2].partition("\n## ")[0]
    explained = set(re.findall(r"^\| `([a-z-]+)` \|", told, re.MULTILINE))
    steps = [
        step
        for path in FILES
        for dialogue in read_dialogues(path.read_text())
        for step in dialogue.steps
    ]
    assert all(bool(step.expected) is bool(step.reason) for step in steps)
    used = {step.reason for step in steps if step.reason}
    assert used == explained
