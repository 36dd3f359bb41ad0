"""A client that believes what it is told, as long as it may be told it: selecting, asking, hearing.

It is one of three by its number: of plain IMAP4rev1, of CONDSTORE, of QRESYNC.
"""

from collections.abc import Iterable, Sequence

from tests.journeys.imap_reader import ImapReader, Response, numbers_in
from tests.proof.folder_model import FolderModel, Known, vanished_in
from tests.proof.truth import Deviation, Place, Truth


class BelievingClient:
    """One connection after another to one mailbox, with a model of each folder."""

    def __init__(
        self, number: int, truth: Truth, address: tuple[str, int], login: tuple[str, str]
    ) -> None:
        self.number = number
        self._truth = truth
        self._address = address
        self._login = login
        self._keyword = b"$own%d" % number
        # Only this client changes its keyword: what its OK said must be told ever after.
        self._own: dict[Place, bool] = {}
        self._has_condstore = number % 3 > 0
        self._has_qresync = number % 3 == 2
        self._shows_early = bool(number % 2)
        self._tag = 0
        self.folder = FolderModel("", truth)
        self._resumed: FolderModel | None = None
        self._kept: dict[str, FolderModel] = {}
        self._reader: ImapReader | None = None
        self._running = b""
        self._pending: set[Place] = set()
        # What the responses of the command under way held.
        self._found: list[int] = []
        self._copied: bytes | None = None
        self._subjects: dict[int, str] = {}

    @property
    def kind(self) -> str:
        extension = "QRESYNC" if self._has_qresync else "CONDSTORE" if self._has_condstore else "-"
        return f"client {self.number} ({extension}, shows flags {'early' * self._shows_early})"

    @property
    def transcript(self) -> Sequence[bytes]:
        return self._reader.transcript if self._reader else ()

    def connect(self) -> None:
        self._reader = ImapReader(*self._address)
        self._reader.read()
        user, password = self._login
        self._ask(f'LOGIN {user} "{password}"'.encode())
        if self._has_condstore:
            self._ask(b"ENABLE QRESYNC" if self._has_qresync else b"ENABLE CONDSTORE")

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def learn_names(self) -> None:
        """Ask for the UIDs of messages that only EXISTS has told of."""
        first = self.folder.first_unnamed
        if first is not None:
            items = b"UID FLAGS MODSEQ" if self._has_condstore else b"UID FLAGS"
            self._ask(b"FETCH %d:* (%b)" % (first, items))

    def _select(self, name: str) -> None:
        """SELECT; a client of QRESYNC goes on with what it knew of the folder."""
        kept = self._kept.get(name) if self._has_qresync else None
        self.folder = FolderModel(name, self._truth)
        self._kept[name] = self.folder
        if kept is None or not kept.modseq:
            self._resumed = None
            self._ask(b"SELECT " + name.encode())
        else:
            kept.messages = [each for each in kept.messages if each.uid]
            self._resumed = kept
            self._ask(
                b"SELECT %b (QRESYNC (%d %d))" % (name.encode(), kept.uidvalidity, kept.modseq)
            )
            self._resume(kept)
        self.folder.caught_up()
        self.learn_names()

    def _resume(self, kept: FolderModel) -> None:
        """Join what was kept with what the server told of it."""
        fresh, self._resumed = self.folder, None
        told = fresh.messages
        for each in told:
            if each.uid:
                known = kept.adopt(each.uid)
                known.flags, known.modseq = each.flags, each.modseq
        kept.select_again(fresh.uidvalidity, len(told))
        for number, each in enumerate(told):
            if each.uid and kept.messages[number].uid != each.uid:
                raise Deviation(f"message {number + 1} is UID {each.uid} after a resync")
        kept.highest_modseq(fresh.modseq)
        self.folder = self._kept[kept.name] = kept

    @property
    def _connection(self) -> ImapReader:
        assert self._reader is not None
        return self._reader

    def _ask(self, line: bytes) -> Response:
        self._begin(line)
        return self._finish()

    def _begin(self, line: bytes) -> None:
        self._tag += 1
        words = line.split(None, 2)
        self._running = b" ".join(words[:2]) if words[0] == b"UID" else words[0]
        self.folder.flags_told.clear()
        self._connection.send(b"t%d %b\r\n" % (self._tag, line))

    def _finish(self) -> Response:
        """Hear everything up to the tagged response."""
        tag = b"t%d" % self._tag
        while response := self._connection.read():
            self._hear(response)
            if response.tag == tag:
                self._running, self._pending = b"", set()
                if response.words[0] == b"BAD":
                    raise Deviation(f"BAD: {response.raw!r}")
                return response
        raise Deviation("no answer within a minute")

    def _hear(self, response: Response) -> None:
        if modseq := response.code(b"HIGHESTMODSEQ"):
            self.folder.highest_modseq(int(modseq))
        if response.tag != b"*":
            return
        if uidvalidity := response.code(b"UIDVALIDITY"):
            self.folder.uidvalidity = int(uidvalidity)
        if (copied := response.code(b"COPYUID")) is not None:
            self._copied = copied
        match response.kind:
            case b"EXISTS":
                self.folder.exists(response.number or 0)
            case b"EXPUNGE":
                if self._has_qresync:
                    raise Deviation("EXPUNGE, though QRESYNC is enabled")
                self.folder.expunge(response.number or 0, self._running)
            case b"VANISHED":
                self._hear_vanished(response)
            case b"FETCH":
                self._hear_fetch(response)
            case b"SEARCH":
                self._found += [int(word) for word in response.words[1:] if word.isdigit()]
            case b"ESEARCH":
                if b"ALL" in response.words:
                    self._found += numbers_in(response.words[response.words.index(b"ALL") + 1])
            case b"BYE":
                if self._running != b"LOGOUT":
                    raise Deviation(f"hung up: {response.raw!r}")

    def _hear_vanished(self, response: Response) -> None:
        is_earlier, uids = vanished_in(response)
        if not self._has_qresync:
            raise Deviation("VANISHED, though QRESYNC is not enabled")
        if not is_earlier:
            self.folder.vanished(uids, self._running)
        elif self._resumed is None:
            raise Deviation("VANISHED (EARLIER) outside a resync")
        else:
            self._resumed.vanished_earlier(uids)

    def _hear_fetch(self, response: Response) -> None:
        is_asked = self._running in (b"FETCH", b"UID FETCH", b"SELECT")
        wants = {b"UID"} if self._has_qresync else set()
        if self._has_condstore:
            wants.add(b"MODSEQ")
        message = self.folder.fetch(response, is_asked=is_asked, wants=frozenset(wants))
        items = response.items
        if b"FLAGS" in items and (self.folder.name, message.uid) not in self._pending:
            self._check_own([message])
        for item, value in items.items():
            if item.startswith(b"BODY[HEADER"):
                self._subjects[message.uid] = value.partition(b":")[2].strip().decode()

    def _check_own(self, messages: Iterable[Known]) -> None:
        """What this client's last OK promised of its keyword is what it is told."""
        for each in messages:
            promised = self._own.get((self.folder.name, each.uid))
            if promised is None or each.flags is None or self.folder.find(each.uid) is None:
                continue
            if promised is not (self._keyword in each.flags):
                raise Deviation(
                    f"UID {each.uid} has {sorted(each.flags)}; {self._keyword.decode()} "
                    f"was {'set' if promised else 'cleared'}"
                )
