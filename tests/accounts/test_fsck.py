"""fsck: silent about what is right, one sentence for each thing that is wrong."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.utils import timezone

from accounts import blobs, commit, fsck
from accounts.mailstore import fetch, folders, overview
from accounts.mailstore.flags import Flag, StoreMode
from accounts.models import (
    Blob,
    Folder,
    Mailbox,
    Message,
    Overview,
    Recoverable,
    RecoverableEntry,
    Segment,
)
from protocols.wire.message import PREPARED_VERSION
from tests.accounts import as_owner
from tests.accounts.mail import (
    HELLO,
    append_many,
    counters_agree,
    delivery,
    inbox,
    keep_nothing_deleted,
    make_mailbox,
)

pytestmark = pytest.mark.django_db(transaction=True)


def faults(**options: bool) -> list[str]:
    found = fsck.check(lambda text: None, **options)
    return [finding.text for finding in found if finding.is_fault and not finding.is_repaired]


def filled() -> int:
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 5, flags=Flag.SEEN)
    commit.run(delivery(mailbox_id, HELLO, b"Return-Path: <>\r\n"))
    return mailbox_id


def run(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("fsck", *arguments, stdout=out, stderr=StringIO())
    except SystemExit as leaving:
        return int(leaving.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_a_whole_store_is_clean() -> None:
    filled()
    assert run() == (0, "clean\n")


def test_a_mailbox_without_inbox_is_told_and_given_one() -> None:
    mailbox_id = make_mailbox(with_folders=False)
    assert faults() == [f"Mailbox {mailbox_id} has no INBOX."]
    code, text = run("--repair")
    assert (code, text) == (0, f"repaired: Mailbox {mailbox_id} has no INBOX.\nclean\n")
    assert faults() == []
    commit.run(delivery(mailbox_id, HELLO))
    assert folders.find_folder(mailbox_id, "INBOX").exists == 1


def test_a_mailbox_that_is_being_removed_needs_no_inbox() -> None:
    mailbox_id = make_mailbox(with_folders=False)
    Mailbox.objects.filter(pk=mailbox_id).update(removed_at=timezone.now())
    assert faults() == []


def test_keywords_without_name_are_told() -> None:
    mailbox_id = filled()
    as_owner.store_flags(inbox(mailbox_id), [1], StoreMode.ADD, 0, ["one", "two"])
    assert faults() == []
    folder_id = inbox(mailbox_id)
    Folder.objects.filter(pk=folder_id).update(keywords=["one"])
    assert faults() == [f"Folder {folder_id} has messages with keywords that have no name."]


@pytest.mark.parametrize(
    ("model", "wrong", "word"),
    [
        (Folder, {"exists_count": 9}, "exists_count 9 and should have 6"),
        (Folder, {"unseen_count": 0}, "unseen_count 0 and should have 1"),
        (Folder, {"octets": 1}, "octets 1 and should"),
        (Folder, {"uidnext": 3}, "uidnext 3 and should have 7"),
        (Folder, {"highest_modseq": 0}, "highest_modseq 0 and should"),
        (Mailbox, {"used_bytes": 5}, "used_bytes 5 and should"),
        (Mailbox, {"used_messages": 5}, "used_messages 5 and should"),
        (Mailbox, {"highest_modseq": 0}, "highest_modseq 0 and should"),
        (Mailbox, {"next_uidvalidity": 2}, "next_uidvalidity 2 and should have 7"),
    ],
)
def test_wrong_counters_are_told_and_repaired(model: Any, wrong: dict[str, int], word: str) -> None:
    mailbox_id = filled()
    rows = model.objects.all() if model is Mailbox else model.objects.filter(name="INBOX")
    rows.update(**wrong)
    code, text = run()
    assert code == 1
    assert word in text
    assert "NOT CLEAN" in text
    code, text = run("--repair")
    assert code == 0
    assert "repaired: " in text
    assert run() == (0, "clean\n")
    assert counters_agree(mailbox_id)


@pytest.mark.parametrize("name", ["uidnext", "highest_modseq"])
def test_what_vanished_counts_for_the_next_number(name: str) -> None:
    """RFC 9051 §2.3.1.1, RFC 7162 §3.1.2: neither is given out again for something else."""
    mailbox_id = filled()
    as_owner.expunge_uids(inbox(mailbox_id), [2, 3, 6], only_deleted=False)
    should = getattr(Folder.objects.get(name="INBOX"), name)
    Folder.objects.filter(name="INBOX").update(**{name: should - 1})
    assert f"{name} {should - 1} and should have {should}." in run()[1]
    assert run("--repair")[0] == 0
    assert getattr(Folder.objects.get(name="INBOX"), name) == should


def without_keys(statement: str, *parameters: object) -> None:
    """As somebody does it by hand, or a damaged page: the database does not look at keys."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA foreign_keys=OFF")
        else:
            cursor.execute("SET session_replication_role = replica")
        try:
            cursor.execute(statement, parameters)
        finally:
            cursor.execute(
                "PRAGMA foreign_keys=ON"
                if connection.vendor == "sqlite"
                else "RESET session_replication_role"
            )


def test_a_message_whose_octets_have_no_place_is_told() -> None:
    filled()
    message = Message.objects.order_by("pk")[0]
    without_keys("DELETE FROM accounts_blob WHERE id = %s", message.blob_id)
    assert faults() == [
        f"message {message.pk} belongs to blob {message.blob_id}, which is not there."
    ]


def test_deleted_mail_that_nobody_could_bring_back_or_forget_is_told() -> None:
    mailbox_id = filled()
    as_owner.expunge_uids(inbox(mailbox_id), [1], only_deleted=False)
    entry = RecoverableEntry.objects.get()
    Recoverable.objects.filter(pk=entry.batch_id)._raw_delete("default")
    assert faults() == [
        f"recoverable entry {entry.pk} belongs to recoverable mail {entry.batch_id},"
        " which is not there."
    ]


def test_damaged_octets_are_told() -> None:
    filled()
    commit.reset()
    blob = Blob.objects.order_by("pk")[2]
    path = blobs.directory() / blob.segment.name
    with path.open("r+b") as stream:
        stream.seek(blob.offset)
        stream.write(b"#")
    [sentence] = faults()
    assert sentence.startswith(f"Blob {blob.pk}: ")
    assert "checksum" in sentence


def test_a_missing_segment_is_told() -> None:
    filled()
    commit.reset()
    segment = Segment.objects.get()
    (blobs.directory() / segment.name).unlink()
    sentences = faults()
    assert sentences[0] == f"{segment.name} is missing; 6 blobs lie in it."
    assert len(sentences) == 7


def test_a_short_segment_is_told() -> None:
    filled()
    commit.reset()
    Segment.objects.update(size=F("size") + 1)
    assert "should have" in faults()[0]


def test_a_wrong_size_is_told() -> None:
    filled()
    message = Message.objects.order_by("pk").last()
    assert message is not None
    Message.objects.filter(pk=message.pk).update(prefix=b"x")
    assert f"message {message.pk} says {message.size} octets, which its parts are not." in faults()


def test_a_message_of_another_mailbox_is_told() -> None:
    filled()
    Message.objects.filter(pk=Message.objects.first().pk).update(mailbox_id=make_mailbox())
    assert any("of another mailbox" in sentence for sentence in faults())


def test_leftovers_are_no_fault() -> None:
    mailbox_id = filled()
    keep_nothing_deleted()
    as_owner.expunge_uids(inbox(mailbox_id), [1], only_deleted=False)
    code, text = run()
    assert code == 0
    assert "note: 1 messages are in no folder." in text
    code, text = run("--collect")
    assert "in no folder" not in text
    assert "'messages': 1" in text


def test_json() -> None:
    filled()
    Mailbox.objects.update(used_bytes=1)
    code, text = run("--json", "--collect", "--prepare")
    report = json.loads(text)
    assert code == 1
    assert report["clean"] is False
    assert report["findings"][0]["kind"] == "counter"
    assert report["prepared"] == 0
    assert report["collected"]["messages"] == 0


def test_prepare_renews_old_forms() -> None:
    mailbox_id = filled()
    [good] = fetch.fetch(inbox(mailbox_id), [6], columns=fetch.Columns.ENVELOPE)
    shown = overview.read(inbox(mailbox_id), [1, 2, 3, 4, 5, 6], b"\0")
    assert shown is not None
    Message.objects.update(prepared_version=PREPARED_VERSION - 1, envelope=b"old")
    Overview.objects.filter(pk__gt=Overview.objects.earliest("pk").pk).delete()
    Overview.objects.update(octets=b"old")
    code, text = run("--prepare")
    assert code == 0
    assert "prepared: 6" in text
    assert fetch.fetch(inbox(mailbox_id), [6], columns=fetch.Columns.ENVELOPE) == [good]
    assert overview.read(inbox(mailbox_id), [1, 2, 3, 4, 5, 6], b"\0") == shown
    assert set(Message.objects.values_list("prepared_version", flat=True)) == {PREPARED_VERSION}


@pytest.mark.parametrize(
    ("prefix", "octets"),
    [
        (b"Message-ID: <given@a.test>\r\n", b"From: alice@a.test\r\n\r\nHello.\r\n"),
        (b"Message-ID: <given@a.test>\r\n\r\n", b"No header at all: but a colon\r\n"),
    ],
)
def test_prepare_sees_the_header_fields_that_were_given_at_delivery(
    prefix: bytes, octets: bytes
) -> None:
    mailbox_id = make_mailbox()
    commit.run(delivery(mailbox_id, octets, prefix))
    columns = fetch.Columns.ENVELOPE | fetch.Columns.HEADERS | fetch.Columns.BODYSTRUCTURE
    before = fetch.fetch(inbox(mailbox_id), [1], columns=columns)
    assert b"given@a.test" in (before[0].envelope or b"")
    Message.objects.update(prepared_version=PREPARED_VERSION - 1)
    assert run("--prepare")[0] == 0
    assert fetch.fetch(inbox(mailbox_id), [1], columns=columns) == before
