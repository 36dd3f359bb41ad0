"""From a row in the queue to its end, over real sockets: retries, bounces, notices, stops."""

import threading
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from random import Random

import pytest
from django.db import InternalError, OperationalError, connections

from accounts import commit
from accounts.commit import batch
from accounts.mailstore import fetch, folders
from accounts.models import Entry, Mailbox
from delivery import outbound, queue
from delivery.models import Attempt, QueuedMessage, QueuedRecipient
from delivery.outbound import draining, verdicts
from delivery.transport.loop import Setting
from delivery.transport.mx import Routing
from protocols.wire.smtp.reply import Reply
from tests.accounts.mail import inbox, make_mailbox
from tests.delivery.peer import Peer, Script
from tests.delivery.queued import HELLO, enqueue, results, row
from tests.delivery.zones import Zones, unused_port

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BOB = "bob@[127.0.0.1]"


@pytest.fixture(autouse=True)
def _no_nudges(monkeypatch):
    monkeypatch.setattr("delivery.queue.waking._nudge", lambda: None)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make_drain(clock):
    made = []

    def make(port: int, *, relay: str = "", schedule=(), dns=()):
        routing = Routing(
            hostname="us.test",
            port=port,
            allowed_networks=(ip_network("127.0.0.0/8"),),
            relay=relay,
        )
        drain = outbound.Drain(
            Setting(routing, dns_servers=tuple(dns)),
            retry_schedule=schedule,
            clock=clock,
            random=Random(1),
        )
        made.append(drain)
        return drain

    yield make
    for drain in made:
        drain.stop(0.0)


def sender() -> tuple[int, str]:
    """A mailbox of ours that sends: its key and its address."""
    mailbox_id = make_mailbox()
    return mailbox_id, Mailbox.objects.select_related("domain").get(pk=mailbox_id).address


def inbox_octets(mailbox_id: int) -> list[bytes]:
    folder = inbox(mailbox_id)
    uids = list(Entry.objects.filter(folder=folder).values_list("uid", flat=True))
    rows = fetch.fetch(folder, uids, columns=fetch.Columns.OCTETS)
    return fetch.octets_many(rows)


# Sending


def test_due_mail_is_sent_and_settled(make_drain):
    with Peer() as peer:
        enqueue(BOB, now=START, prefix=b"Received: from x\r\n")
        assert make_drain(peer.port).run()
    assert [mail.octets for mail in peer.mail] == [b"Received: from x\r\n" + HELLO]
    settled = row(BOB)
    assert (settled.state, settled.settled_at) == ("delivered", START)
    attempt = Attempt.objects.get()
    assert (attempt.result, attempt.reply) == ("delivered", "250 2.0.0 Ok")
    assert attempt.host == f"[127.0.0.1][127.0.0.1]:{peer.port}"


def test_what_is_not_due_waits(make_drain, clock):
    with Peer() as peer:
        enqueue(BOB, now=START + timedelta(minutes=1))
        drain = make_drain(peer.port)
        drain.run()
        assert not peer.mail
        clock.now += timedelta(minutes=1)
        drain.run()
    assert len(peer.mail) == 1


def test_recipients_of_one_destination_share_a_transaction(make_drain):
    with Peer() as peer, Zones({"b.test A": ["127.0.0.1"], "c.test A": ["127.0.0.1"]}) as zones:
        enqueue("a@b.test", "b@b.test", "a@c.test", now=START)
        make_drain(peer.port, dns=[zones.server]).run()
    assert sorted(mail.recipients for mail in peer.mail) == [["a@b.test", "b@b.test"], ["a@c.test"]]


def test_a_relay_takes_everything_together(make_drain):
    with Peer() as peer:
        enqueue("a@b.test", "b@c.test", now=START)
        make_drain(25, relay=f"127.0.0.1:{peer.port}").run()
    assert [mail.recipients for mail in peer.mail] == [["a@b.test", "b@c.test"]]


def test_many_messages_go_in_one_run(make_drain):
    with Peer() as peer:
        for _ in range(250):
            enqueue(BOB, now=START)
        make_drain(peer.port).run()
    assert len(peer.mail) == 250
    assert set(QueuedRecipient.objects.values_list("state", flat=True)) == {"delivered"}


def test_large_mail_is_sent_from_its_file(make_drain):
    large = b"Subject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * 30_000
    with Peer() as peer:
        enqueue(BOB, octets=large, now=START)
        make_drain(peer.port).run()
    assert peer.mail[0].octets == large


def test_a_slow_destination_does_not_keep_others_waiting(make_drain, monkeypatch):
    monkeypatch.setattr(draining, "IN_FLIGHT_PER_DESTINATION", 5)
    gate = threading.Event()
    with (
        Peer(Script(gate=gate)) as slow,
        Peer(address="127.0.0.2", port=slow.port) as fast,
    ):
        for _ in range(20):
            enqueue(BOB, now=START)
        for _ in range(20):
            enqueue("bob@[127.0.0.2]", now=START)
        drain = make_drain(slow.port)
        thread = threading.Thread(target=lambda: (drain.run(), connections.close_all()))
        thread.start()
        wait_for(lambda: settled("bob@[127.0.0.2]") == 20)
        assert settled(BOB) == 0
        gate.set()
        thread.join(20)
    assert len(fast.mail) == len(slow.mail) == 20


def settled(address: str) -> int:
    return QueuedRecipient.objects.filter(address=address, state="delivered").count()


def wait_for(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


def test_one_run_at_a_time_hears_of_what_comes_meanwhile(make_drain):
    gate = threading.Event()
    with Peer(Script(gate=gate)) as slow, Peer(address="127.0.0.2", port=slow.port) as fast:
        enqueue(BOB, now=START)
        drain = make_drain(slow.port)
        thread = threading.Thread(target=lambda: (drain.run(), connections.close_all()))
        thread.start()
        wait_for(lambda: slow.open)
        enqueue("bob@[127.0.0.2]", now=START)
        assert drain.run() is False
        wait_for(lambda: fast.mail)
        gate.set()
        thread.join(20)


# Retries


def test_what_is_put_off_is_tried_again_when_it_falls_due(make_drain, clock):
    port = unused_port()
    enqueue(BOB, now=START)
    drain = make_drain(port)
    drain.run()
    assert results(BOB) == ["deferred"]
    following = row(BOB).next_attempt_at
    assert timedelta(minutes=30) <= following - START <= timedelta(minutes=33)
    with Peer(port=port) as peer:
        drain.run()
        assert not peer.mail
        clock.now = following
        drain.run()
    assert results(BOB) == ["deferred", "delivered"]


def test_an_attempt_broken_off_after_the_dot_is_ambiguous_and_tried_again(make_drain, clock):
    with Peer(Script(drops_after_dot=True)) as peer:
        enqueue(BOB, now=START)
        make_drain(peer.port).run()
    assert (row(BOB).state, row(BOB).is_ambiguous) == ("pending", True)
    assert results(BOB) == ["ambiguous"]


# Bounces


def test_a_refused_recipient_bounces_into_the_senders_inbox(make_drain):
    mailbox_id, address = sender()
    script = Script(recipient=lambda address: Reply(550, "5.1.1", "No such user here"))
    with Peer(script) as peer:
        enqueue(BOB, return_path=address, now=START)
        make_drain(peer.port).run()
    (bounce,) = inbox_octets(mailbox_id)
    assert bounce.startswith(b"Return-Path: <>\r\n")
    assert f"To: <{address}>".encode() in bounce
    assert f"Final-Recipient: rfc822; {BOB}".encode() in bounce
    assert b"No such user here" in bounce
    assert HELLO in bounce
    assert (row(BOB).state, QueuedMessage.objects.count()) == ("failed", 1)


def test_a_bounce_reaches_a_full_mailbox(make_drain):
    mailbox_id, address = sender()
    Mailbox.objects.filter(pk=mailbox_id).update(quota_bytes=10, used_bytes=10)
    with Peer(Script(sender=Reply(550, "5.7.1", "No"))) as peer:
        enqueue(BOB, return_path=address, now=START)
        make_drain(peer.port).run()
    assert len(inbox_octets(mailbox_id)) == 1


def test_recipients_that_fail_together_share_a_bounce(make_drain):
    mailbox_id, address = sender()
    answers = {"yes@[127.0.0.1]": Reply(250, "", "Ok")}
    script = Script(recipient=lambda name: answers.get(name, Reply(550, "5.1.1", "No")))
    with Peer(script) as peer:
        enqueue("a@[127.0.0.1]", "yes@[127.0.0.1]", "b@[127.0.0.1]", return_path=address, now=START)
        make_drain(peer.port).run()
    (bounce,) = inbox_octets(mailbox_id)
    assert bounce.count(b"Final-Recipient:") == 2
    assert b"Final-Recipient: rfc822; yes@" not in bounce


def test_a_sender_elsewhere_gets_the_bounce_by_mail(make_drain):
    script = Script(recipient=lambda name: Reply(550 if "bob" in name else 250, "", "x"))
    with Peer(script) as peer:
        enqueue(BOB, return_path="alice@[127.0.0.1]", now=START)
        make_drain(peer.port, schedule=[timedelta(seconds=1)]).run()
        # The bounce was queued at the wall clock's now, which the test clock may not have reached.
        QueuedRecipient.objects.filter(state="pending").update(next_attempt_at=START)
        make_drain(peer.port).run()
    (mail,) = peer.mail
    assert (mail.sender, mail.recipients) == ("", ["alice@[127.0.0.1]"])
    assert b"Your message was not delivered" in mail.octets


def test_a_bounce_never_bounces(make_drain):
    with Peer(Script(sender=Reply(550, "5.7.1", "No"))) as peer:
        enqueue(BOB, return_path="", now=START)
        make_drain(peer.port).run()
    assert row(BOB).state == "failed"
    assert QueuedMessage.objects.count() == 1
    assert not Entry.objects.exists()


def test_a_sender_that_is_gone_gets_no_bounce_and_the_row_is_settled(make_drain):
    make_mailbox()
    domain = Mailbox.objects.select_related("domain").get().domain.name
    with Peer(Script(sender=Reply(550, "5.7.1", "No"))) as peer:
        enqueue(BOB, return_path=f"nobody@{domain}", now=START)
        make_drain(peer.port).run()
    assert row(BOB).state == "failed"
    assert not Entry.objects.exists()


def test_what_expires_bounces_with_the_last_reason(make_drain, clock):
    mailbox_id, address = sender()
    enqueue(BOB, return_path=address, now=START)
    drain = make_drain(unused_port(), schedule=[timedelta(seconds=2), timedelta(seconds=4)])
    for _ in range(3):
        assert not inbox_octets(mailbox_id)
        drain.run()
        clock.now += timedelta(seconds=5)
    (bounce,) = inbox_octets(mailbox_id)
    assert b"Action: failed" in bounce
    assert b"Status: 4.4.1" in bounce
    assert results(BOB) == ["deferred"] * 3
    assert row(BOB).state == "failed"


def test_a_delay_is_told_once_after_four_hours(make_drain, clock):
    mailbox_id, address = sender()
    enqueue(BOB, return_path=address, now=START)
    drain = make_drain(unused_port())
    for hours in (0, 1, 5, 9, 13):
        clock.now = START + timedelta(hours=hours)
        drain.run()
        assert len(inbox_octets(mailbox_id)) == (0 if hours < 4 else 1)
    (notice,) = inbox_octets(mailbox_id)
    assert b"Action: delayed" in notice
    assert b"Will-Retry-Until: Sat, 28 Nov 2026 12:00:00 +0000" in notice


def test_what_expires_before_a_delay_was_told_is_told_as_failed(make_drain):
    mailbox_id, address = sender()
    enqueue(BOB, return_path=address, now=START - timedelta(days=6))
    make_drain(unused_port()).run()
    (bounce,) = inbox_octets(mailbox_id)
    assert b"Action: failed" in bounce
    assert b"Will-Retry-Until" not in bounce


def test_a_bounce_that_is_delayed_is_not_told_of(make_drain, clock):
    enqueue(BOB, return_path="", now=START - timedelta(hours=5))
    make_drain(unused_port()).run()
    assert row(BOB).state == "pending"
    assert not row(BOB).is_delay_notified


@pytest.mark.parametrize("error", [OperationalError, InternalError])
def test_a_bounce_commits_with_what_it_is_about(make_drain, monkeypatch, error):
    mailbox_id, address = sender()
    monkeypatch.setattr(draining, "PAUSE_AFTER_FAILURE", 0.01)
    monkeypatch.setattr(batch, "RETRY_PAUSES", ())
    real, calls = queue.settle_rows, []

    def settle_rows(rows, settlements, now):
        done = real(rows, settlements, now)
        calls.append(len(inbox_octets(mailbox_id)))
        if len(calls) == 1:
            raise error("the database went away, or takes no writes")
        return done

    monkeypatch.setattr(verdicts.queue, "settle_rows", settle_rows)
    with Peer(Script(sender=Reply(550, "5.7.1", "No"))) as peer:
        enqueue(BOB, return_path=address, now=START)
        make_drain(peer.port).run()
    assert calls == [0, 0]
    assert len(inbox_octets(mailbox_id)) == 1
    assert row(BOB).state == "failed"


def test_a_report_that_cannot_be_made_does_not_keep_the_mail_coming_back(make_drain, monkeypatch):
    def plan(report, original):
        raise RuntimeError("a bug")

    monkeypatch.setattr(verdicts.bounces, "plan", plan)
    with Peer(Script(sender=Reply(550, "5.7.1", "No"))) as peer:
        enqueue(BOB, now=START)
        make_drain(peer.port).run()
    assert row(BOB).state == "failed"


def test_lost_octets_put_off(make_drain, settings):
    enqueue(BOB, now=START)
    from accounts import blobs

    commit.reset()
    for path in blobs.directory().rglob("*"):
        if path.is_file():
            path.unlink()
    with Peer() as peer:
        make_drain(peer.port).run()
    assert not peer.mail
    assert results(BOB) == ["deferred"]


# The database going away, stops


def test_what_was_sent_is_written_down_when_the_database_comes_back(make_drain, monkeypatch):
    monkeypatch.setattr(draining, "PAUSE_AFTER_FAILURE", 0.01)
    real, failures = commit.submit, iter(range(3))

    def submit(unit):
        if next(failures, None) is not None:
            raise commit.CommitUnavailable("away")
        return real(unit)

    with Peer() as peer:
        enqueue(BOB, now=START)
        monkeypatch.setattr(verdicts.commit, "submit", submit)
        make_drain(peer.port).run()
    assert row(BOB).state == "delivered"
    assert len(peer.mail) == 1


def test_a_claim_is_renewed_while_a_peer_is_slow(make_drain, clock, monkeypatch):
    monkeypatch.setattr(queue, "CLAIM_SPAN", timedelta(seconds=0.3))
    monkeypatch.setattr(draining, "CLAIM_MARGIN", 0.0)
    monkeypatch.setattr(draining, "LOOK_EVERY", 0.02)
    renewals = []
    real = queue.renew
    monkeypatch.setattr(queue, "renew", lambda *args: renewals.append(1) or real(*args))
    gate = threading.Event()
    with Peer(Script(gate=gate)) as peer:
        enqueue(BOB, now=START)
        drain = make_drain(peer.port)
        thread = threading.Thread(target=lambda: (drain.run(), connections.close_all()))
        thread.start()
        wait_for(lambda: len(renewals) >= 6)
        gate.set()
        thread.join(20)
    assert results(BOB) == ["delivered"]


def test_a_stop_finishes_what_is_under_way_and_releases_the_rest(make_drain):
    gate = threading.Event()
    with Peer(Script(gate=gate, refuses_beyond=1)) as peer:
        for n in range(6):
            enqueue(f"r{n}@[127.0.0.1]", now=START)
        drain = make_drain(peer.port)
        thread = threading.Thread(target=lambda: (drain.run(), connections.close_all()))
        thread.start()
        wait_for(lambda: peer.at_gate)
        stopper = threading.Thread(target=lambda: (drain.stop(20), connections.close_all()))
        stopper.start()
        wait_for(lambda: QueuedRecipient.objects.filter(claimed_until=None).count() == 5)
        gate.set()
        stopper.join(20)
        thread.join(20)
    assert not Attempt.objects.filter(result="open").exists()
    states = sorted(QueuedRecipient.objects.values_list("state", "attempt_no"))
    assert states == [("delivered", 1)] + [("pending", 0)] * 5
    assert len(peer.mail) == 1


def test_after_a_stop_nothing_is_claimed(make_drain):
    with Peer() as peer:
        drain = make_drain(peer.port)
        drain.stop(0.0)
        enqueue(BOB, now=START)
        drain.run()
    assert results(BOB) == []


def test_folders_still_agree(make_drain):
    mailbox_id, address = sender()
    with Peer(Script(sender=Reply(550, "5.7.1", "No"))) as peer:
        for _ in range(30):
            enqueue(BOB, return_path=address, now=START)
        make_drain(peer.port).run()
    assert folders.find_folder(mailbox_id, "INBOX").exists == 30
