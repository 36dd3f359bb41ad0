"""What may be said: SMTP, IMAP, POP3 and the message format, as pure functions of bytes."""
