"""The rows of mail in motion. Only `delivery.queue` (with admin and migrations) touches them."""

from delivery.models.queue import Attempt, QueuedMessage, QueuedRecipient

__all__ = ["Attempt", "QueuedMessage", "QueuedRecipient"]
