"""THREAD: messages in threads, from stored columns and kept keys (RFC 5256 §3)."""

from collections.abc import Iterator, Sequence

from accounts.mailstore import sort_kept
from accounts.mailstore.columns import read_columns
from accounts.mailstore.fetch import Columns
from accounts.mailstore.sort import sent_dates
from accounts.mailstore.thread_names import unpacked
from accounts.mailstore.thread_tree import Mails, Threads, by_references, by_subject
from protocols.wire.imap.thread import Algorithm

SLICE = 500


class Threading:
    """Messages of one folder being put into threads."""

    def __init__(self, folder_id: int, algorithm: Algorithm) -> None:
        self._folder_id = folder_id
        self._algorithm = algorithm
        self._mails = Mails()
        # Those that were there when they were read; a message's place here is its node.
        self.uids: list[int] = []
        self.threads = Threads()

    def work(self, uids: Sequence[int]) -> Iterator[None]:
        """Read (ascending) messages and thread them, pausing after each slice."""
        for start in range(0, len(uids), SLICE):
            yield from self._take(uids[start : start + SLICE])
            yield
        match self._algorithm:
            case Algorithm.REFERENCES:
                yield from by_references(self._mails, self.threads)
            case Algorithm.ORDEREDSUBJECT:
                yield from by_subject(self._mails, self.threads)

    def _take(self, uids: Sequence[int]) -> Iterator[None]:
        columns = Columns.DATES | Columns.SENT_AT
        dated = read_columns(self._folder_id, uids, columns=columns)
        dates = dict(
            zip(dated["uid"], sent_dates(dated["sent_at"], dated["internal_date"]), strict=True)
        )
        wanted = ["subject"]
        if self._algorithm is Algorithm.REFERENCES:
            wanted += ["is_reply", "names"]
        found = yield from sort_kept.read(self._folder_id, uids, wanted, pause=None)
        there = [at for at, uid in enumerate(found["uid"]) if uid in dates]
        self.uids += (found["uid"][at] for at in there)
        mails = self._mails
        mails.dates += (dates[found["uid"][at]] for at in there)
        mails.subjects += (bytes(found["subject"][at]) for at in there)
        if self._algorithm is Algorithm.REFERENCES:
            mails.are_replies += (bool(found["is_reply"][at]) for at in there)
            for at in there:
                names = unpacked(bytes(found["names"][at]))
                mails.identifiers.append(names.own)
                mails.references.append(names.references)
