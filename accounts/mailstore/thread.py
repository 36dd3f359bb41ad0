"""THREAD: messages in threads, from stored columns (RFC 5256 §3).

What is read of a message is small and bounded: of its references the first and the last ones.
"""

from collections.abc import Iterator, Sequence

from accounts.mailstore.columns import large_ones, read_columns
from accounts.mailstore.fetch import Columns
from accounts.mailstore.search_text import fold
from accounts.mailstore.thread_names import first_fields, names
from accounts.mailstore.thread_tree import Mails, Threads, by_references, by_subject
from protocols.wire.imap.thread import Algorithm
from protocols.wire.message import decode_header, read_subject

SLICE = 500
# A larger block of header fields is read alone.
_TEXT_OCTETS = 16 << 10

_COLUMNS = Columns.DATES | Columns.SENT_AT | Columns.HEADERS


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
        found = read_columns(self._folder_id, uids, columns=_COLUMNS, at_most=_TEXT_OCTETS)
        large = frozenset(large_ones(found))
        mails = self._mails
        for at, uid in enumerate(found["uid"]):
            headers = found["headers"][at]
            if at in large:
                headers = self._large_headers(uid)
                yield
            if headers is None:
                continue
            self.uids.append(uid)
            sent_at = found["sent_at"][at]
            mails.dates.append(found["internal_date"][at] if sent_at is None else sent_at)
            self._add(bytes(headers))

    def _large_headers(self, uid: int) -> bytes | None:
        alone = read_columns(self._folder_id, [uid], columns=Columns.HEADERS)["headers"]
        return alone[0] if alone else None

    def _add(self, headers: bytes) -> None:
        mails = self._mails
        fields = first_fields(headers)
        subject = read_subject(decode_header(fields.get(b"subject", b"")))
        mails.subjects.append(fold(subject.text))
        mails.are_replies.append(subject.is_reply)
        if self._algorithm is Algorithm.REFERENCES:
            identifier, references = names(fields)
            mails.identifiers.append(identifier)
            mails.references.append(references)
