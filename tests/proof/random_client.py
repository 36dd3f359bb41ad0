"""A client that does what mail programs do, at random.

Its seed decides what it does next as far as what it has been told does. It is one of two kinds of
mail program: those that show a flag as set when they send the STORE, and those that wait for OK.
Both take every FETCH that follows for the newer truth.
"""

import random
import time
from collections.abc import Iterable

from tests.journeys.imap_reader import Response
from tests.proof.believing_client import BelievingClient
from tests.proof.folder_model import Known
from tests.proof.truth import Deviation, Flags, Place, Truth

FOLDERS = ("INBOX", "Archive")
SYSTEM_FLAGS = (b"\\Seen", b"\\Flagged", b"\\Answered", b"\\Draft")
SHARED = (b"$shared", b"$work")
# So many messages in a folder are neither too few to meet nor too many to look through.
FEW, MANY = 15, 40


class RandomClient(BelievingClient):
    """`act` is one random thing; `rest` hears out what there is to hear."""

    def __init__(
        self, number: int, seed: str, truth: Truth, address: tuple[str, int], login: tuple[str, str]
    ) -> None:
        super().__init__(number, truth, address, login)
        self.chance = random.Random(f"{seed}-{number}")
        # A SEARCH or STORE passed them over, as is done with messages that are gone alone.
        self._must_be_gone: set[Place] = set()

    def connect(self) -> None:
        super().connect()
        self._select(self.chance.choice(FOLDERS))

    def act(self) -> None:
        """One random thing, and what a client does after it: learn the names of new messages."""
        count = len(self.folder.messages)
        adds = 6 if count < FEW else 2
        removes = 6 if count > MANY else 2
        weights = {
            self._noop: 2,
            self._idle: 2,
            self._append: adds,
            self._store: 9,
            self._store_conditionally: 3 if self._has_condstore else 0,
            self._fetch: 3,
            self._read: 3,
            self._search: 3,
            self._copy: adds,
            self._move: removes,
            self._delete: removes,
            self._expunge: removes,
            self._change_folder: 1,
            self._reconnect: 0.3,
        }
        (act,) = self.chance.choices(list(weights), list(weights.values()))
        act()
        self.learn_names()
        self._truth.count_command()

    def rest(self) -> None:
        """Hear out what there is to hear; all clients do, while none changes anything."""
        self._noop()
        self.learn_names()
        if self.folder.first_unnamed:
            raise Deviation("a message without a UID while nothing moves")

    def believed(self) -> tuple[str, dict[int, Flags | None], dict[int, int]]:
        """The selected folder as this client knows it: flags and mod-sequences by UID."""
        messages = self.folder.messages
        modseqs = {each.uid: each.modseq for each in messages if self._has_condstore}
        return self.folder.name, {each.uid: each.flags for each in messages}, modseqs

    def _noop(self) -> None:
        self._ask(b"NOOP")
        folder = self.folder
        folder.caught_up()
        if kept := [uid for uid in folder.uids if (folder.name, uid) in self._must_be_gone]:
            raise Deviation(f"UIDs {kept} were passed over and are there")

    def _idle(self) -> None:
        reader = self._connection
        self._begin(b"IDLE")
        while (response := reader.read()) and response.tag != b"+":
            self._hear(response)
        self._running = b"IDLE"
        until = time.monotonic() + self.chance.uniform(0, 0.3)
        while response := reader.read(max(0.001, until - time.monotonic())):
            self._hear(response)
        reader.send(b"DONE\r\n")
        self._finish()

    def _append(self) -> None:
        target = self.chance.choice(FOLDERS)
        name = self._truth.new_name()
        message = f"Subject: {name}\r\nFrom: a@b.test\r\n\r\nhello\r\n".encode()
        flags = self.chance.choice((b"", b"(\\Seen) ", b"($shared) "))
        done = self._ask(
            b"APPEND %b %b{%d+}\r\n%b" % (target.encode(), flags, len(message), message)
        )
        code = done.code(b"APPENDUID")
        if code is None:
            raise Deviation(f"no APPENDUID: {done.raw!r}")
        self._truth.appended(target, int(code.split()[1]), name)

    def _store(self) -> None:
        chosen = self._choose(4)
        if not chosen:
            return
        names = self.chance.sample((*SYSTEM_FLAGS, *SHARED, *[self._keyword] * 3), 2)
        self._change(chosen, frozenset(names), self.chance.choice(b"+-"))

    def _delete(self) -> None:
        chosen = self._choose(2)
        if chosen:
            self._change(chosen, frozenset((b"\\Deleted",)), self.chance.choice(b"++-"))

    def _change(self, chosen: list[Known], names: Flags, sign: int) -> None:
        """Add or remove flags, loudly or silently, by number or UID."""
        folder, is_silent = self.folder, self.chance.random() < 0.6
        if b"\\Deleted" in names:
            self._truth.let_go(folder.name, (each.uid for each in chosen))
        self._pending = {(folder.name, each.uid) for each in chosen if self._keyword in names}
        if self._shows_early:
            _apply(chosen, names, sign)
        done = self._ask_about(
            chosen,
            b"STORE",
            b"%cFLAGS%b (%b)" % (sign, b".SILENT" * is_silent, b" ".join(sorted(names))),
        )
        if not self._shows_early and is_silent:
            _apply((each for each in chosen if each.uid not in folder.flags_told), names, sign)
        is_done = done.words[0] == b"OK"
        if not is_done and done.code(b"EXPUNGEISSUED") is None:
            raise Deviation(f"STORE: {done.raw!r}")
        if self._keyword in names:
            self._note_own(chosen, is_set=sign == ord("+"))

    def _store_conditionally(self) -> None:
        """Replace all flags, if nobody has changed them meanwhile: then nothing is lost."""
        chosen = self._choose(1)
        if not chosen or not chosen[0].modseq or chosen[0].flags is None:
            return
        message, folder = chosen[0], self.folder
        before, modseq = message.flags, message.modseq
        flags = before ^ {self.chance.choice((*SYSTEM_FLAGS, *SHARED, self._keyword))}
        is_silent = self.chance.random() < 0.5
        if self._shows_early:
            message.flags = flags
        self._pending = {(folder.name, message.uid)}
        done = self._ask_about(
            chosen,
            b"STORE",
            b"(UNCHANGEDSINCE %d) FLAGS%b (%b)"
            % (modseq, b".SILENT" * is_silent, b" ".join(sorted(flags))),
        )
        if folder.find(message.uid) is None or done.code(b"EXPUNGEISSUED") is not None:
            return
        if done.code(b"MODIFIED") is not None:
            self._ask_about(chosen, b"FETCH", b"(UID FLAGS MODSEQ)")
            return
        if not self._shows_early and is_silent and message.uid not in folder.flags_told:
            message.flags = flags
        if flags != before and message.modseq <= modseq:
            self._must_be_gone.add((folder.name, message.uid))
            return
        self._note_own(chosen, is_set=self._keyword in flags)

    def _fetch(self) -> None:
        items = b"(UID FLAGS MODSEQ)" if self._has_condstore else b"(UID FLAGS)"
        if chosen := self._choose(5):
            self._ask_about(chosen, b"FETCH", items)

    def _read(self) -> None:
        """Fetch a header, which names the message, or a body, which sets \\Seen."""
        chosen = self._choose(2)
        if not chosen:
            return
        header = b"BODY.PEEK[HEADER.FIELDS (SUBJECT)]"
        item = b"UID %b BODY[TEXT]" % header if self.chance.random() < 0.3 else b"UID %b" % header
        self._subjects = {}
        self._ask_about(chosen, b"FETCH", b"(%b)" % item)
        for uid, name in self._subjects.items():
            self._truth.see_name(self.folder.name, uid, name)

    def _search(self) -> None:
        """What only this client changes is known in advance; ALL is what there is."""
        by_uid, own = self.chance.random() < 0.5, self.chance.random() < 0.7
        key = b"KEYWORD " + self._keyword if own else b"ALL"
        if self.chance.random() < 0.3:
            key = b"RETURN (ALL) " + key
        self._found = []
        self._ask(b"UID SEARCH " + key if by_uid else b"SEARCH " + key)
        folder, found = self.folder, self._found
        if found != sorted(set(found)):
            raise Deviation(f"SEARCH found {found}")
        if not by_uid:
            if found and found[-1] > len(folder.messages):
                raise Deviation(f"SEARCH found {found} of {len(folder.messages)}")
            found = [folder.messages[number - 1].uid for number in found]
        for uid in folder.uids:
            expected = self._own.get((folder.name, uid)) if own else True
            if expected is False and uid in found:
                raise Deviation(f"SEARCH {key!r} found UID {uid}")
            if expected and uid and uid not in found:
                self._must_be_gone.add((folder.name, uid))

    def _copy(self) -> None:
        if chosen := self._choose(3):
            target = self.chance.choice(FOLDERS)
            self._place(chosen, target, is_move=False)

    def _move(self) -> None:
        if chosen := self._choose(3):
            target = self.chance.choice(FOLDERS)
            self._truth.let_go(self.folder.name, (each.uid for each in chosen))
            self._place(chosen, target, is_move=True)

    def _place(self, chosen: list[Known], target: str, *, is_move: bool) -> None:
        source = self.folder.name
        self._copied = None
        done = self._ask_about(chosen, b"MOVE" if is_move else b"COPY", target.encode())
        code = done.code(b"COPYUID") or self._copied
        if code:
            self._truth.copied(source, target, code, is_move=is_move)

    def _expunge(self) -> None:
        chosen = self._choose(5)
        if self.chance.random() < 0.5 or not chosen:
            self._ask(b"EXPUNGE")
        else:
            self._ask(b"UID EXPUNGE " + _set(each.uid for each in chosen))

    def _change_folder(self) -> None:
        if self.chance.random() < 0.3:
            self._ask(b"STATUS %b (MESSAGES UIDNEXT)" % self.chance.choice(FOLDERS).encode())
        leave = self.chance.choice((b"", b"CLOSE", b"UNSELECT"))
        if leave:
            self._ask(leave)
        self._select(self.chance.choice(FOLDERS))

    def _reconnect(self) -> None:
        if self.chance.random() < 0.5:
            self._ask(b"LOGOUT")
        self.close()
        self.connect()

    def _choose(self, most: int) -> list[Known]:
        named = [each for each in self.folder.messages if each.uid]
        count = min(len(named), self.chance.randint(1, most))
        return sorted(self.chance.sample(named, count), key=lambda each: each.uid)

    def _ask_about(self, chosen: list[Known], command: bytes, rest: bytes) -> Response:
        """A command about messages, by number or by UID."""
        if self.chance.random() < 0.5:
            return self._ask(b"UID %b %b %b" % (command, _set(e.uid for e in chosen), rest))
        numbers = [self.folder.uids.index(each.uid) + 1 for each in chosen]
        return self._ask(b"%b %b %b" % (command, _set(numbers), rest))

    def _note_own(self, chosen: Iterable[Known], *, is_set: bool) -> None:
        """A STORE is answered: what it did not do, it did not because the message is gone.

        Some of several may be (RFC 2180 §4.2.1), and no EXPUNGE may tell of it yet.
        """
        for each in chosen:
            place = self.folder.name, each.uid
            if each.flags is not None and is_set is (self._keyword in each.flags):
                self._own[place] = is_set
            else:
                self._own.pop(place, None)
                self._must_be_gone.add(place)


def _apply(messages: Iterable[Known], names: Flags, sign: int) -> None:
    for each in messages:
        if each.flags is not None:
            each.flags = each.flags | names if sign == ord("+") else each.flags - names


def _set(numbers: Iterable[int]) -> bytes:
    return b",".join(b"%d" % number for number in numbers)
