"""Annotations: what is kept, what is found, how much of it there may be, and who hears of it."""

import pytest

from accounts.mailstore import acl, annotations, folders, rights
from accounts.mailstore.annotations import SERVER
from accounts.mailstore.catalog import highest_modseq
from accounts.mailstore.folder_info import FolderInfo
from accounts.mailstore.refusals import (
    AnnotationTooLong,
    NoSuchFolder,
    NotPermitted,
    TooManyAnnotations,
)
from accounts.models import Annotation, Mailbox
from tests.accounts.mail import inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "/private/comment"


def _write(mailbox_id: int, folder_id: int | None, **values: bytes | None) -> int:
    named = {f"/private/{name}": value for name, value in values.items()}
    return annotations.write(mailbox_id, folder_id, named)


def _read(mailbox_id: int, folder_id: int | None) -> dict[str, bytes]:
    return annotations.read(mailbox_id, folder_id, ["/private", "/shared"], levels=None)


def test_octets_come_back_as_they_were() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    value = bytes(range(256))
    for where in (folder_id, SERVER):
        _write(mailbox_id, where, a=value, b=b"")
        assert _read(mailbox_id, where) == {"/private/a": value, "/private/b": b""}
        _write(mailbox_id, where, a=b"new", b=None)
        assert _read(mailbox_id, where) == {"/private/a": b"new"}


def test_folders_mailboxes_and_the_server_keep_their_own() -> None:
    one, other = make_mailbox(), make_mailbox()
    sent = folders.find_folder(one, "Sent").id
    for number, (mailbox_id, where) in enumerate(
        [(one, inbox(one)), (one, sent), (one, SERVER), (other, inbox(other)), (other, SERVER)]
    ):
        assert _read(mailbox_id, where) == {}
        _write(mailbox_id, where, a=b"%d" % number)
    assert _read(one, sent) == {"/private/a": b"1"}
    assert _read(one, SERVER) == {"/private/a": b"2"}
    assert _read(other, SERVER) == {"/private/a": b"4"}
    infos = [_inbox(one), folders.find_folder(one, "Sent"), _inbox(other)]
    found = annotations.read_of_folders(one, infos, ["/private/a"])
    assert found == {inbox(one): {"/private/a": b"0"}, sent: {"/private/a": b"1"}, inbox(other): {}}


def _inbox(mailbox_id: int) -> FolderInfo:
    return folders.find_folder(mailbox_id, "INBOX")


def test_a_reader_of_anothers_folder_sees_what_is_shared_and_its_own() -> None:
    owner, reader = make_mailbox(), make_mailbox()
    domain = Mailbox.objects.get(pk=owner).domain
    Mailbox.objects.filter(pk=reader).update(domain=domain, local_part="bob")
    folder_id = inbox(owner)
    annotations.write(owner, folder_id, {"/private/a": b"owner", "/shared/a": b"all"})
    with pytest.raises(NoSuchFolder):
        _write_to(reader, owner, {"/private/a": b"reader"})
    _give(owner, reader, "lr")
    with pytest.raises(NotPermitted):
        _write_to(reader, owner, {"/private/a": b"reader", "/shared/a": b"changed"})
    before = highest_modseq(owner)
    _write_to(reader, owner, {"/private/a": b"reader"})
    assert highest_modseq(owner) == before
    found = annotations.read(reader, folder_id, ["/private/a", "/shared/a"], owner_id=owner)
    assert found == {"/private/a": b"reader", "/shared/a": b"all"}
    _give(owner, reader, "lrw")
    _write_to(reader, owner, {"/shared/a": b"changed"})
    assert _read(owner, folder_id) == {"/private/a": b"owner", "/shared/a": b"changed"}
    listed = annotations.read_of_folders(reader, [_inbox(owner)], ["/private/a", "/shared/a"])
    assert listed == {folder_id: {"/private/a": b"reader", "/shared/a": b"changed"}}


def _give(owner: int, reader: int, letters: str) -> None:
    given = rights.parse(letters)
    acl.set_rights(owner, _inbox(owner), acl.Identifier(reader), "", given)


def _write_to(reader: int, owner: int, values: dict[str, bytes | None]) -> None:
    annotations.write(reader, inbox(owner), values, owner_id=owner)


def test_wildcards_of_the_database_are_plain_letters() -> None:
    mailbox_id = make_mailbox()
    annotations.write(mailbox_id, SERVER, {"/private/a_b/c": b"1", "/private/axb/c": b"2"})
    found = annotations.read(mailbox_id, SERVER, ["/private/a_b"], levels=1)
    assert found == {"/private/a_b/c": b"1"}


def test_all_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox_id = make_mailbox()
    with pytest.raises(AnnotationTooLong):
        _write(mailbox_id, SERVER, a=b"1", b=b"x" * (annotations.MAX_VALUE + 1))
    _write(mailbox_id, SERVER, a=b"x" * annotations.MAX_VALUE)
    monkeypatch.setattr(annotations, "MAX_ENTRIES", 3)
    with pytest.raises(TooManyAnnotations):
        _write(mailbox_id, SERVER, b=b"2", c=b"3", d=b"4")
    assert set(_read(mailbox_id, SERVER)) == {"/private/a"}
    with pytest.raises(NoSuchFolder):
        _write(mailbox_id, inbox(make_mailbox()), a=b"1")


def test_octets_of_all_folders_together_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox_id = make_mailbox()
    monkeypatch.setattr(annotations, "MAX_OCTETS", 10)
    _write(mailbox_id, SERVER, a=b"12345")
    _write(mailbox_id, inbox(mailbox_id), a=b"12345")
    with pytest.raises(TooManyAnnotations):
        _write(mailbox_id, inbox(mailbox_id), b=b"1")
    # What takes no more than it gives back is fine.
    _write(mailbox_id, SERVER, a=b"54321")


def test_what_was_removed_is_told_and_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox_id = make_mailbox()
    before = highest_modseq(mailbox_id)
    _write(mailbox_id, SERVER, a=b"1", b=b"2")
    removed_at = _write(mailbox_id, SERVER, a=None)
    changed = annotations.changed_since(mailbox_id, before)
    assert {(each.folder_id, each.name) for each in changed} == {
        (None, "/private/a"),
        (None, "/private/b"),
    }
    assert [each.name for each in annotations.changed_since(mailbox_id, removed_at - 1)] == [
        "/private/a"
    ]
    monkeypatch.setattr(annotations, "MAX_ENTRIES", 2)
    _write(mailbox_id, SERVER, c=b"3")
    assert set(Annotation.objects.values_list("name", flat=True)) == {"/private/b", "/private/c"}


def test_each_change_raises_the_mailbox() -> None:
    mailbox_id = make_mailbox()
    before = Mailbox.objects.get(pk=mailbox_id).highest_modseq
    folder = folders.find_folder(mailbox_id, "INBOX")
    modseq = _write(mailbox_id, folder.id, a=b"1")
    assert modseq == Mailbox.objects.get(pk=mailbox_id).highest_modseq > before
    # RFC 7162 §3.2: the folder changes with it.
    assert folders.get_folder(folder.id).highest_modseq == modseq


def test_they_go_with_their_folder() -> None:
    mailbox_id = make_mailbox()
    made = folders.create_folder(mailbox_id, "a/b")
    above = folders.find_folder(mailbox_id, "a")
    for folder in (made, above):
        _write(mailbox_id, folder.id, a=b"1")
    folders.rename_folder(mailbox_id, "a", "z")
    assert _read(mailbox_id, made.id) == {"/private/a": b"1"}
    folders.delete_folder(mailbox_id, "z")
    assert _read(mailbox_id, above.id) == {}
    folders.delete_folder(mailbox_id, "z/b")
    assert not Annotation.objects.exists()
