"""From pictures to octets: flag lists, and the untagged lines that tell a client the news.

Pure. Columns, not messages, are rendered: one list of octets an item and chunk, joined by a single
`%` over the chunk. That is several times faster than a call a message.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain, repeat

from accounts.blobs import Octets
from accounts.mailstore.flags import MAX_KEYWORDS, flags_within
from accounts.mailstore.picture import Picture, pick
from accounts.mailstore.rights import Right
from protocols.servers.imap.folder_view import FolderView
from protocols.servers.imap.news import Changed, News
from protocols.wire.conversation import Pieces
from protocols.wire.imap import responses
from protocols.wire.imap.flags import RENDERED
from protocols.wire.imap.sequence_set import compact

# Rows that one `%` makes: while its result grows it is copied, the longer the dearer.
ROWS = 100

SYSTEM_FLAGS = rb"\Answered \Flagged \Deleted \Seen \Draft"


def flag_texts(view: FolderView, places: Sequence[int]) -> list[bytes]:
    """The flag list (without parentheses) of each message."""
    picture = view.told
    flags = bytes(pick(picture.flags, places))
    if flags and flags.count(flags[:1]) == len(flags):
        texts = [RENDERED[flags[0]]] * len(flags)
    else:
        texts = [RENDERED[bits] for bits in flags]
    keywords = pick(picture.keywords, places)
    if any(keywords):
        texts = [
            _with(text, keyword_text(picture, bits)) if bits else text
            for text, bits in zip(texts, keywords, strict=True)
        ]
    runs = view.recent_runs()
    if runs and places and picture.uids[places[-1]] >= runs[0].start:
        uids = pick(picture.uids, places)
        for run in runs:
            start, stop = bisect_left(uids, run.start), bisect_left(uids, run.stop)
            texts[start:stop] = [_with(text, rb"\Recent") for text in texts[start:stop]]
    return texts


def keyword_text(picture: Picture, bits: int) -> bytes:
    """The names that a set of keyword bits stands for."""
    known: dict[int, bytes] = picture.memo.setdefault("keywords", {})
    text = known.get(bits)
    if text is None:
        names = [name.encode() for bit, name in enumerate(picture.keyword_names) if bits >> bit & 1]
        text = known[bits] = b" ".join(names)
    return text


def _with(text: bytes, more: bytes) -> bytes:
    return text + b" " + more if text and more else text or more


def lines(template: bytes, columns: Sequence[Sequence[object]]) -> bytes:
    """`template` once a row of `columns`, many at once."""
    values, step = by_row(columns), ROWS * len(columns)
    if len(values) <= step:
        return (template * len(columns[0])) % values
    some, rest = template * ROWS, len(columns[0]) % ROWS
    told = [some % values[at : at + step] for at in range(0, len(values) - step + 1, step)]
    if rest:
        told.append((template * rest) % values[-rest * len(columns) :])
    return b"".join(told)


def by_row(columns: Sequence[Sequence[object]]) -> tuple[object, ...]:
    """The values of all columns, row by row."""
    values: list[object] = [None] * (len(columns) * len(columns[0]))
    for at, column in enumerate(columns):
        values[at :: len(columns)] = column
    return tuple(values)


def digits(numbers: Sequence[int]) -> Sequence[bytes]:
    """Each number as octets. Those of the last few runs are at hand: UIDs that follow each other
    are often the numbers of the messages, too.
    """
    return _digits_of_run(numbers) if isinstance(numbers, range) else _digits(numbers)


def _digits(numbers: Sequence[int]) -> Sequence[bytes]:
    # In one go, as Python shows a list of them, which costs half as much as one by one.
    return repr(list(numbers)).encode()[1:-1].split(b", ")


_digits_of_run = lru_cache(maxsize=4)(_digits)


def pieces_around(
    parts: Sequence[tuple[bytes, Sequence[Sequence[object]]]], octets: Sequence[Sequence[Octets]]
) -> Pieces:
    """Lines of `octets` with `parts` before, between and after them: a template and its columns.

    In pieces, since `%` copies long octets several times while its result grows.
    """
    many = len(octets[0])
    told: list[Iterable[bytes]] = []
    for template, columns in parts:
        values = zip(*columns, strict=True) if columns else repeat((), many)
        told.append([template % each for each in values])
    pieces = [each for pair in zip(told, octets, strict=False) for each in pair] + told[-1:]
    return list(chain.from_iterable(zip(*pieces, strict=True)))


def flag_names(picture: Picture) -> bytes:
    """Every flag the folder knows, for FLAGS and PERMANENTFLAGS."""
    return b" ".join([SYSTEM_FLAGS, *(name.encode() for name in picture.keyword_names)])


def flags_known(view: FolderView) -> bytes:
    """FLAGS and PERMANENTFLAGS (RFC 3501 §7.1, §7.2.6)."""
    names = flag_names(view.told)
    return responses.flags(b"(%b)" % names) + responses.permanent_flags(b"(%b)" % _permanent(view))


def _permanent(view: FolderView) -> bytes:
    """The flags that the client may change (RFC 4314 §5.1.1)."""
    if view.is_read_only:
        return b""
    if not view.rights & Right.WRITE:
        return RENDERED[flags_within(view.rights)]
    names = flag_names(view.told)
    for right, name in ((Right.MARK_DELETED, rb" \Deleted"), (Right.SEEN, rb" \Seen")):
        if right not in view.rights:
            names = names.replace(name, b"", 1)
    return names + (rb" \*" if len(view.told.keyword_names) < MAX_KEYWORDS else b"")


def news_lines(
    news: News, view: FolderView, *, with_modseq: bool = False, by_uid: bool = False
) -> bytes:
    """What a client must be told, as untagged lines in the order that keeps numbers right.

    `with_modseq`: FETCH says MODSEQ too; `by_uid`: VANISHED instead of EXPUNGE (RFC 7162).
    """
    said: list[bytes] = []
    if news.expunged and by_uid:
        said.append(responses.vanished(compact(news.vanished)))
    elif news.expunged:
        said.append(lines(b"* %d EXPUNGE\r\n", [news.expunged]))
    if news.exists is not None:
        said.append(responses.exists(news.exists))
    if news.recent is not None:
        said.append(responses.recent(news.recent))
    if news.keyword_names is not None:
        said.append(flags_known(view))
    said += [_changed_line(view, item, with_modseq=with_modseq) for item in news.changed]
    return b"".join(said)


def _changed_line(view: FolderView, item: Changed, *, with_modseq: bool) -> bytes:
    data = b"UID %d" % item.uid
    if not item.knows_flags:
        text = _with(RENDERED[item.flags], keyword_text(view.told, item.keywords))
        data += b" FLAGS (%b)" % (_with(text, rb"\Recent") if item.is_recent else text)
    if with_modseq:
        data += b" MODSEQ (%d)" % item.modseq
    if view.wording.by_uid:
        return responses.uid_fetch(item.uid, data)
    return responses.fetch(item.number, data)
