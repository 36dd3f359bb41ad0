"""An APPEND under way: where its messages go, and what of them has come."""

from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from accounts.blobs import OutOfSpace, Spool
from accounts.commit import CommitUnavailable
from accounts.mailstore.append_together import Stored
from protocols.servers.imap.sections import Structures
from protocols.wire.imap.commands import NewMessage

log = structlog.get_logger(__name__)


class Target(NamedTuple):
    """A folder that an APPEND goes to: the name it was asked by, its key, its mailbox.

    `own_name` is what its owner calls it: a renamed folder is another one to whoever asks by name.
    """

    name: str
    folder_id: int
    owner_id: int
    own_name: str


@dataclass(slots=True)
class Appending:
    """An APPEND whose message is coming in, perhaps behind others (RFC 3502)."""

    target: Target
    message: NewMessage
    is_binary: bool
    spool: Spool = field(default_factory=Spool)
    # The UID of the selected folder that goes when the message comes (RFC 8508), 0 for none.
    replaced_uid: int = 0
    has_failed: bool = False
    has_nul: bool = False
    # NUL came in a literal that may not hold it.
    has_bad_nul: bool = False
    earlier: list[Stored] = field(default_factory=list)
    # Of the earlier ones: octets, those that may wait for the committer, and those in memory.
    octets: int = 0
    unsettled: int = 0
    held: int = 0
    # What URLs have cost: their number, octets looked into, and the message looked into last.
    urls: int = 0
    looked_into: int = 0
    source: tuple[int | None, Structures] = field(default_factory=lambda: (None, Structures()))

    def write(self, octets: bytes) -> None:
        """Some more of the message. OutOfSpace, CommitUnavailable."""
        self.has_nul |= b"\0" in octets
        try:
            self.spool.write(octets)
        except OutOfSpace:
            raise
        except OSError as error:
            log.error("spool_failed", error=str(error))
            raise CommitUnavailable(str(error)) from error
