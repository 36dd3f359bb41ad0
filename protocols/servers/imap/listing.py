"""Which folders LIST and LSUB name, and with which attributes (RFC 3501 §6.3.8, RFC 5258).

Pure. A pattern is matched in time linear in the name, whatever its wildcards: all its positions
are the bits of one integer.
"""

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase

from accounts.mailstore.folders import FolderInfo
from accounts.mailstore.names import SEPARATOR, canonical, parents
from protocols.wire.imap import commands

INBOX = "INBOX"
# Steps of matching without a break, some tens of milliseconds: a hundred patterns take minutes for
# thousands of long names.
STEPS = 50_000
# Characters: `Shared/`, an address and a folder's name are shorter.
LONGEST_NAME = 2_000
_NO_WILDCARDS = str.maketrans("", "", "*%")
# Of ASCII alone: the capital of the dotless "ı" is I too.
_CAPITALS = str.maketrans(ascii_lowercase, ascii_uppercase)


class Pattern:
    """A folder pattern: `*` matches anything, `%` anything but a hierarchy separator."""

    __slots__ = ("_anything", "_end", "_level", "_literals", "_wild")

    def __init__(self, pattern: str) -> None:
        tokens: list[str] = []
        for char in pattern:
            # "%*" and "**" mean "*": then no two wildcards stand side by side.
            if char in "*%" and tokens and tokens[-1] in "*%":
                tokens[-1] = "*" if "*" in (char, tokens[-1]) else "%"
            else:
                tokens.append(char)
        self._literals: dict[str, int] = {}
        self._anything = self._level = 0
        for place, token in enumerate(tokens):
            match token:
                case "*":
                    self._anything |= 1 << place
                case "%":
                    self._level |= 1 << place
                case _:
                    self._literals[token] = self._literals.get(token, 0) | 1 << place
        self._wild = self._anything | self._level
        self._end = 1 << len(tokens)

    def matches(self, name: str) -> bool:
        """Whether the whole name fits."""
        places = self._skip(1)
        for char in name:
            stay = places & (self._anything if char == SEPARATOR else self._wild)
            places = self._skip(stay | (places & self._literals.get(char, 0)) << 1)
            if not places:
                return False
        return bool(places & self._end)

    def _skip(self, places: int) -> int:
        """A wildcard may stand for nothing."""
        return places | (places & self._wild) << 1


class Patterns:
    """Several patterns behind one reference; INBOX fits in any case (RFC 3501 §5.1)."""

    def __init__(self, reference: str, patterns: Iterable[str]) -> None:
        texts = [canonical(reference + pattern) for pattern in patterns]
        # What no name is long enough for is not tried with each of them.
        texts = [text for text in texts if len(text.translate(_NO_WILDCARDS)) <= LONGEST_NAME]
        self._patterns = [Pattern(text) for text in texts]
        self._for_inbox = [Pattern(text.translate(_CAPITALS)) for text in texts]
        self._known: dict[str, bool] = {}

    def look(self, names: Iterable[str]) -> Iterator[bytes]:
        """Find out about names, so that `match` knows them, and let others have their turn."""
        steps = 0
        for name in names:
            self._known[name] = self.match(name)
            steps += len(name) * len(self._patterns)
            if steps >= STEPS:
                steps = 0
                yield b""

    def match(self, name: str) -> bool:
        """Whether one of them fits the name."""
        known = self._known.get(name)
        if known is not None:
            return known
        patterns = self._for_inbox if name == INBOX else self._patterns
        return any(pattern.matches(name) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of an answer. `has_subscribed_below` is CHILDINFO (RFC 5258 §4)."""

    name: str
    attributes: tuple[str, ...]
    has_subscribed_below: bool = False


def listed(
    command: commands.List,
    folders: Collection[FolderInfo],
    subscribed: Collection[str],
    *,
    tells_uses: bool = True,
) -> Generator[bytes, None, list[Listed]]:
    """The lines that answer LIST or LSUB, INBOX first, then by name.

    They are the value; nothing is said meanwhile, but others may have their turn.
    """
    tree = Tree(folders, subscribed, tells_uses=tells_uses)
    patterns = Patterns(command.reference, command.patterns)
    yield from patterns.look(tree.names)
    if command.is_lsub:
        chosen = _subscribed(command, tree, patterns)
    elif "SUBSCRIBED" in command.select_options:
        chosen = _selected_subscribed(command, tree, patterns)
    else:
        chosen = _existing(command, tree, patterns)
    return sorted(chosen, key=lambda item: (item.name != INBOX, item.name))


class Tree:
    """The folders that a mailbox sees by name, and which names have others below them."""

    def __init__(
        self,
        folders: Collection[FolderInfo],
        subscribed: Collection[str],
        *,
        tells_uses: bool = True,
    ) -> None:
        """`tells_uses`: with their special uses (RFC 6154), which some clients are spared."""
        self._tells_uses = tells_uses
        self.folders: Mapping[str, FolderInfo] = {folder.name: folder for folder in folders}
        self.subscribed = frozenset(subscribed)
        self._with_children = {above for name in self.folders for above in parents(name)}
        # What lies above the folders of others, and is none that this mailbox sees.
        self.above_others = self._with_children - self.folders.keys()

    @property
    def names(self) -> Set[str]:
        """All of them: of folders, of what is subscribed, and of what stands above either."""
        above = {above for name in self.subscribed for above in parents(name)}
        return self.folders.keys() | self.above_others | self.subscribed | above

    def attributes(self, name: str) -> list[str]:
        folder = self.folders.get(name)
        if folder is None:
            return ["\\NonExistent"]
        attributes = ["\\HasChildren" if name in self._with_children else "\\HasNoChildren"]
        if not folder.is_selectable:
            attributes.insert(0, "\\Noselect")
        if folder.special_use and self._tells_uses:
            attributes.append(folder.special_use)
        return attributes

    def attributes_told(self, name: str) -> list[str]:
        """The attributes that tell everything of a name, whether or not there is such a folder."""
        attributes = self.attributes(name)
        folder = self.folders.get(name)
        if folder is not None and folder.is_selectable and not folder.is_readable:
            # RFC 5465 §3.1: may be listed, but its messages not be heard of.
            attributes.append("\\NoAccess")
        if name in self.subscribed:
            attributes.append("\\Subscribed")
        return attributes


def _existing(command: commands.List, tree: Tree, patterns: Patterns) -> Iterator[Listed]:
    for name, folder in tree.folders.items():
        if "SPECIAL-USE" in command.select_options and not folder.special_use:
            continue
        if patterns.match(name):
            yield _told(command, tree, name, tree.attributes(name))
    # RFC 3501 §6.3.8: "%" at the end names the levels above what fits further down.
    if "SPECIAL-USE" not in command.select_options and _asks_levels(command):
        for name in tree.above_others:
            if patterns.match(name):
                attributes = ["\\Noselect", "\\NonExistent", "\\HasChildren"]
                yield _told(command, tree, name, attributes)


def _asks_levels(command: commands.List) -> bool:
    return any(pattern.endswith("%") for pattern in command.patterns)


def _told(command: commands.List, tree: Tree, name: str, attributes: list[str]) -> Listed:
    # RFC 5258 §3.2: of every name that is told, whether or not there is such a folder.
    if "SUBSCRIBED" in command.return_options and name in tree.subscribed:
        attributes.append("\\Subscribed")
    return Listed(name, tuple(attributes))


def _selected_subscribed(
    command: commands.List, tree: Tree, patterns: Patterns
) -> Iterator[Listed]:
    wanted = tree.subscribed
    if "SPECIAL-USE" in command.select_options:
        wanted = wanted & {name for name, folder in tree.folders.items() if folder.special_use}
    told = {name for name in wanted if patterns.match(name)}
    names = set(told)
    above_wanted: set[str] = set()
    if "RECURSIVEMATCH" in command.select_options:
        above_wanted = {above for name in wanted for above in parents(name)}
        # RFC 5258 §3.5: what does not meet the criteria is named only for what does, below it,
        # and is not told itself.
        above = {above for name in wanted - told for above in parents(name)}
        names.update(name for name in above - told if patterns.match(name))
    for name in names:
        attributes = tree.attributes(name)
        if name in tree.subscribed:
            attributes.append("\\Subscribed")
        yield Listed(name, tuple(attributes), has_subscribed_below=name in above_wanted)


def _subscribed(command: commands.List, tree: Tree, patterns: Patterns) -> Iterator[Listed]:
    above = set()
    for name in tree.subscribed:
        if patterns.match(name):
            attributes = tree.attributes(name) if name in tree.folders else ["\\Noselect"]
            yield Listed(name, tuple(attributes))
        else:
            above.update(parents(name))
    if not _asks_levels(command):
        return
    # RFC 3501 §6.3.9: "%" shows that something is subscribed further down.
    for name in above - tree.subscribed:
        if patterns.match(name):
            yield Listed(name, ("\\Noselect",))
