"""What beat has done for the mail store and the directory."""

from celery import shared_task
from django.utils import timezone

from accounts import background, directory, garbage, limits, web_login
from accounts.mailstore import forgetting, history, search_tailer, settling


@shared_task(name="accounts.collect_garbage")
def collect_garbage() -> None:
    garbage.collect()


@shared_task(name="accounts.purge_mailboxes")
def purge_mailboxes() -> None:
    directory.purge_due(timezone.now() - limits.RESTORABLE_FOR)


@shared_task(name="accounts.forget_deleted_mail")
def forget_deleted_mail() -> None:
    forgetting.forget_old(timezone.now())


@shared_task(name="accounts.index_mail")
def index_mail() -> None:
    # The mail itself, and who reads it, come first.
    background.run(search_tailer.catch_up)


@shared_task(name="accounts.settle_flags")
def settle_flags() -> None:
    settling.settle_all()


@shared_task(name="accounts.prune_changes")
def prune_changes() -> None:
    history.prune(timezone.now() - limits.CHANGES_KEPT_FOR)


@shared_task(name="accounts.forget_expired_sessions")
def forget_expired_sessions() -> None:
    web_login.forget_expired_sessions()
