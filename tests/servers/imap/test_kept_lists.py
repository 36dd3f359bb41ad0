"""LIST and LSUB are told from memory only as long as they would be the same by a look."""

from collections.abc import Callable
from itertools import chain, combinations

import pytest
from django.db import connection

from accounts import commit, directory
from accounts.mailstore import acl, folders, rights, subscriptions
from accounts.models import Mailbox
from protocols.servers.imap import kept_lists
from tests.accounts.mail import append_many, inbox
from tests.servers.imap.asking import answered, ask
from tests.transcripts.direct import DirectWire

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no stamps"),
]

RETURNS = ("SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "MYRIGHTS")
SELECTS = ("SUBSCRIBED", "SUBSCRIBED RECURSIVEMATCH", "SPECIAL-USE")
PATTERNS = (
    '"" ("")',
    '"" *',
    '"" %',
    '"" ""',
    '"a/" %',
    '"" inbox',
    '"" nothing',
    '"" ("*" "a/%")',
)


def lines() -> list[bytes]:
    """LIST and LSUB with all these options, one after the other and together."""
    returned = chain.from_iterable(combinations(RETURNS, number) for number in range(4))
    options = [f" RETURN ({' '.join(each)})" if each else "" for each in returned]
    selected = ["", *(f"({each}) " for each in SELECTS)]
    asked = [f"LIST {s}{p}{o}" for s in selected for p in PATTERNS for o in options]
    plain = [f"LSUB {each}" for each in PATTERNS[:-1]]
    return [each.encode() for each in asked + plain]


def test_the_answer_is_that_of_a_look(wire: DirectWire, mailbox_id: int) -> None:
    for name in ("a/b", "a/c/d", "R\u00e9"):
        folders.create_folder(mailbox_id, name)
    folders.delete_folder(mailbox_id, "a")
    for name in ("a/c", "gone/x"):
        subscriptions.subscribe(mailbox_id, name)
    for enabling in (b"NOOP", b"ENABLE UTF8=ACCEPT"):
        ask(wire, enabling)
        asked = lines()
        looked = [answered(wire, line) for line in asked]
        kept = [answered(wire, line) for line in asked]
        assert [said for said, _ in kept] == [said for said, _ in looked]
        # The delimiter alone is soon told.
        plain = b'"" ""'
        assert all(
            is_quick for line, (_, is_quick) in zip(asked, kept, strict=True) if plain not in line
        )
        wire._session._client.masked = frozenset({"SPECIAL-USE"})
        assert b"Sent" in ask(wire, b'LIST "" *') != looked[0][0]
        wire._session._client.masked = frozenset()


def create(mailbox_id: int) -> None:
    folders.create_folder(mailbox_id, "new")


def rename(mailbox_id: int) -> None:
    folders.rename_folder(mailbox_id, "Sent", "new")


def delete(mailbox_id: int) -> None:
    folders.delete_folder(mailbox_id, "Sent")


def unsubscribe(mailbox_id: int) -> None:
    subscriptions.unsubscribe(mailbox_id, "Sent")


def neighbour(mailbox_id: int) -> int:
    mine = Mailbox.objects.get(pk=mailbox_id)
    owner = Mailbox.objects.create(domain=mine.domain, local_part="bob")
    folders.provision(owner.pk)
    return owner.pk


def share(mailbox_id: int) -> None:
    owner = Mailbox.objects.get(local_part="bob")
    folder = folders.find_folder(owner.pk, "Sent")
    acl.set_rights(owner.pk, folder, acl.Identifier(mailbox_id), "", rights.ALL)


def share_with_anyone(mailbox_id: int) -> None:
    owner = Mailbox.objects.get(local_part="bob")
    acl.set_rights_everywhere(owner.pk, acl.Identifier(None), rights.Right.LOOKUP)


def create_below_what_is_shared(mailbox_id: int) -> None:
    """Here the parent is the root, of which nobody sees that it is shared."""
    owner = Mailbox.objects.get(local_part="bob")
    folders.create_folder(owner.pk, "new")


@pytest.mark.parametrize(
    "change",
    [create, rename, delete, unsubscribe, share, share_with_anyone, create_below_what_is_shared],
)
def test_what_changed_is_told(
    wire: DirectWire, mailbox_id: int, change: Callable[[int], None]
) -> None:
    owner = neighbour(mailbox_id)
    if change is create_below_what_is_shared:
        acl.set_rights_everywhere(owner, acl.Identifier(mailbox_id), rights.ALL)
        for folder in folders.list_folders(owner):
            acl.set_rights(owner, folder, acl.Identifier(mailbox_id), "", rights.NONE)
    line = b'LIST "" * RETURN (SUBSCRIBED)'
    before = ask(wire, line)
    assert answered(wire, line) == (before, True)
    change(mailbox_id)
    after, is_quick = answered(wire, line)
    assert not is_quick
    assert after != before


def test_who_sees_folders_of_others_looks_each_time(wire: DirectWire, mailbox_id: int) -> None:
    owner = neighbour(mailbox_id)
    share(mailbox_id)
    assert b"Shared/" in ask(wire, b'LIST "" *')
    said, is_quick = answered(wire, b'LIST "" *')
    assert b"Shared/" in said
    assert not is_quick
    directory.suspend_mailbox(Mailbox.objects.get(pk=owner))
    assert b"Shared/" not in ask(wire, b'LIST "" *')


def test_news_are_told_with_a_list(wire: DirectWire, mailbox_id: int) -> None:
    for line in (b"SELECT INBOX", b"CLOSE", b"SELECT INBOX", b'LIST "" *'):
        ask(wire, line)
    assert answered(wire, b'LIST "" *')[1]
    append_many(mailbox_id, inbox(mailbox_id), 1)
    assert b"* 1 EXISTS" in ask(wire, b'LIST "" *')


@pytest.mark.parametrize("options", [b"STATUS (MESSAGES)", b"METADATA (/private/comment)"])
def test_what_is_told_of_more_than_names_is_looked_for(wire: DirectWire, options: bytes) -> None:
    line = b'LIST "" * RETURN (' + options + b")"
    assert b"t OK" in ask(wire, line)
    assert not answered(wire, line)[1]


def test_what_is_kept_is_bounded(wire: DirectWire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_lists, "CAPACITY", 3)
    for number in range(9):
        ask(wire, b'LIST "" %d' % number)
        assert 0 < len(kept_lists._kept) <= 3
    kept_lists.forget()
    ask(wire, b'LIST "" ' + b"a" * kept_lists.LONGEST)
    assert not kept_lists._kept
    commit.reset()


def test_mail_that_comes_here_leaves_a_list_as_it_was(wire: DirectWire, mailbox_id: int) -> None:
    before = ask(wire, b'LIST "" *')
    append_many(mailbox_id, inbox(mailbox_id), 1)
    assert answered(wire, b'LIST "" *') == (before, True)
