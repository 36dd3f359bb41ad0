"""What beat calls does what it is named for."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts import directory, limits, tasks
from accounts.models import Mailbox
from mailhost.celery import SCHEDULE, app
from tests.accounts.people import settle

pytestmark = pytest.mark.django_db


def test_mailboxes_are_purged_when_they_can_no_longer_be_restored() -> None:
    people = settle()
    for mailbox in (people.alice, people.bob):
        directory.remove_mailbox(mailbox)
    long_ago = timezone.now() - limits.RESTORABLE_FOR - timedelta(minutes=1)
    Mailbox.objects.filter(pk=people.alice.pk).update(removed_at=long_ago)
    tasks.purge_mailboxes()
    assert set(Mailbox.objects.all()) == {people.bob, people.charlie}


def test_sessions_of_the_web_that_have_expired_go() -> None:
    now = timezone.now()
    for key, expires_at in (("old", now - timedelta(minutes=1)), ("new", now + timedelta(days=1))):
        Session.objects.create(session_key=key, session_data="", expire_date=expires_at)
    tasks.forget_expired_sessions()
    assert [session.session_key for session in Session.objects.all()] == ["new"]


def test_everything_on_the_schedule_exists() -> None:
    app.loader.import_default_modules()
    assert {entry["task"] for entry in SCHEDULE.values()} <= app.tasks.keys()
