"""SEARCH finds words as people read them, and the quick look at raw octets never hides one."""

import base64
import quopri

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import commit
from accounts.mailstore import append, fetch, index, search, search_kept, search_recent
from accounts.mailstore.leftovers import remove_unplaced_messages
from accounts.mailstore.search import Scope
from accounts.mailstore.search_text import Needle
from accounts.models import Message, Overview, SearchText
from protocols.wire.imap.flags import Flag
from protocols.wire.imap.search import (
    And,
    BodyHas,
    FlagIs,
    HeaderHas,
    Not,
    Or,
    SearchKey,
    SentOn,
    TextHas,
    When,
)
from tests.accounts import as_owner
from tests.accounts.mail import append_many, inbox, keep_nothing_deleted, make_mailbox
from tests.accounts.search_oracle import body_has, message_has


def message(body: bytes, *, head: bytes = b"", kind: bytes = b"text/plain") -> bytes:
    return head + b"Content-Type: " + kind + b"\r\n\r\n" + body + b"\r\n"


BASE64 = b"Content-Transfer-Encoding: base64\r\n"
QUOTED = b"Content-Transfer-Encoding: quoted-printable\r\n"


@pytest.mark.parametrize(
    ("text", "octets", "is_in"),
    [
        ("hello", message(b"say HELLO there"), True),
        ("hello", message(b"say help"), False),
        ("subject", message(b"x", head=b"Subject: y\r\n"), False),
        ("caf\u00e9", message("CAF\u00c9".encode(), kind=b"text/plain; charset=utf-8"), True),
        ("caf\u00e9", message(b"caf\xe9", kind=b"text/plain; charset=iso-8859-1"), True),
        ("secret", message(b"c2VjcmV0", head=BASE64), True),
        ("secret", message(b"se=63r=\r\net", head=QUOTED), True),
        ("bold word", message(b"<b>bold</b> word", kind=b"text/html"), True),
        ("a & b", message(b"a &amp; b", kind=b"text/html"), True),
        ("hallo", message("hallo".encode("utf-16"), kind=b"text/plain; charset=utf-16"), True),
        ("hi mom", message(b"Hi +AG0-om", kind=b"text/plain; charset=utf-7"), True),
        ("kelvin", message("\u212aelvin".encode(), kind=b"text/plain; charset=utf-8"), True),
        ("strasse", message("Stra\u00dfe".encode(), kind=b"text/plain; charset=utf-8"), True),
        ("fish", message("\ufb01sh".encode(), kind=b"text/plain; charset=utf-8"), True),
        (
            "plan",
            message(b"x", head=b"Content-Disposition: attachment; filename*=utf-8''%70lan\r\n"),
            True,
        ),
    ],
)
def test_words_in_bodies(text: str, octets: bytes, is_in: bool) -> None:
    assert body_has(Needle(text), octets) is is_in


@pytest.mark.parametrize(
    ("text", "header", "is_in"),
    [
        ("hello", b"Subject: Hello you\r\n", True),
        ("hello you", b"Subject: Hello\r\n you\r\n", True),
        ("caf\u00e9", b"Subject: =?utf-8?q?caf=C3=A9?=\r\n", True),
        ("cafe", b"Subject: =?utf-8?b?Y2FmZQ==?=\r\n", True),
        ("hello", b"To: hello\r\nSubject: other\r\n", False),
        ("", b"Subject:\r\n", True),
        ("", b"To: x\r\n", False),
    ],
)
def test_words_in_fields(text: str, header: bytes, is_in: bool) -> None:
    assert Needle(text).is_in_field(b"subject", header) is is_in


@pytest.mark.django_db(transaction=True)
def test_a_string_with_nul_is_not_found_where_two_pieces_meet() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    octets = b"Subject: first\r\nComments: second\r\n\r\nHello.\r\n"
    append.append_message(mailbox_id, folder_id, octets).result()
    assert found(folder_id, TextHas("comments: second")) == [1]
    assert found(folder_id, TextHas("first\0comments: second")) == []


@given(st.text(max_size=60), st.data())
def test_the_quick_look_hides_nothing(body: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(body)))
    text = body[start : data.draw(st.integers(start, len(body)))]
    field = b"Subject: " + " ".join(body.split()).encode("utf-8", "replace") + b"\r\n"
    needle = Needle(text)
    quick = needle.is_in_field(b"subject", field)
    needle._word = b""
    assert quick is needle.is_in_field(b"subject", field)


def found(folder_id: int, program: SearchKey) -> list[int]:
    picture = index.picture(folder_id)
    scope = Scope(picture, picture.uids, [range(3, 5)], now=2_000_000_000)
    return [uid for uids in search.search(scope, program) for uid in uids]


DATES = (
    b"Sat, 31 Oct 2026 23:59:59 -1200",
    b"Sun, 01 Nov 2026 00:00:01 +1400",
    b"Sun, 01 Nov 2026 12:00:00 +0000",
    b"no date at all",
)


@pytest.mark.django_db(transaction=True)
def test_the_day_sent_is_the_senders_day() -> None:
    from datetime import date

    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    for text in DATES:
        octets = b"Date: " + text + b"\r\n\r\nx\r\n"
        append.append_message(mailbox_id, folder_id, octets).result()
    day = date(2026, 11, 1)
    assert found(folder_id, SentOn(When.BEFORE, day)) == [1]
    assert found(folder_id, SentOn(When.ON, day)) == [2, 3]
    assert found(folder_id, SentOn(When.SINCE, day)) == [2, 3]


@pytest.mark.django_db(transaction=True)
def test_programs_combine_keys() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 3)
    append_many(mailbox_id, folder_id, 2, flags=Flag.SEEN)
    seen = FlagIs(Flag.SEEN, True)
    hello = HeaderHas("subject", "hello")
    assert found(folder_id, And((hello, seen))) == [4, 5]
    assert found(folder_id, Or((seen, BodyHas("bob.\r\n1")))) == [2, 4, 5]
    assert found(folder_id, Not(Or((seen, TextHas("nothing"))))) == [1, 2, 3]
    assert found(folder_id, And((Not(hello), TextHas("hello")))) == []
    assert found(folder_id, HeaderHas("x-none", "")) == []


@pytest.mark.django_db(transaction=True)
def test_octets_are_read_only_where_the_answer_depends_on_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 3)
    append_many(mailbox_id, folder_id, 1, flags=Flag.FLAGGED)
    read: list[int] = []
    plain = fetch.octets_many
    monkeypatch.setattr(fetch, "octets_many", lambda rows: read.append(len(rows)) or plain(rows))
    assert found(folder_id, And((BodyHas("hello"), FlagIs(Flag.FLAGGED, True)))) == [4]
    assert sum(read) == 1


WORDS = ("caf\u00e9", "HELLO", "stra\u00dfe", "a b", "\u212a", "e", "x=3d", "ab")
BODIES = st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join)
KINDS = st.sampled_from(["7bit", "quoted-printable", "base64"])


def encoded(subject: str, body: str, encoding: str) -> bytes:
    octets = body.encode()
    if encoding == "base64":
        octets = base64.encodebytes(octets)
    elif encoding == "quoted-printable":
        octets = quopri.encodestring(octets)
    word = base64.b64encode(subject.encode()).decode()
    head = f"From: x@a.test\r\nSubject: =?utf-8?b?{word}?=\r\nX-Note: {encoding}\r\n"
    head += f"Content-Transfer-Encoding: {encoding}\r\n"
    return message(octets, head=head.encode(), kind=b"text/plain; charset=utf-8")


@pytest.mark.django_db(transaction=True)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(BODIES, BODIES, KINDS), min_size=1, max_size=4),
    st.lists(st.sampled_from([*WORDS, "", "cafe", "note", "nothing", "a b ca"]), max_size=3),
)
def test_what_is_kept_answers_as_the_octets_do(
    messages: list[tuple[str, str, str]], texts: list[str]
) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    all_octets = [encoded(*each) for each in messages]
    for octets in all_octets:
        append.append_message(mailbox_id, folder_id, octets).result()
    for text in texts:
        needle = Needle(text)
        in_bodies, in_messages, in_subjects = [], [], []
        for uid, octets in enumerate(all_octets, 1):
            in_bodies += [uid] if body_has(needle, octets) else []
            in_messages += [uid] if message_has(needle, octets) else []
            in_subjects += [uid] if needle.is_in_field(b"subject", octets) else []
        assert found(folder_id, BodyHas(text)) == in_bodies
        assert found(folder_id, TextHas(text)) == in_messages
        assert found(folder_id, HeaderHas("subject", text)) == in_subjects
        commit.run(commit.Unit(frozenset(), lambda rows, blob: None))
        # From what is kept, and then from memory.
        search_recent.forget()
        for _ in range(2):
            assert found(folder_id, BodyHas(text)) == in_bodies
            assert found(folder_id, TextHas(text)) == in_messages


@pytest.mark.django_db(transaction=True)
def test_a_message_is_decoded_once_and_its_words_go_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 3)
    read: list[int] = []
    plain = fetch.octets_many
    monkeypatch.setattr(fetch, "octets_many", lambda rows: read.append(len(rows)) or plain(rows))
    for program in (BodyHas("hello"), BodyHas("bob"), TextHas("alice")):
        assert found(folder_id, program) == [1, 2, 3]
        commit.run(commit.Unit(frozenset(), lambda rows, blob: None))
    assert sum(read) == 3
    # What another version kept counts for nothing.
    SearchText.objects.update(version=search_kept.VERSION - 1, body=b"?")
    search_recent.forget()
    assert found(folder_id, BodyHas("bob")) == [1, 2, 3]
    commit.run(commit.Unit(frozenset(), lambda rows, blob: None))
    assert set(SearchText.objects.values_list("version", flat=True)) == {search_kept.VERSION}
    append_many(mailbox_id, folder_id, 1)
    assert found(folder_id, BodyHas("bob")) == [1, 2, 3, 4]
    assert found(folder_id, HeaderHas("subject", "hello")) == [1, 2, 3, 4]
    keep_nothing_deleted()
    as_owner.expunge_uids(folder_id, [1, 2], only_deleted=False)
    assert found(folder_id, HeaderHas("subject", "hello")) == [3, 4]
    assert remove_unplaced_messages() == 2
    kept = {SearchText.objects.count(), Overview.objects.count(), Message.objects.count()}
    assert kept == {2}


def test_letters_that_become_many_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_kept, "TEXT_LIMIT", 1000)
    letter = "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}"
    part = b"--b\r\n" + message((letter * 50).encode(), kind=b"text/plain; charset=utf-8")
    octets = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 20
    # Each is eighteen characters when it is folded.
    assert 1000 <= len(search_kept.texts_of(octets).body.decode()) < 3000


@pytest.mark.django_db(transaction=True)
def test_large_texts_are_read_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_kept, "LARGEST_KEPT", 10)
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 2)
    for _ in range(2):
        assert found(folder_id, BodyHas("bob")) == [1, 2]
        commit.run(commit.Unit(frozenset(), lambda rows, blob: None))
    assert not SearchText.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("room", [64 << 20, 1000, 0])
def test_texts_in_memory_are_bounded_and_change_no_answer(
    monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(search_recent, "CACHE_OCTETS", room)
    read: list[int] = []
    plain = search_kept.read

    def counted(folder_id: int, uids: list[int], *, with_header: bool) -> object:
        read.extend(uids)
        return plain(folder_id, uids, with_header=with_header)

    monkeypatch.setattr(search_kept, "read", counted)
    mailbox_id = make_mailbox()
    folders = [inbox(mailbox_id), inbox(make_mailbox())]
    append_many(mailbox_id, folders[0], 10)
    everyone = list(range(1, 11))
    for _ in range(3):
        read.clear()
        for program in (BodyHas("bob"), TextHas("alice")):
            assert found(folders[0], program) == everyone
        for program in (BodyHas("nowhere"), TextHas("nowhere"), TextHas("bob\0alice")):
            assert found(folders[0], program) == []
        # Nobody else's folder has them.
        assert found(folders[1], BodyHas("bob")) == []
        commit.run(commit.Unit(frozenset(), lambda rows, blob: None))
    # Whoever searches again reads nothing that is held.
    assert bool(read) is (room < 10_000)
    assert search_recent.held_octets() <= room
    # What came and went meanwhile counts.
    append_many(mailbox_id, folders[0], 1)
    as_owner.expunge_uids(folders[0], [1, 2], only_deleted=False)
    assert found(folders[0], BodyHas("bob")) == list(range(3, 12))
