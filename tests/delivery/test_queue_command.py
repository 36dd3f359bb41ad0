"""`manage.py queue`: what an operator sees and may do."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from accounts import directory
from accounts.models import Mailbox
from delivery import queue
from delivery.queue import Settlement
from delivery.transport.outcome import Kind, Outcome
from tests.accounts.mail import make_mailbox
from tests.delivery.queued import enqueue, row
from tests.delivery.zones import Zones

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_nudges(monkeypatch):
    monkeypatch.setattr("delivery.queue.waking._nudge", lambda: None)


@pytest.fixture
def run(capsys):
    def run(*words: str) -> str:
        call_command("queue", *words)
        return capsys.readouterr().out

    return run


def put_off() -> None:
    now = datetime.now(UTC)
    (claim,) = queue.claim(now, 1)
    outcome = Outcome(Kind.DEFERRED, "4.7.1", "451 4.7.1 Greylisted", "mx.b.test[192.0.2.1]:25")
    following = now + timedelta(hours=1)
    queue.settle(
        [Settlement(claim.recipient_id, claim.attempt_no, outcome, following)], now
    ).result()


def test_a_list_shows_who_waits_and_why(run):
    queue_id = enqueue()
    put_off()
    listed = run("list")
    for word in (queue_id, "pending", "<alice@a.test>", "bob@b.test", "451 4.7.1 Greylisted"):
        assert word in listed
    (found,) = json.loads(run("list", "--json"))
    assert (found["queue_id"], found["recipient"]) == (queue_id, "bob@b.test")
    assert (found["attempts"], found["is_ambiguous"]) == (1, False)


def test_lists_narrow(run):
    enqueue("bob@b.test", "carol@c.test")
    assert "bob@" not in run("list", "--destination", "c.test")
    assert run("list", "--sender", "dave@a.test") == ""
    assert run("list", "--state", "held") == ""
    run("cancel", "--address", "bob@b.test")
    assert "bob@" not in run("list")
    assert "bob@" in run("list", "--settled")


def test_one_message_is_shown_with_its_tries(run):
    queue_id = enqueue()
    put_off()
    shown = run("show", queue_id.lower())
    assert "<bob@b.test> pending" in shown
    assert "next try" in shown
    assert "deferred" in shown
    assert "mx.b.test[192.0.2.1]:25" in shown
    (found,) = json.loads(run("show", queue_id, "--json"))
    assert found["recipients"][0]["attempts"][0]["reply"] == "451 4.7.1 Greylisted"


def test_a_message_that_is_not_there_is_a_sentence():
    with pytest.raises(CommandError, match="The queue has no message NONE"):
        call_command("queue", "show", "NONE")


def test_verbs_change_what_is_named(run):
    first, second = enqueue("a@b.test"), enqueue("b@b.test")
    assert run("hold", first) == "1 recipient held until released.\n"
    assert (row("a@b.test").state, row("b@b.test").state) == ("held", "pending")
    run("release", first.lower())
    assert run("retry", first, second) == "2 recipients will be tried at once.\n"
    assert run("cancel", "--all") == "2 recipients cancelled; nobody is told.\n"


@pytest.mark.parametrize("verb", ["retry", "hold", "release", "cancel"])
def test_a_verb_without_a_choice_is_refused(verb):
    enqueue()
    with pytest.raises(CommandError, match="Say which"):
        call_command("queue", verb)


def test_nothing_to_do_is_an_error():
    with pytest.raises(CommandError, match="There is nothing to release"):
        call_command("queue", "release", "--all")


def test_what_is_being_tried_is_told(capsys):
    enqueue()
    queue.claim(datetime.now(UTC), 1)
    with pytest.raises(CommandError, match="nothing to hold"):
        call_command("queue", "hold", "--all")
    assert "1 recipient left alone: being tried just now." in capsys.readouterr().err


def test_mail_for_our_own_is_explained(run):
    mailbox = Mailbox.objects.select_related("domain").get(pk=make_mailbox())
    assert "is local: stored here" in run("explain", mailbox.address)
    domain = mailbox.domain.name
    assert "is refuse: refused at RCPT: 550 5.1.1" in run("explain", f"nobody@{domain}")
    directory.create_alias(f"team@{domain}", ["far@c.test"])
    assert "  far@c.test" in run("explain", f"team@{domain}")


def test_mail_for_others_is_explained_with_its_hosts(run, monkeypatch):
    from delivery import explaining, outbound

    records = {
        "b.test MX": ["10 mx1.b.test.", "20 mx2.b.test."],
        "mx1.b.test A": ["127.0.0.2"],
        "mx2.b.test A": ["127.0.0.3"],
    }
    real = outbound.setting()
    with Zones(records) as zones:
        setting = type(real)(real.routing, dns_servers=(zones.server,))
        monkeypatch.setattr(explaining.outbound, "setting", lambda: setting)
        (found,) = json.loads(run("explain", "bob@B.test", "--json"))
        assert found["hops"] == ["mx1.b.test[127.0.0.2]:25", "mx2.b.test[127.0.0.3]:25"]
        assert found["destination"] == "b.test"
        assert "failed: 5.1.2" in run("explain", "bob@gone.test")


def test_what_is_no_address_is_a_sentence():
    with pytest.raises(CommandError, match="bob: The address has no domain"):
        call_command("queue", "explain", "bob")
