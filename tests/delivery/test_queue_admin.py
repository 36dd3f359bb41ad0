"""The queue's pages: they list, search and filter, and act only through the queue's verbs."""

from datetime import UTC, datetime

import pytest
from django.urls import reverse

from accounts.models import User
from delivery import queue
from tests.delivery.queued import enqueue, row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_nudges(monkeypatch):
    monkeypatch.setattr("delivery.queue.waking._nudge", lambda: None)


@pytest.fixture
def boss(client):
    client.force_login(User.objects.create_superuser("boss", "a password for nobody"))
    return client


def url(model: str, page: str = "changelist", *args: object) -> str:
    return reverse(f"admin:delivery_{model}_{page}", args=args)


def act(client, action: str, **more):
    data = {"action": action, "_selected_action": [row().pk], **more}
    return client.post(url("queuedrecipient"), data, follow=True)


@pytest.mark.parametrize("model", ["queuedmessage", "queuedrecipient", "attempt"])
def test_lists_and_searches_answer(boss, model):
    enqueue()
    queue.claim(datetime.now(UTC), 10)
    for query in ("", "?q=bob", "?q=b.test&o=1", "?q=nothing"):
        assert boss.get(url(model) + query).status_code == 200


def test_a_message_shows_its_recipients_and_a_recipient_its_tries(boss):
    queue_id = enqueue()
    queue.claim(datetime.now(UTC), 10)
    message = row().message
    assert "bob@b.test" in boss.get(url("queuedmessage", "change", message.pk)).text
    page = boss.get(url("queuedrecipient", "change", row().pk)).text
    assert queue_id in page
    assert "under way" in page


def test_filters_narrow(boss):
    enqueue()
    assert "bob@b.test" in boss.get(url("queuedrecipient") + "?state__exact=pending").text
    assert "bob@b.test" not in boss.get(url("queuedrecipient") + "?state__exact=held").text


@pytest.mark.parametrize("query", ["", "?q=b.test", "?recipients__state__exact=pending"])
def test_a_message_is_listed_once_with_all_its_recipients(boss, query):
    queue_id = enqueue("bob@b.test", "carol@b.test", "dora@b.test")
    queue.hold(queue.Selection(address="dora@b.test"), datetime.now(UTC))
    found = boss.get(url("queuedmessage") + query).context["cl"].result_list
    listed = [(message.queue_id, message.recipients_number) for message in found]
    assert listed == [(queue_id, 3)]


def test_recipients_are_held_released_and_retried(boss):
    enqueue()
    assert "1 recipient changed." in act(boss, "hold").text
    assert row().state == "held"
    act(boss, "release")
    assert row().state == "pending"
    assert "1 recipient changed." in act(boss, "retry").text
    assert "There was nothing to change." in act(boss, "release").text


def test_cancelling_asks_first(boss):
    enqueue()
    page = act(boss, "cancel")
    assert "Never try these again?" in page.text
    assert row().state == "pending"
    act(boss, "cancel", confirmed="yes")
    assert row().state == "cancelled"


def test_messages_are_acted_on_with_all_their_recipients(boss):
    enqueue("bob@b.test", "carol@b.test")
    data = {"action": "hold", "_selected_action": [row().message.pk]}
    assert "2 recipients changed." in boss.post(url("queuedmessage"), data, follow=True).text


def test_what_is_being_tried_is_left_alone(boss):
    enqueue()
    queue.claim(datetime.now(UTC), 10)
    assert "is being tried just now" in act(boss, "hold").text
    assert row().state == "pending"


def test_nothing_can_be_edited_added_or_deleted(boss):
    enqueue()
    assert boss.get(url("queuedrecipient", "add")).status_code == 403
    assert boss.get(url("queuedrecipient", "delete", row().pk)).status_code == 403
    assert boss.post(url("queuedrecipient", "change", row().pk), {}).status_code == 403


def test_staff_without_the_permission_see_no_verbs(client):
    client.force_login(User.objects.create_user("eve", "a password for nobody", is_staff=True))
    enqueue()
    assert client.get(url("queuedrecipient")).status_code == 403
