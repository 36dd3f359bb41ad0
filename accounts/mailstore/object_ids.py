"""Identifiers that clients may keep for ever (RFC 8474)."""


def mailbox_id(folder_id: int, uidvalidity: int) -> str:
    """MAILBOXID: it survives a rename, and a folder made anew has another."""
    return f"F{folder_id}-{uidvalidity}"


def email_id(message_id: int) -> str:
    """EMAILID: the same for all copies of a message, for its octets never change."""
    return f"M{message_id}"


def thread_id(thread: int) -> str:
    """THREADID: one for all messages that belong together."""
    return f"T{thread}"
