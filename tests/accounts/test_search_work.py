"""A search is refused by the work it would be, counted, and never with a hundred keys or fewer."""

from collections.abc import Callable
from datetime import date

import pytest

from accounts.mailstore import append, index, search, search_reading, search_work
from accounts.mailstore.refusals import SearchTooLarge
from accounts.mailstore.search import Scope
from accounts.mailstore.search_text import Needle
from accounts.mailstore.search_work import FREE_KEYS, Work, is_always_done
from protocols.wire.imap.flags import Flag
from protocols.wire.imap.search import (
    And,
    ArrivedOn,
    BodyHas,
    Everything,
    FlagIs,
    Fuzzy,
    HeaderHas,
    LargerThan,
    Not,
    Or,
    SearchKey,
    SentOn,
    TextHas,
    UidIn,
    When,
)
from protocols.wire.imap.sequence_set import SequenceSet
from tests.accounts.mail import append_many, inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGES = 12
TODAY = date(2026, 6, 1)
# Each leaves all messages to the keys after it.
KEYS: dict[str, Callable[[], SearchKey]] = {
    "all": lambda: Everything(),
    "flag": lambda: FlagIs(Flag.SEEN, False),
    "uid": lambda: UidIn(SequenceSet(((1, None),))),
    "larger": lambda: LargerThan(1),
    "arrived": lambda: ArrivedOn(When.SINCE, date(2000, 1, 1)),
    "sent": lambda: SentOn(When.ON, TODAY),
    "subject": lambda: HeaderHas("subject", "hello"),
    "header": lambda: HeaderHas("x-mark", "yes"),
    "text": lambda: TextHas("message"),
    "body": lambda: BodyHas("message"),
    "fuzzy": lambda: Fuzzy(TextHas("messages")),
    "fuzzy subject": lambda: Fuzzy(HeaderHas("subject", "hello")),
}
MAIL = b"Date: Mon, 1 Jun 2026 12:00:00 +0000\r\nSubject: hello\r\nX-Mark: yes\r\n\r\na message\r\n"


@pytest.fixture
def folder_id() -> int:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    for _ in range(MESSAGES):
        append.append_message(mailbox_id, folder_id, MAIL).result(30)
    return folder_id


def scope_of(folder_id: int) -> Scope:
    picture = index.picture(folder_id)
    return Scope(picture, picture.uids, [], now=2_000_000_000)


def found(scope: Scope, program: SearchKey) -> list[int]:
    return [uid for uids in search.search(scope, program) for uid in uids]


@pytest.mark.parametrize("make", KEYS.values(), ids=KEYS)
def test_a_hundred_keys_are_never_refused_and_one_more_may_be(
    folder_id: int, make: Callable[[], SearchKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_work, "ALLOWANCE", 0)
    # Texts are read, and larger ones in several groups.
    monkeypatch.setattr(search_reading, "_OCTETS_AT_ONCE", 300)
    for slice_size in (250, 5):
        monkeypatch.setattr(search, "SLICE", slice_size)
        monkeypatch.setattr(search, "OCTETS_SLICE", slice_size)
        found(scope_of(folder_id), make())
        few = And(tuple(make() for _ in range(FREE_KEYS)))
        assert len(found(scope_of(folder_id), few)) == MESSAGES
        many = And(tuple(make() for _ in range(FREE_KEYS + 1)))
        with pytest.raises(SearchTooLarge):
            found(scope_of(folder_id), many)


@pytest.mark.parametrize("kind", ["and", "or", "not"])
def test_thousands_of_texts_are_looked_for_only_so_often(
    folder_id: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_work, "ALLOWANCE", 50_000)
    monkeypatch.setattr(search_work, "FREE_KEYS", 10)
    looked = 0
    is_in = Needle.is_in_octets

    def counted(needle: Needle, folded: bytes) -> bool:
        nonlocal looked
        looked += 1
        return is_in(needle, folded)

    monkeypatch.setattr(Needle, "is_in_octets", counted)
    texts = [TextHas(f"word{number}") for number in range(9_000)]
    program: SearchKey
    match kind:
        case "and":
            program = And(tuple(map(Not, texts)))
        case "or":
            program = Or(tuple(texts))
        case _:
            program = Not(Or(tuple(texts)))
    scope = scope_of(folder_id)
    with pytest.raises(SearchTooLarge):
        found(scope, program)
    # Of 108,000.
    assert looked * search_work.A_TEXT <= scope.work.spent
    assert looked < 5_000


def test_large_texts_count_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 1)
    small = scope_of(folder_id)
    found(small, TextHas("x"))
    append.append_message(mailbox_id, folder_id, MAIL + b"word " * 40_000).result(30)
    large = scope_of(folder_id)
    found(large, TextHas("x"))
    assert large.work.spent - small.work.spent > 200_000 // search_work.TEXT_OCTETS


def test_what_is_decided_costs_nothing_more(folder_id: int) -> None:
    once, often = scope_of(folder_id), scope_of(folder_id)
    found(once, And((FlagIs(Flag.SEEN, True), TextHas("a"))))
    found(often, And((FlagIs(Flag.SEEN, True), *(TextHas(f"a{n}") for n in range(5_000)))))
    assert once.work.spent == often.work.spent == MESSAGES
    found(often, Or((Everything(), *(TextHas(f"a{n}") for n in range(5_000)))))
    assert often.work.spent == 2 * MESSAGES


def test_what_is_always_done_is_told_by_its_keys() -> None:
    keys = [FlagIs(Flag.SEEN, False)] * FREE_KEYS
    assert is_always_done(And((Or(tuple(keys[:50])), *keys[50:])))
    assert not is_always_done(And((*keys, Everything())))
    assert not is_always_done(And((*keys[1:], Not(Everything()))))


def test_scopes_may_share_work(folder_id: int) -> None:
    work = Work()
    for _ in range(2):
        picture = index.picture(folder_id)
        found(Scope(picture, picture.uids, [], now=0, work=work), Everything())
    assert work.spent == 2 * MESSAGES


def test_the_keys_themselves_are_work_where_folders_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Thousands of empty folders times thousands of keys took minutes, and counted as nothing."""
    monkeypatch.setattr(search_work, "ALLOWANCE", 0)
    work = Work()
    few = And((Everything(),) * FREE_KEYS)
    for _ in range(5_000):
        work.begin_folder(few)
    assert work.spent == 0
    with pytest.raises(SearchTooLarge):
        work.begin_folder(And((few, Everything())))
