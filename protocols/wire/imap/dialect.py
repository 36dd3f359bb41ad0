"""What ENABLE changes of how a client's commands are read, and names are written to it."""

from enum import IntFlag


class Dialect(IntFlag):
    """Without any of these it is IMAP4rev1."""

    # Folder names and the texts of SEARCH are UTF-8 (RFC 9051 §5.1, RFC 9755 §3).
    UTF8 = 1
    # SEARCH takes no CHARSET (RFC 9755 §3), and APPEND may wrap its message (RFC 6855 §4).
    UTF8_ACCEPT = 2


REV1 = Dialect(0)
