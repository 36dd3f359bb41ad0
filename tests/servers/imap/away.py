"""A client that is away while its folder changes at random, and comes back by QRESYNC."""

import random
import re

from accounts.login import Identity
from accounts.mailstore import append, folders
from accounts.mailstore.flags import StoreMode
from accounts.models import Entry, Mailbox
from tests.accounts import as_owner
from tests.accounts.mail import HELLO
from tests.transcripts.direct import DirectVenue, DirectWire
from tests.transcripts.given import Scene

_FETCH = re.compile(rb"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\) MODSEQ \((\d+)\)\)")
_VANISHED = re.compile(rb"\* VANISHED \(EARLIER\) ([0-9:,]+)")
_CODE = re.compile(rb"\* OK \[(UIDVALIDITY|HIGHESTMODSEQ) (\d+)\]")
_NAMES = {1: b"\\Seen", 2: b"\\Answered", 4: b"\\Flagged", 8: b"\\Deleted", 16: b"\\Draft"}

Folder = dict[int, frozenset[bytes]]
"""Flags by UID."""


class Changes:
    """Random changes to an INBOX, one a call of `make`."""

    def __init__(self, mailbox_id: int, chance: random.Random) -> None:
        self._mailbox_id = mailbox_id
        self._chance = chance
        self._inbox = folders.find_folder(mailbox_id, "INBOX").id
        self._other = folders.find_folder(mailbox_id, "Archive").id

    def make(self) -> None:
        chance = self._chance
        uids = self._uids(self._inbox)
        some = chance.sample(uids, min(len(uids), chance.choice((1, 1, 2, 5))))
        bits = chance.randrange(32)
        keywords = chance.sample(("$a", "$b", "$Forwarded"), chance.randrange(3))
        kind = chance.random()
        if kind < 0.3 or not uids:
            append.append_message(
                self._mailbox_id, self._inbox, HELLO, flags=bits, keywords=keywords
            ).result(30)
        elif kind < 0.65:
            mode = chance.choice(tuple(StoreMode))
            as_owner.store_flags(self._inbox, some, mode, bits, keywords)
        elif kind < 0.8:
            as_owner.expunge_uids(self._inbox, some, only_deleted=False)
        elif kind < 0.85:
            as_owner.expunge_uids(self._inbox, None)
        elif kind < 0.92:
            as_owner.move_uids(self._inbox, some, self._other)
        else:
            there = self._uids(self._other)
            chosen = chance.sample(there, min(len(there), 3))
            as_owner.copy_uids(self._other, chosen, self._inbox)

    def truth(self) -> Folder:
        """The folder, straight from its rows."""
        names = folders.get_folder(self._inbox).keywords
        rows = Entry.objects.filter(folder_id=self._inbox).values_list("uid", "flags", "keywords")
        return {
            uid: frozenset(
                [name for bit, name in _NAMES.items() if bits & bit]
                + [name.encode() for place, name in enumerate(names) if words >> place & 1]
            )
            for uid, bits, words in rows
        }

    def _uids(self, folder_id: int) -> list[int]:
        rows = Entry.objects.filter(folder_id=folder_id).order_by("uid")
        return list(rows.values_list("uid", flat=True))


class Returning:
    """A client that keeps its copy of INBOX between connections."""

    def __init__(self, mailbox_id: int) -> None:
        mailbox = Mailbox.objects.get(pk=mailbox_id)
        self._identity = Identity(mailbox_id, 1, mailbox.address, mailbox.credential_version)
        self.folder: Folder = {}
        self.modseq = 1
        self.uidvalidity = 0

    def come_back(self, *, names_uids: bool) -> None:
        """Connect, resynchronise, and leave; `names_uids`: say which UIDs are known."""
        venue = DirectVenue(Scene("imap"))
        wire = venue.connect()
        wire._session._client.identity = self._identity
        _say(wire, b"a ENABLE QRESYNC")
        select = b"b SELECT INBOX"
        if self.uidvalidity:
            known = b" 1:%d" % (1 << 31) if names_uids else b""
            select += b" (QRESYNC (%d %d%b))" % (self.uidvalidity, self.modseq, known)
            self._take(_say(wire, select))
        else:
            self._take(_say(wire, select))
            self._take(_say(wire, b"c UID FETCH 1:* (FLAGS MODSEQ)"))
        venue.end()

    def _take(self, said: bytes) -> None:
        for line in said.split(b"\r\n"):
            if code := _CODE.match(line):
                if code[1] == b"UIDVALIDITY":
                    self.uidvalidity = int(code[2])
                else:
                    self.modseq = int(code[2])
            elif gone := _VANISHED.match(line):
                for part in gone[1].split(b","):
                    low, _, high = part.partition(b":")
                    for uid in range(int(low), int(high or low) + 1):
                        self.folder.pop(uid, None)
            elif changed := _FETCH.match(line):
                names = frozenset(changed[2].split()) - {b"\\Recent"}
                self.folder[int(changed[1])] = names


def _say(wire: DirectWire, line: bytes) -> bytes:
    wire.send(line + b"\r\n")
    said = b""
    while (answer := wire.read_line()) is not None:
        said += answer
        if answer.startswith(line[:2]):
            assert answer.startswith(line[:2] + b"OK"), answer
            break
    return said
