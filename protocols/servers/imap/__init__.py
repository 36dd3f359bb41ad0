"""IMAP4rev1 for a logged-in mailbox: one file a group of commands, `session` in front of them."""

from protocols.servers.imap.session import make_imap

__all__ = ["make_imap"]
