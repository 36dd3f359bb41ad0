"""Header fields that SEARCH keeps in memory: all that was asked for, bounded, never copied."""

import pytest

from accounts.mailstore import index, search_fields
from accounts.mailstore.picture import Picture
from tests.accounts.mail import append_many, inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


def picture_of(number: int) -> Picture:
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), number)
    return index.picture(inbox(mailbox_id))


def test_what_is_asked_for_in_parts_is_not_copied_for_each() -> None:
    picture = picture_of(6)
    # A folder of half a million is asked for in a thousand parts.
    first = search_fields.values(picture, b"subject", picture.uids[:2])
    assert search_fields.values(picture, b"subject", picture.uids[2:4]) is first
    assert search_fields.values(picture, b"subject", picture.uids) is first
    assert dict(first) == dict.fromkeys(picture.uids, "hello")
    assert dict(search_fields.values(picture, b"cc", picture.uids[:1])) == {1: None}


@pytest.mark.parametrize("limit", [0, 500])
def test_all_that_was_asked_for_comes_where_little_is_kept(
    monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    picture = picture_of(6)
    monkeypatch.setattr(search_fields._cache, "_limit", limit)
    for end in (2, 4, 6, 3):
        uids = picture.uids[:end]
        values = search_fields.values(picture, b"subject", uids)
        assert {uid: values[uid] for uid in uids} == dict.fromkeys(uids, "hello")
        assert sum(search_fields._cache._sizes.values()) <= limit


def test_those_of_gone_messages_go_first() -> None:
    picture = picture_of(4)
    known = search_fields.values(picture, b"subject", picture.uids[:3])
    kept = search_fields._cache.add(
        (picture.folder_id, picture.uidvalidity, b"subject"), {9: "later"}, 3
    )
    assert kept == {9: "later"}
    # Who reads the old ones meanwhile still has them.
    assert sorted(known) == [1, 2, 3]
    values = search_fields.values(picture, b"subject", picture.uids)
    assert {uid: values[uid] for uid in picture.uids} == dict.fromkeys(picture.uids, "hello")
