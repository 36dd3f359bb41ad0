"""Catalogs: as the database is, shared by who asks, and read only where something changed."""

import pytest

from accounts.mailstore import acl, folders, subscriptions
from accounts.mailstore import catalog as store
from accounts.mailstore.catalog import catalog, sight
from accounts.mailstore.rights import Right
from accounts.models import Mailbox
from tests.accounts.mail import append_many, inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_says_what_the_database_says() -> None:
    mailbox_id = make_mailbox()
    known = catalog(mailbox_id)
    for change in (
        lambda: folders.create_folder(mailbox_id, "a/b"),
        lambda: folders.rename_folder(mailbox_id, "a", "z"),
        lambda: folders.delete_folder(mailbox_id, "z"),
        lambda: folders.delete_folder(mailbox_id, "z/b"),
        lambda: append_many(mailbox_id, inbox(mailbox_id), 2),
        lambda: subscriptions.subscribe(mailbox_id, "later"),
        lambda: subscriptions.unsubscribe(mailbox_id, "Sent"),
    ):
        before = known
        change()
        known = catalog(mailbox_id, known)
        assert known is not before
        found = sorted(known.folders.values(), key=lambda folder: folder.name)
        assert found == folders.list_folders(mailbox_id)
        assert known.subscribed == set(subscriptions.list_subscriptions(mailbox_id))


def test_it_is_shared_and_lets_go() -> None:
    mailbox_id = make_mailbox()
    one, other = catalog(mailbox_id), catalog(mailbox_id)
    assert one is other
    append_many(mailbox_id, inbox(mailbox_id), 1)
    newer = catalog(mailbox_id, one)
    assert newer is not one
    assert catalog(mailbox_id, other) is newer
    # What did not change is not read again.
    same = [key for key, folder in newer.folders.items() if folder is one.folders[key]]
    assert len(same) == len(newer.folders) - 1
    del one, other, newer
    assert mailbox_id not in store._catalogs


def test_what_changes_nothing_is_no_news() -> None:
    mailbox_id = make_mailbox()
    known = catalog(mailbox_id)
    subscriptions.subscribe(mailbox_id, "Sent")
    subscriptions.unsubscribe(mailbox_id, "never was")
    assert catalog(mailbox_id, known) is known


def test_a_mailbox_that_is_gone_has_no_folders() -> None:
    assert catalog(999_999).folders == {}


def two_of_a_tenant() -> tuple[int, int]:
    owner = make_mailbox()
    domain = Mailbox.objects.get(pk=owner).domain
    reader = Mailbox.objects.create(domain=domain, local_part="reader")
    folders.provision(reader.pk)
    return owner, reader.pk


def test_a_sight_has_what_others_share_now() -> None:
    owner, reader = two_of_a_tenant()
    known = sight(reader, with_others=True)
    assert known.others == {}
    assert sight(reader, known, with_others=True) is known
    shared = folders.find_folder(owner, "INBOX")
    acl.set_rights(owner, shared, acl.Identifier(reader), "", Right.LOOKUP | Right.READ)
    seen = sight(reader, known, with_others=True)
    assert list(seen.others) == [shared.id]
    assert seen.folders == {**known.folders, **seen.others}
    assert sight(reader, seen, with_others=True) is seen
    assert sight(reader, with_others=False).others == {}
    # What did not change is the same object.
    folders.create_folder(reader, "new")
    newer = sight(reader, seen, with_others=True)
    assert newer is not seen
    assert newer.folders[shared.id] is seen.folders[shared.id]
    acl.set_rights(owner, shared, acl.Identifier(reader), "", Right.READ)
    assert sight(reader, newer, with_others=True).others == {}
