"""Logins that need no query, as sessions say them: all of a POP3 session, LOGIN, and PLAIN."""

import base64
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db import connection

from accounts import directory
from accounts.directory import switchboard
from accounts.maildrop import TAKEN, Maildrop
from accounts.mailstore import index
from accounts.mailstore.flags import Flag, StoreMode
from accounts.models import Mailbox, PopDeletion
from protocols.servers import pop3
from tests.accounts.as_owner import expunge_uids, store_flags
from tests.accounts.mail import append_many, inbox
from tests.accounts.people import PASSWORD, settle
from tests.transcripts.direct import DirectVenue
from tests.transcripts.given import Scene

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no stamps"),
]

ALICE = "alice@a.test"
PLAIN = base64.b64encode(f"\0{ALICE}\0{PASSWORD}".encode()).decode()
POP3 = [f"USER {ALICE}", f"PASS {PASSWORD}", "STAT", "LIST", "UIDL 1", "QUIT"]


@pytest.fixture(autouse=True)
def alice() -> Mailbox:
    alice = settle().alice
    append_many(alice.pk, inbox(alice.pk), 3)
    return alice


def say(service: str, *lines: str) -> list[str]:
    """A session of a service in which these lines are said one after the other, and its answers."""
    venue = DirectVenue(Scene(service))
    wire = venue.connect()
    said = []
    for line in lines:
        wire.send(f"{line}\r\n".encode())
        venue.deliver_all()
        said.append(wire.unread().decode())
        wire._output = b""
    venue.end()
    return said


def test_a_pop3_session_asks_for_nothing_that_is_known(django_assert_num_queries: Any) -> None:
    first = say("pop3", *POP3)
    with django_assert_num_queries(0):
        assert say("pop3", *POP3) == first
    assert first[1].endswith("+OK 3 messages\r\n")


def come(alice: Mailbox) -> None:
    append_many(alice.pk, inbox(alice.pk), 1)


def expunge(alice: Mailbox) -> None:
    expunge_uids(inbox(alice.pk), [2], only_deleted=False)


def take(alice: Mailbox) -> None:
    directory.set_pop(alice, PopDeletion.READ, None)
    store_flags(inbox(alice.pk), [2], StoreMode.ADD, Flag.SEEN, [TAKEN])


def show_later(alice: Mailbox) -> None:
    directory.set_pop(alice, PopDeletion.REMOVE, date(2100, 1, 1))


@pytest.mark.parametrize(("change", "count"), [(come, 4), (expunge, 2), (take, 2), (show_later, 0)])
def test_what_pop3_sees_is_what_is_there(
    alice: Mailbox,
    change: Callable[[Mailbox], None],
    count: int,
    django_assert_num_queries: Any,
) -> None:
    say("pop3", *POP3)
    say("pop3", *POP3)
    change(alice)
    changed = say("pop3", *POP3)
    assert f"+OK {count} messages" in changed[1]
    with django_assert_num_queries(0):
        assert say("pop3", *POP3) == changed


def test_a_picture_that_made_room_is_read_again() -> None:
    first = say("pop3", *POP3)
    index.forget()
    assert say("pop3", *POP3) == first


def test_a_maildrop_in_use_is_waited_for(alice: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    say("pop3", *POP3)
    held = Maildrop(alice.pk)
    assert "[IN-USE]" in say("pop3", *POP3[:2])[1]
    held.close()
    tries: list[int] = []

    def taking(mailbox_id: int) -> Maildrop:
        tries.append(mailbox_id)
        return Maildrop(mailbox_id)

    monkeypatch.setattr(pop3, "Maildrop", taking)
    monkeypatch.setattr(taking, "at_hand", Maildrop.at_hand, raising=False)
    assert "+OK 3" in say("pop3", *POP3[:2])[1]
    assert not tries


def test_a_wrong_password_is_refused_as_ever() -> None:
    say("pop3", *POP3)
    assert "-ERR [AUTH]" in say("pop3", POP3[0], "PASS wrong")[1]
    # What was known is in doubt, and looked up.
    assert "+OK 3" in say("pop3", *POP3)[1]


def test_imap_login_asks_for_nothing_that_is_known(django_assert_num_queries: Any) -> None:
    lines = [f'a LOGIN {ALICE} "{PASSWORD}"', "b LOGOUT"]
    first = say("imap", *lines)
    with django_assert_num_queries(0):
        assert say("imap", *lines) == first
    assert "a OK [CAPABILITY " in first[0]


def test_a_rule_made_meanwhile_masks_from_the_next_login_on(
    alice: Mailbox, django_assert_num_queries: Any
) -> None:
    line = f'a LOGIN {ALICE} "{PASSWORD}"'
    assert " IDLE " in say("imap", line)[0]
    rule = switchboard.create_rule("no idle", ["IDLE"], mailbox=alice)
    for _ in range(2):
        assert " IDLE " not in say("imap", line)[0]
    with django_assert_num_queries(0):
        assert " IDLE " not in say("imap", line)[0]
    switchboard.remove_rule(rule)
    for _ in range(2):
        assert " IDLE " in say("imap", line)[0]


@pytest.mark.parametrize(
    ("service", "lines", "good"),
    [
        ("imap", [f"a AUTHENTICATE PLAIN {PLAIN}"], "a OK "),
        ("imap", ["a AUTHENTICATE PLAIN", PLAIN], "a OK "),
        ("pop3", [f"AUTH PLAIN {PLAIN}"], "+OK 3 "),
        ("submission", ["EHLO x", f"AUTH PLAIN {PLAIN}"], "235 "),
    ],
)
def test_plain_asks_for_nothing_that_is_known(
    service: str, lines: list[str], good: str, django_assert_num_queries: Any
) -> None:
    first = say(service, *lines)
    with django_assert_num_queries(0):
        second = say(service, *lines)
    assert second == first
    assert good in first[-1]


def test_plain_for_another_is_refused_though_the_password_is_known() -> None:
    say("imap", f"a AUTHENTICATE PLAIN {PLAIN}")
    other = base64.b64encode(f"bob@a.test\0{ALICE}\0{PASSWORD}".encode()).decode()
    assert "a NO [AUTHORIZATIONFAILED]" in say("imap", f"a AUTHENTICATE PLAIN {other}")[0]
