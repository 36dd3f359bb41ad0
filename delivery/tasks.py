"""What Celery may ask of mail in motion. The functions behind decide; nothing is retried here."""

from celery import shared_task
from django.utils import timezone

from delivery import outbound, queue


@shared_task(name="delivery.drain")
def drain() -> None:
    outbound.drain()


@shared_task(name="delivery.purge_queue")
def purge_queue() -> None:
    queue.purge(timezone.now())
