"""Put messages into threads: REFERENCES and ORDEREDSUBJECT (RFC 5256 §3).

Pure. A node is an int: messages are 0, 1, … in the order of the folder, then come dummies, which
stand for messages that others name and nobody has. Work goes on in steps that yield, and is bounded
whatever strangers wrote into References: see `MAX_ABSENT` and `PATIENCE`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

# Nodes worked on between two pauses.
STEP = 2_000
# Messages named but absent, remembered besides three for every message there is.
MAX_ABSENT = 100_000
# Looking for loops: steps upwards in all, and for every message. Whoever needs more has written
# References to that end; from then on a link that may close a loop is not made.
PATIENCE = 1_000_000
PATIENCE_EACH = 50

_NOBODY = -1


@dataclass(slots=True)
class Mails:
    """What threading asks of messages, column by column, in the order of the folder.

    Subjects are base subjects, folded. `identifiers` and `references` are message-ids by any
    hashable stand-in; None: no valid one.
    """

    dates: list[int] = field(default_factory=list)
    subjects: list[bytes] = field(default_factory=list)
    are_replies: list[bool] = field(default_factory=list)
    identifiers: list[bytes | None] = field(default_factory=list)
    references: list[Sequence[bytes]] = field(default_factory=list)


@dataclass(slots=True)
class Threads:
    """First messages of threads in order, and replies by message; both grow as work goes on."""

    tops: list[int] = field(default_factory=list)
    children: dict[int, list[int]] = field(default_factory=dict)


def by_subject(mails: Mails, threads: Threads) -> Iterator[None]:
    """ORDEREDSUBJECT: the first of each base subject, and the others as its replies."""
    first: dict[bytes, int] = {}
    for count, node in enumerate(_in_order(mails)):
        top = first.setdefault(mails.subjects[node], node)
        if top == node:
            threads.tops.append(node)
        else:
            threads.children.setdefault(top, []).append(node)
        if count % STEP == STEP - 1:
            yield


def by_references(mails: Mails, threads: Threads) -> Iterator[None]:
    """REFERENCES, in the six steps of the RFC."""
    family = _Family(mails)
    yield from family.link()
    yield from _without_dummies(mails, family.parents, threads)
    yield from _Merging(mails, threads).merge()


def _in_order(mails: Mails) -> list[int]:
    """By sent date, then by place in the folder (§2.2)."""
    return sorted(range(len(mails.dates)), key=mails.dates.__getitem__)


class _Family:
    """Step 1: parents by message-ids."""

    def __init__(self, mails: Mails) -> None:
        self._mails = mails
        count = len(mails.dates)
        self.parents = [_NOBODY] * count
        self._child_counts = [0] * count
        self._nodes: dict[bytes, int] = {}
        self._room = MAX_ABSENT + 4 * count
        self._patience = PATIENCE + PATIENCE_EACH * count
        self._work = 0

    def link(self) -> Iterator[None]:
        mails, nodes = self._mails, self._nodes
        for node, identifier in enumerate(mails.identifiers):
            # Of messages with one id, the first has it.
            if identifier is not None:
                nodes.setdefault(identifier, node)
        yield
        for node, names in enumerate(mails.references):
            line = [found for name in names if (found := self._node(name)) != _NOBODY]
            for parent, child in pairwise(line):
                if self.parents[child] == _NOBODY:
                    self._adopt(parent, child)
            self._settle(node, line[-1] if line else _NOBODY)
            self._work += 1 + len(names)
            if self._work >= STEP:
                self._work = 0
                yield

    def _node(self, name: bytes) -> int:
        node = self._nodes.get(name)
        if node is None:
            node = len(self.parents)
            if node >= self._room:
                return _NOBODY
            self._nodes[name] = node
            self.parents.append(_NOBODY)
            self._child_counts.append(0)
        return node

    def _settle(self, node: int, parent: int) -> None:
        """Step 1 (B): the last reference is the parent, whatever others said before."""
        before = self.parents[node]
        if before != _NOBODY and before == parent:
            return
        if before != _NOBODY:
            self.parents[node] = _NOBODY
            self._child_counts[before] -= 1
        if parent != _NOBODY:
            self._adopt(parent, node)

    def _adopt(self, parent: int, child: int) -> None:
        """Link them, unless `child` (who has no parent) is an ancestor of `parent`."""
        if parent == child:
            return
        # Who has no children is nobody's ancestor; so nearly all links take no walk.
        if self._child_counts[child] and not self._is_apart(parent, child):
            return
        self.parents[child] = parent
        self._child_counts[parent] += 1

    def _is_apart(self, node: int, ancestor: int) -> bool:
        parents = self.parents
        steps = 0
        while node not in (_NOBODY, ancestor) and steps < self._patience:
            node = parents[node]
            steps += 1
        self._patience -= steps
        self._work += steps // 16
        return node == _NOBODY


def _without_dummies(mails: Mails, parents: list[int], threads: Threads) -> Iterator[None]:
    """Steps 2 to 4: only a dummy that holds several threads together stays; all in order."""
    count = len(mails.dates)
    nearest = _Nearest(parents, count)
    for done, node in enumerate(_in_order(mails), 1):
        parent = nearest.of(node)
        if parent == _NOBODY:
            threads.tops.append(node)
        elif parent < count:
            threads.children.setdefault(parent, []).append(node)
        else:
            # In order: a dummy's date is that of its first child.
            siblings = threads.children.setdefault(parent, [])
            if not siblings:
                threads.tops.append(parent)
            siblings.append(node)
        if done % STEP == 0:
            yield
    for at, top in enumerate(threads.tops):
        if top >= count and len(threads.children[top]) == 1:
            threads.tops[at] = threads.children.pop(top)[0]


class _Nearest:
    """Whose child a message is once dummies are spliced out."""

    def __init__(self, parents: list[int], count: int) -> None:
        self._parents = parents
        self._count = count
        self._known: dict[int, int] = {}

    def of(self, node: int) -> int:
        """The nearest ancestor that is there, else the topmost dummy, else nobody."""
        parents, known = self._parents, self._known
        passed: list[int] = []
        at = parents[node]
        while at >= self._count and at not in known:
            passed.append(at)
            if parents[at] == _NOBODY:
                break
            at = parents[at]
        found = known.get(at, at)
        for dummy in passed:
            known[dummy] = found
        return found


class _Merging:
    """Steps 5 and 6: threads of one subject become one."""

    def __init__(self, mails: Mails, threads: Threads) -> None:
        self._mails = mails
        self._threads = threads
        self._count = len(mails.dates)
        self._next_dummy = max([self._count - 1, *threads.tops]) + 1
        self._table: dict[bytes, int] = {}
        self._moved: set[int] = set()
        self._grown: set[int] = set()

    def merge(self) -> Iterator[None]:
        tops = tuple(self._threads.tops)
        for done, top in enumerate(tops, 1):
            self._enter(top)
            if done % STEP == 0:
                yield
        for done, top in enumerate(tops, 1):
            self._merge_one(top)
            if done % STEP == 0:
                yield
        yield from self._sort()

    def _is_dummy(self, node: int) -> bool:
        return node >= self._count

    def _first(self, node: int) -> int:
        return self._threads.children[node][0] if self._is_dummy(node) else node

    def _subject(self, node: int) -> bytes:
        return self._mails.subjects[self._first(node)]

    def _is_reply(self, node: int) -> bool:
        return not self._is_dummy(node) and self._mails.are_replies[node]

    def _enter(self, top: int) -> None:
        """Step 5 (B): a dummy speaks for its subject, else the first that is no reply."""
        subject = self._subject(top)
        if not subject:
            return
        known = self._table.setdefault(subject, top)
        if self._is_dummy(known):
            return
        if self._is_dummy(top) or (self._is_reply(known) and not self._is_reply(top)):
            self._table[subject] = top

    def _merge_one(self, top: int) -> None:
        """Step 5 (C)."""
        subject = self._subject(top)
        if not subject or self._table[subject] == top:
            return
        into = self._table[subject]
        children = self._threads.children
        self._moved.add(top)
        if self._is_dummy(into) and self._is_dummy(top):
            self._give(into, children.pop(top))
        elif self._is_dummy(into) or (self._is_reply(top) and not self._is_reply(into)):
            self._give(into, [top])
        else:
            self._moved.add(into)
            dummy = self._table[subject] = self._next_dummy
            self._next_dummy += 1
            self._threads.tops.append(dummy)
            self._give(dummy, [into, top])

    def _give(self, parent: int, children: list[int]) -> None:
        self._threads.children.setdefault(parent, []).extend(children)
        self._grown.add(parent)

    def _sort(self) -> Iterator[None]:
        """Step 6; whoever has not grown is in order already."""
        yield
        dates, threads = self._mails.dates, self._threads
        for parent in self._grown:
            threads.children[parent].sort(key=lambda node: (dates[node], node))
        first = {top: self._first(top) for top in threads.tops if top not in self._moved}
        threads.tops = sorted(first, key=lambda top: (dates[first[top]], first[top]))
