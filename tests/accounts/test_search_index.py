"""The search index rules nothing out that a text has, whatever becomes of mail and its tailer."""

import json
import os
import random
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts import commit, directory, fsck, garbage
from accounts.mailstore import (
    append,
    copy,
    expunge,
    forgetting,
    index,
    search,
    search_bits,
    search_blocks,
    search_index,
    search_kept,
    search_recent,
    search_tailer,
)
from accounts.mailstore.search import Scope
from accounts.mailstore.search_text import Needle
from accounts.models import Mailbox, Message, SearchBits, SearchBlock, SearchCursor, SearchText
from protocols.wire.imap.search import BodyHas, SearchKey, TextHas
from tests.accounts.mail import HELLO, content, inbox, make_mailbox
from tests.accounts.search_oracle import body_has, message_has

WORDS = (
    "café",
    "HELLO",
    "straße",
    "日本語",
    "漢",
    "e\u0301",
    "\u212a",
    "ﬁ",
    "x=3d",
    "ab",
    "\U0001f600",
)


@given(st.binary(max_size=300), st.data())
def test_a_text_is_among_the_columns_for_every_piece_of_it(
    text: bytes, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text)))
    needle = text[start : data.draw(st.integers(start, len(text)))]
    column = data.draw(st.integers(0, search_bits.COLUMNS - 1))
    matrix = search_bits.Matrix()
    matrix.add(column, text)
    matrix.add_unknown(column ^ 1)
    parts = dict(enumerate(matrix.parts()))
    found = search_bits.columns(parts, search_bits.buckets_of_needle(needle))
    assert {column, column ^ 1} <= set(found)
    assert search_bits.has_bits(search_bits.unpacked(parts.values()), column, text)


@given(st.lists(st.binary(max_size=40), max_size=20), st.booleans())
def test_each_text_has_the_bits_of_its_triples_and_no_others(
    texts: list[bytes], is_cut: bool
) -> None:
    matrix = search_bits.Matrix()
    with pytest.MonkeyPatch.context() as patch:
        if is_cut:
            patch.setattr(search_bits, "_PIECE", 5)
        for column, text in enumerate(texts):
            matrix.add(column, text)
        rows = search_bits.unpacked(matrix.parts())
    expected = bytearray(search_bits.BUCKETS * search_bits.ROW_OCTETS)
    for column, text in enumerate(texts):
        for bucket in _buckets(text):
            expected[bucket * search_bits.ROW_OCTETS + (column >> 3)] |= 1 << (column & 7)
    assert bytes(rows) == bytes(expected)
    for column, text in enumerate(texts):
        assert search_bits.has_bits(rows, column, text)


def _buckets(text: bytes) -> set[int]:
    """As the stored blocks have them, which a change must leave readable."""
    return {
        ((first << 16 | second << 8 | third) * 0x9E3779B1 >> 18) & (search_bits.BUCKETS - 1)
        for first, second, third in zip(text, text[1:], text[2:], strict=False)
    }


def test_a_needle_costs_few_rows_however_long_it_is() -> None:
    long = bytes(random.Random(1).randbytes(64 << 10))
    assert len(search_bits.buckets_of_needle(long)) <= search_bits.NEEDLE_TRIPLES
    assert search_bits.buckets_of_needle(b"ab") == []
    assert len(search_bits.buckets_of_needle(b"abc")) == 1
    matrix = search_bits.Matrix()
    matrix.add(3, b"some other text altogether")
    parts = dict(enumerate(matrix.parts()))
    assert search_bits.columns(parts, search_bits.buckets_of_needle(long)) == []


def found(folder_id: int, program: SearchKey) -> list[int]:
    picture = index.picture(folder_id)
    scope = Scope(picture, picture.uids, [], now=2_000_000_000)
    return [uid for uids in search.search(scope, program) for uid in uids]


def naive(folder_id: int, text: str) -> tuple[list[int], list[int]]:
    """The UIDs whose body, and whose header or body, has the text: told from octets alone."""
    needle = Needle(text)
    bodies, messages = [], []
    for uid, octets in sorted(content(folder_id).items()):
        bodies += [uid] if body_has(needle, octets) else []
        messages += [uid] if message_has(needle, octets) else []
    return bodies, messages


@pytest.fixture
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_blocks, "COLUMNS", 4)


BODIES = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=6).map(lambda words: " ".join(words).encode()),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40).map(
        lambda text: text.encode()
    ),
    # Octets of no charset.
    st.binary(max_size=40).map(lambda octets: octets.replace(b"\0", b"\xff")),
)
QUERIES = st.one_of(
    st.sampled_from(
        [*WORDS, "a", "e", "日", "cafe", "mime", "bob", "nothing at all", "x" * 70_000]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4),
)


def octets_of(body: bytes) -> bytes:
    return (
        b"From: bob@a.test\r\nSubject: about\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    ) + body


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_small_blocks")
@settings(
    max_examples=20,
    # Each example fills a mailbox: what fails is told as it was found.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(
    st.lists(BODIES, min_size=5, max_size=14),
    st.lists(BODIES, max_size=3),
    st.sets(st.integers(1, 14)),
    st.lists(QUERIES, min_size=1, max_size=4),
    st.data(),
)
def test_the_index_answers_as_a_scan_of_all_octets_does(
    old: list[bytes], new: list[bytes], gone: set[int], queries: list[str], data: st.DataObject
) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    for body in old:
        append.append_message(mailbox_id, folder_id, octets_of(body)).result()
    search_tailer.catch_up(60, rests=False)
    assert SearchBlock.objects.filter(mailbox_id=mailbox_id).count() == len(old) // 4
    # What came since, what went since, and copies of what is indexed.
    for body in new:
        append.append_message(mailbox_id, folder_id, octets_of(body)).result()
    copy.copy_uids(folder_id, [2, 3], folder_id, actor=mailbox_id)
    expunge.expunge_uids(folder_id, sorted(gone), only_deleted=False, actor=mailbox_id)
    body = data.draw(st.sampled_from(old)).decode("utf-8", "replace")
    start = data.draw(st.integers(0, len(body)))
    queries.append(body[start : data.draw(st.integers(start, len(body)))])
    for is_collected in (False, True):
        if is_collected:
            forgetting.forget_mailbox(mailbox_id)
            garbage.collect()
        for query in queries:
            bodies, messages = naive(folder_id, query)
            for _ in range(2):
                assert found(folder_id, BodyHas(query)) == bodies
                assert found(folder_id, TextHas(query)) == messages
            search_recent.forget()
    assert [each for each in fsck.check(lambda text: None) if each.is_fault] == []


def word(number: int) -> str:
    return f"word{number * 7919:08d}"


def fill(mailbox_id: int, count: int, first: int = 1) -> int:
    folder_id = inbox(mailbox_id)
    for number in range(first, first + count):
        octets = HELLO + word(number).encode() + b"\r\n"
        append.append_message(mailbox_id, folder_id, octets).result()
    return folder_id


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_small_blocks")
def test_only_what_the_index_cannot_rule_out_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox_id = make_mailbox()
    folder_id = fill(mailbox_id, 18)
    assert search_tailer.catch_up(60, rests=False) == 18
    assert search_tailer.catch_up(60, rests=False) == 0
    assert SearchText.objects.count() == 18
    read: list[int] = []
    plain = search_kept.read
    monkeypatch.setattr(
        search_kept, "read", lambda key, uids, **kw: read.extend(uids) or plain(key, uids, **kw)
    )
    # Seventeen and eighteen fill no block.
    assert found(folder_id, BodyHas(word(9))) == [9]
    assert read == [9, 17, 18]
    # A neighbour with the same words is nobody's candidate.
    other = fill(make_mailbox(), 8)
    search_tailer.catch_up(60, rests=False)
    read.clear()
    search_recent.forget()
    assert found(folder_id, BodyHas(word(3))) == [3]
    assert found(other, BodyHas(word(9))) == []
    assert read == [3, 17, 18]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_small_blocks")
def test_what_is_expunged_leaves_the_index_and_neighbours_close_up() -> None:
    mailbox_id = make_mailbox()
    folder_id = fill(mailbox_id, 12)
    search_tailer.catch_up(60, rests=False)
    expunge.expunge_uids(folder_id, [1, 2, 5, 6, 12], only_deleted=False, actor=mailbox_id)
    forgetting.forget_mailbox(mailbox_id)
    garbage.collect()
    live = list(Message.objects.order_by("pk").values_list("pk", flat=True))
    blocks = SearchBlock.objects.order_by("last")
    indexed = [list(search_index.unpack_keys(bytes(block.keys))) for block in blocks]
    assert indexed == [live[:4], live[4:]]
    assert SearchBits.objects.count() == 2 * search_bits.PARTS
    assert found(folder_id, BodyHas("word")) == [3, 4, 7, 8, 9, 10, 11]
    assert garbage.search_blocks.forget_gone() == 0
    expunge.expunge_uids(folder_id, None, only_deleted=False, actor=mailbox_id)
    forgetting.forget_mailbox(mailbox_id)
    garbage.collect()
    assert not SearchBlock.objects.exists()
    assert not SearchBits.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_small_blocks")
def test_a_purged_mailbox_leaves_nothing() -> None:
    mailbox_id = make_mailbox()
    fill(mailbox_id, 9)
    search_tailer.catch_up(60, rests=False)
    directory.purge_mailbox(Mailbox.objects.get(pk=mailbox_id))
    for model in (SearchBlock, SearchBits, SearchCursor, SearchText):
        assert not model.objects.exists()
    assert search_tailer.catch_up(60, rests=False) == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_small_blocks")
def test_large_and_lost_texts_are_never_ruled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_kept, "LARGEST_KEPT", 10)
    mailbox_id = make_mailbox()
    folder_id = fill(mailbox_id, 8)
    monkeypatch.setattr(
        search_blocks.message_octets,
        "read",
        lambda rows, plain=search_blocks.message_octets.read: (
            (key, None if at == 0 else octets) for at, (key, octets) in enumerate(plain(rows))
        ),
    )
    search_tailer.catch_up(60, rests=False)
    assert not SearchText.objects.exists()
    possible = search_index.possible_uids(index.picture(folder_id), word(2).encode())
    assert possible == {1, 2, 5}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_small_blocks")
def test_another_version_counts_for_nothing_and_is_renewed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailbox_id = make_mailbox()
    folder_id = fill(mailbox_id, 4)
    search_tailer.catch_up(60, rests=False)
    SearchBits.objects.update(rows=b"?")
    version = search_index.VERSION + 1
    for module in (search_index, search_blocks, search_tailer):
        monkeypatch.setattr(module, "VERSION", version)
    assert found(folder_id, BodyHas(word(2))) == [2]
    assert search_tailer.catch_up(60, rests=False) == 4
    assert set(SearchBlock.objects.values_list("version", flat=True)) == {version}
    assert found(folder_id, BodyHas(word(2))) == [2]


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_small_blocks")
def test_operators_see_prove_and_renew_it() -> None:
    mailbox_id = make_mailbox()
    folder_id = fill(mailbox_id, 5)
    address = Mailbox.objects.get(pk=mailbox_id).address
    [row] = json.loads(run("search", "status", address, "--json"))
    assert (row["messages"], row["texts"], row["indexed"], row["is_behind"]) == (5, 0, 0, True)
    assert json.loads(run("search", "catch-up", "--json")) == [{"read": 5}]
    [row] = json.loads(run("search", "status", "--json"))
    assert (row["texts"], row["indexed"], row["blocks"]) == (5, 4, 1)
    assert row["octets"] > 0
    assert not row["is_behind"]
    # Bits that deny what a text has.
    empty = search_bits.Matrix().parts()[0]
    SearchBits.objects.update(rows=empty)
    assert found(folder_id, BodyHas(word(2))) == []
    [fault] = [each for each in fsck.check(lambda text: None) if each.is_fault]
    assert fault.text == f"The search index of mailbox {mailbox_id} misses 4 messages."
    [mended] = [each for each in fsck.check(lambda text: None, is_repairing=True) if each.is_fault]
    assert mended.is_repaired
    assert found(folder_id, BodyHas(word(2))) == [2]
    assert json.loads(run("search", "rebuild", address, "--json")) == [{"read": 5}]
    assert found(folder_id, BodyHas(word(2))) == [2]
    assert SearchBlock.objects.count() == 1
    # A message that no block stands for, below the last one.
    SearchBlock.objects.update(keys=search_index.pack_keys([0, 0, 0, 0]))
    [fault] = [each for each in fsck.check(lambda text: None) if each.is_fault]
    assert "misses 4 messages" in fault.text
    SearchText.objects.update(version=search_kept.VERSION - 1)
    SearchCursor.objects.update(version=0)
    call_command("fsck", "--prepare", "--repair", stdout=StringIO(), stderr=StringIO())
    assert set(SearchText.objects.values_list("version", flat=True)) == {search_kept.VERSION}


TAILER = """
import sys, os, signal, random, django, threading
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
django.setup()
from accounts.mailstore import search_blocks, search_tailer
search_blocks.COLUMNS = 4
search_tailer.BATCH = 3
lines = int(sys.argv[2])
def count(frame, event, argument):
    global lines
    lines -= event == "line"
    if lines < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return count if "accounts" in frame.f_code.co_filename else None
threading.settrace(count)
sys.settrace(count)
search_tailer.catch_up(60, rests=False)
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_small_blocks")
def test_killed_at_any_line_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    mailboxes = [make_mailbox(), make_mailbox()]
    chance = random.Random(9)
    kills = 0
    for round_ in range(6):
        for mailbox_id in mailboxes:
            fill(mailbox_id, 7, first=round_ * 7 + 1)
        ended = subprocess.run(
            [
                *(sys.executable, "-c", TAILER),
                *(str(connection.settings_dict["NAME"]), str(chance.randint(10, 6000))),
            ],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            check=False,
        )
        kills += ended.returncode == -signal.SIGKILL
        assert [each for each in fsck.check(lambda text: None) if each.is_fault] == []
        number = round_ * 7 + 3
        for mailbox_id in mailboxes:
            assert found(inbox(mailbox_id), BodyHas(word(number))) == [number]
    assert kills
    commit.run(commit.Unit(frozenset(), lambda rows, blob: None))
    search_tailer.catch_up(60, rests=False)
    assert not search_tailer.behind().exists()
    assert SearchText.objects.count() == Message.objects.count() == 84
    assert [len(search_index.unpack_keys(bytes(each.keys))) for each in SearchBlock.objects.all()]
    assert SearchBits.objects.count() == SearchBlock.objects.count() * search_bits.PARTS
