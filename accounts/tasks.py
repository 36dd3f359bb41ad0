"""What beat has done for the mail store."""

from celery import shared_task

from accounts import garbage


@shared_task(name="accounts.collect_garbage")
def collect_garbage() -> None:
    garbage.collect()
