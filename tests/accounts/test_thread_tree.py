"""Threads are those of the RFC's own steps, and bounded whatever References hold (RFC 5256 §3)."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from accounts.mailstore import thread_tree
from accounts.mailstore.thread_tree import Mails, Threads, by_references, by_subject


class Mail(NamedTuple):
    identifier: bytes | None
    references: Sequence[bytes] = ()
    subject: bytes = b""
    is_reply: bool = False
    date: int = 0


Tree = tuple[int | None, list["Tree"]]


def _columns(mails: Sequence[Mail]) -> Mails:
    return Mails(
        [mail.date for mail in mails],
        [mail.subject for mail in mails],
        [mail.is_reply for mail in mails],
        [mail.identifier for mail in mails],
        [mail.references for mail in mails],
    )


def _threaded(mails: Sequence[Mail], *, by: str = "references") -> list[Tree]:
    threads = Threads()
    work = by_references if by == "references" else by_subject
    list(work(_columns(mails), threads))

    def tree(node: int) -> Tree:
        replies = [tree(child) for child in threads.children.get(node, [])]
        return (node if node < len(mails) else None, replies)

    return [tree(top) for top in threads.tops]


class Node:
    """A message or dummy of the naive model, which does what the RFC says, line by line."""

    def __init__(self, number: int | None = None, mail: Mail | None = None) -> None:
        self.number = number
        self.mail = mail
        self.parent: Node | None = None
        self.children: list[Node] = []

    def is_under(self, other: "Node") -> bool:
        at: Node | None = self
        while at is not None and at is not other:
            at = at.parent
        return at is other

    def first(self) -> "Node":
        return self if self.mail is not None else self.children[0]

    def key(self) -> tuple[int, int]:
        first = self.first()
        assert first.mail is not None
        assert first.number is not None
        return first.mail.date, first.number

    def subject(self) -> bytes:
        first = self.first()
        assert first.mail is not None
        return first.mail.subject

    def is_reply(self) -> bool:
        return self.mail is not None and self.mail.is_reply

    def is_dummy(self) -> bool:
        return self.mail is None

    def tree(self) -> Tree:
        return self.number, [child.tree() for child in self.children]


def _link(parent: Node, child: Node) -> None:
    if child.parent is None and not parent.is_under(child):
        child.parent = parent
        parent.children.append(child)


def _pruned(nodes: list[Node], *, at_root: bool) -> list[Node]:
    kept: list[Node] = []
    for node in nodes:
        node.children = _pruned(node.children, at_root=False)
        if not node.is_dummy():
            kept.append(node)
        elif not at_root or len(node.children) == 1:
            kept += node.children
        elif node.children:
            kept.append(node)
    return kept


def _sort(nodes: list[Node]) -> None:
    for node in nodes:
        _sort(node.children)
    nodes.sort(key=Node.key)


def _model(mails: Sequence[Mail]) -> list[Tree]:
    nodes = [Node(number, mail) for number, mail in enumerate(mails)]
    by_id: dict[bytes, Node] = {}
    everybody = list(nodes)
    for node, mail in zip(nodes, mails, strict=True):
        if mail.identifier is not None:
            by_id.setdefault(mail.identifier, node)
    # Step 1.
    for node, mail in zip(nodes, mails, strict=True):
        line = []
        for name in mail.references:
            if name not in by_id:
                by_id[name] = Node()
                everybody.append(by_id[name])
            line.append(by_id[name])
        for place in range(len(line) - 1):
            _link(line[place], line[place + 1])
        if node.parent is not None:
            node.parent.children.remove(node)
            node.parent = None
        if line:
            _link(line[-1], node)
    # Steps 2 to 4.
    tops = _pruned([node for node in everybody if node.parent is None], at_root=True)
    for top in tops:
        if top.is_dummy():
            top.children.sort(key=Node.key)
    tops.sort(key=Node.key)
    # Step 5.
    table: dict[bytes, Node] = {}
    for top in tops:
        subject = top.subject()
        if not subject:
            continue
        known = table.get(subject)
        if known is None or (
            not known.is_dummy() and (top.is_dummy() or (known.is_reply() and not top.is_reply()))
        ):
            table[subject] = top
    for top in list(tops):
        subject = top.subject()
        known = table.get(subject)
        if not subject or known is top:
            continue
        assert known is not None
        tops.remove(top)
        if known.is_dummy() and top.is_dummy():
            known.children += top.children
        elif known.is_dummy() or (top.is_reply() and not known.is_reply()):
            known.children.append(top)
        else:
            dummy = table[subject] = Node()
            dummy.children = [known, top]
            tops.remove(known)
            tops.append(dummy)
    # Step 6.
    _sort(tops)
    return [top.tree() for top in tops]


_names = st.integers(0, 9).map(lambda number: b"%d" % number)
_mails = st.lists(
    st.builds(
        Mail,
        identifier=st.none() | _names,
        references=st.lists(_names, max_size=5),
        subject=st.sampled_from([b"", b"a", b"b", b"c"]),
        is_reply=st.booleans(),
        date=st.integers(0, 5),
    ),
    max_size=14,
)


@given(_mails)
def test_references_are_those_of_the_naive_model(mails: list[Mail]) -> None:
    assert _threaded(mails) == _model(mails)


@given(_mails)
def test_ordered_subjects_are_sorted_and_split(mails: list[Mail]) -> None:
    order = sorted(range(len(mails)), key=lambda at: (mails[at].subject, mails[at].date, at))
    threads: dict[bytes, list[int]] = {}
    for node in order:
        threads.setdefault(mails[node].subject, []).append(node)
    expected = [(first, [(other, []) for other in others]) for first, *others in threads.values()]
    expected.sort(key=lambda tree: (mails[tree[0]].date, tree[0]))
    assert _threaded(mails, by="subject") == expected


def test_a_chain_of_100_000_replies_is_threaded_in_slices() -> None:
    count = 100_000
    mails = [
        Mail(b"%d" % number, [b"%d" % (number - 1)] if number else [], b"s", number > 0, number)
        for number in range(count)
    ]
    threads = Threads()
    for _ in range(2):
        columns = _columns(mails)
        threads = Threads()
        started = time.process_time()
        pauses = sum(1 for _ in by_references(columns, threads))
        assert time.process_time() - started < 5
        assert pauses > 50
        assert threads.tops in ([0], [count - 1])
        assert sum(map(len, threads.children.values())) == count - 1
        # Then the other way round: the first in the folder is the last reply.
        mails = [
            Mail(mail.identifier, mail.references, b"s", mail.is_reply, mail.date)
            for mail in reversed(mails)
        ]


def test_looking_for_loops_ends_however_deep_strangers_dig(monkeypatch) -> None:
    monkeypatch.setattr(thread_tree, "PATIENCE", 10_000)
    depth = 20_000
    deep = [Mail(b"d%d" % at, [b"d%d" % (at - 1)] if at else []) for at in range(depth)]
    bottom = b"d%d" % (depth - 1)
    # Each has a child before it comes, and hangs itself under the deepest one.
    more = [
        mail
        for at in range(depth)
        for mail in (Mail(b"x%d" % at, [b"m%d" % at]), Mail(b"m%d" % at, [bottom]))
    ]
    threads = Threads()
    columns = _columns(deep + more)
    started = time.process_time()
    list(by_references(columns, threads))
    # 400 million steps upwards take a minute.
    assert time.process_time() - started < 10
    everybody = len(threads.tops) + sum(map(len, threads.children.values()))
    assert everybody == len(deep) + len(more)


def test_absent_messages_are_remembered_up_to_a_limit(monkeypatch) -> None:
    monkeypatch.setattr(thread_tree, "MAX_ABSENT", 100)
    strangers = [Mail(b"m", [b"%d" % at for at in range(10_000)])]
    family = thread_tree._Family(_columns(strangers))
    list(family.link())
    assert len(family.parents) <= 104
    assert _threaded(strangers) == [(0, [])]
