"""SMTP and submission: what may be said, by server and client, as pure functions of octets."""
