"""IMAP4rev1 for a logged-in mailbox: one file a group of commands, `session` in front of them."""
