"""Who applies what NOTIFY tells holds what the server would answer (RFC 5465).

A client model reads the untagged lines of one session; another session (or the store itself) makes
folders, renames them in circles, subscribes, appends, flags and expunges. After every few changes
the model must be the server's own LIST, STATUS and FETCH.
"""

import re
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from accounts.login import Identity
from accounts.mailstore import append, expunge, flags, folders, subscriptions
from accounts.mailstore.flags import Flag, StoreMode
from accounts.mailstore.refusals import StoreRefusal
from accounts.models import Entry, Mailbox
from tests import clean_slate
from tests.accounts.mail import HELLO, append_many, inbox, make_mailbox
from tests.transcripts.direct import DirectVenue
from tests.transcripts.given import Scene

pytestmark = pytest.mark.django_db(transaction=True)

EVERYTHING = (
    b"NOTIFY SET STATUS (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange))"
    b" (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))"
)

_LIST = re.compile(rb'\* LIST \(([^)]*)\) "/" (\S+)(?: \("OLDNAME" \((\S+)\)\))?')
_STATUS = re.compile(rb"\* STATUS (\S+) \((.*)\)")
_EXISTS = re.compile(rb"\* (\d+) EXISTS")
_EXPUNGE = re.compile(rb"\* (\d+) EXPUNGE")
_FETCH = re.compile(rb"\* (\d+) FETCH \(UID (\d+) FLAGS \(([^)]*)\)")


@dataclass
class Model:
    """What a client holds: folders with \\Noselect and \\Subscribed, their numbers, a view."""

    names: dict[bytes, bool] = field(default_factory=dict)
    subscribed: set[bytes] = field(default_factory=set)
    numbers: dict[bytes, bytes] = field(default_factory=dict)
    messages: list[tuple[bytes, frozenset[bytes]] | None] = field(default_factory=list)

    def hear(self, line: bytes) -> None:
        if match := _LIST.match(line):
            self._hear_name(match[2], set(match[1].split()), match[3])
        elif match := _STATUS.match(line):
            # To ask for HIGHESTMODSEQ would switch CONDSTORE on.
            self.numbers[match[1]] = match[2].partition(b" HIGHESTMODSEQ ")[0]
        elif match := _EXISTS.match(line):
            count = int(match[1])
            assert count >= len(self.messages)
            self.messages += [None] * (count - len(self.messages))
        elif match := _EXPUNGE.match(line):
            del self.messages[int(match[1]) - 1]
        elif match := _FETCH.match(line):
            known = self.messages[int(match[1]) - 1]
            assert known is None or known[0] == match[2]
            seen = frozenset(match[3].split()) - {b"\\Recent"}
            self.messages[int(match[1]) - 1] = match[2], seen

    def _hear_name(self, name: bytes, attributes: set[bytes], old: bytes | None) -> None:
        if old is not None:
            del self.names[old]
            if old in self.numbers:
                self.numbers[name] = self.numbers.pop(old)
        if b"\\NonExistent" in attributes:
            self.names.pop(name, None)
        else:
            self.names[name] = b"\\Noselect" not in attributes
        if not self.names.get(name):
            self.numbers.pop(name, None)
        (self.subscribed.add if b"\\Subscribed" in attributes else self.subscribed.discard)(name)


class Watcher:
    """A session that uses NOTIFY, and its model."""

    def __init__(self, mailbox_id: int, venue: DirectVenue) -> None:
        self.wire = venue.connect()
        address = Mailbox.objects.get(pk=mailbox_id).address
        self.wire._session._client.identity = Identity(mailbox_id, 1, address, 1)
        self.wire._conversation._unfinished.is_of_stranger = False
        self.wire.read_line()
        self.model = Model()

    def ask(self, command: bytes, *, is_told: bool = True) -> list[bytes]:
        """The lines of an answer; the model hears them unless they were asked for."""
        self.wire.send(b"t " + command + b"\r\n")
        lines = []
        while (line := self.wire.read_line()) is not None and not line.startswith(b"t "):
            lines.append(line.rstrip(b"\r\n"))
            if is_told:
                self.model.hear(lines[-1])
        assert line is not None
        assert b" OK" in line, line
        return lines

    def begin(self) -> None:
        for line in self.ask(b'LIST "" * RETURN (SUBSCRIBED)'):
            assert line.startswith(b"* LIST")
        self.ask(EVERYTHING)

    def open(self, name: bytes) -> None:
        self.model.messages = []
        self.ask(b"EXAMINE " + name)
        self.ask(b"FETCH 1:* (UID FLAGS)") if self.model.messages else None

    def close(self) -> None:
        self.model.messages = []
        self.ask(b"UNSELECT")
        self.ask(b"NOOP")

    def agrees(self, selected: bytes | None) -> None:
        """Hear what is left to hear, then compare with what the server answers."""
        self.ask(b"NOOP")
        truth = Model()
        for line in self.ask(b'LIST "" * RETURN (SUBSCRIBED)', is_told=False):
            truth.hear(line)
        for line in self.ask(b'LSUB "" *', is_told=False):
            truth.subscribed.add(line.split()[-1])
        items = b"(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)"
        for name, is_selectable in truth.names.items():
            if is_selectable and name != selected:
                for line in self.ask(b"STATUS %b %b" % (name, items), is_told=False):
                    truth.hear(line)
        assert self.model.names == truth.names
        assert self.model.subscribed == truth.subscribed
        told = {name: it for name, it in self.model.numbers.items() if name != selected}
        assert told == truth.numbers
        if selected is not None:
            count = Entry.objects.filter(folder__name=selected.decode()).count()
            truth.messages = [None] * count
            for line in self.ask(b"UID FETCH 1:* (UID FLAGS)", is_told=False):
                truth.hear(line)
            assert self.model.messages == truth.messages


NAMES = st.sampled_from(["A", "B", "A/x", "B/x", "A/x/y", "C"])
STEPS = st.one_of(
    st.tuples(st.just("create"), NAMES),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("rename"), NAMES, NAMES),
    st.tuples(st.just("swap"), NAMES, NAMES),
    st.tuples(st.sampled_from(["subscribe", "unsubscribe"]), NAMES),
    st.tuples(st.sampled_from(["append", "append", "flag", "expunge"]), st.just("INBOX")),
    st.tuples(st.sampled_from(["append", "flag", "expunge"]), NAMES),
    st.just(("look",)),
    st.just(("open",)),
    st.just(("close",)),
)


def _change(mailbox_id: int, what: str, *names: str) -> None:
    match what:
        case "create":
            folders.create_folder(mailbox_id, names[0])
        case "delete":
            folders.delete_folder(mailbox_id, names[0])
        case "rename":
            folders.rename_folder(mailbox_id, *names)
        case "swap":
            folders.rename_folder(mailbox_id, names[0], "Aside")
            folders.rename_folder(mailbox_id, names[1], names[0])
            folders.rename_folder(mailbox_id, "Aside", names[1])
        case "subscribe":
            subscriptions.subscribe(mailbox_id, names[0])
        case "unsubscribe":
            subscriptions.unsubscribe(mailbox_id, names[0])
        case _:
            _change_messages(mailbox_id, what, folders.find_folder(mailbox_id, names[0]).id)


def _change_messages(mailbox_id: int, what: str, folder_id: int) -> None:
    uids = list(
        Entry.objects.filter(folder_id=folder_id).order_by("uid").values_list("uid", flat=True)
    )
    if what == "append":
        append.append_message(mailbox_id, folder_id, HELLO).result(30)
    elif what == "flag" and uids:
        mode = StoreMode.ADD if len(uids) % 2 else StoreMode.REMOVE
        flags.store_flags(folder_id, uids[::2], mode, Flag.SEEN, actor=mailbox_id)
    elif what == "expunge" and uids:
        flags.store_flags(folder_id, uids[:1], StoreMode.ADD, Flag.DELETED, actor=mailbox_id)
        expunge.expunge_uids(folder_id, None, actor=mailbox_id)


# What goes round in a circle, or away and back, between two looks.
@example([("swap", "A", "B")])
@example([("rename", "A", "C"), ("rename", "B", "A")])
@example([("delete", "A/x"), ("create", "A/x")])
@example([("delete", "A"), ("look",), ("create", "A"), ("append", "A"), ("delete", "A")])
@example([("append", "INBOX"), ("expunge", "INBOX")])
@example([("subscribe", "B"), ("rename", "B", "C"), ("unsubscribe", "B")])
@example([("open",), ("append", "INBOX"), ("expunge", "INBOX"), ("look",), ("close",)])
@example([("open",), ("look",), ("append", "INBOX"), ("flag", "INBOX"), ("close",), ("open",)])
@settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.lists(STEPS, min_size=3, max_size=25))
def test_the_model_holds_what_the_server_answers(steps: list[tuple[str, ...]]) -> None:
    clean_slate.wipe()
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 2)
    for name in ("A/x", "B"):
        folders.create_folder(mailbox_id, name)
    venue = DirectVenue(Scene("imap"))
    watcher = Watcher(mailbox_id, venue)
    selected: bytes | None = None
    try:
        watcher.begin()
        for step in [*steps, ("look",)]:
            if step == ("look",):
                watcher.agrees(selected)
            elif step == ("open",):
                selected = b"INBOX"
                watcher.open(selected)
            elif step == ("close",):
                if selected is not None:
                    watcher.close()
                selected = None
            else:
                try:
                    _change(mailbox_id, *step)
                except StoreRefusal:
                    continue
    finally:
        venue.end()
