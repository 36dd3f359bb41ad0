"""The grammar of IMAP4rev1 (RFC 3501) and its extensions: octets to events, values to octets."""
