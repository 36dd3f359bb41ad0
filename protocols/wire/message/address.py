"""Read RFC 5322 address lists: names, groups, comments, routes and the obsolete forms.

Tolerant and linear: whatever stands there becomes addresses, never an exception. A list is cut
after `limit` addresses and after ADDRESS_OCTETS octets.
"""

import re
from typing import NamedTuple

from protocols.wire.message.content import unquote
from protocols.wire.message.header import unfold

ADDRESS_LIMIT = 1000
ADDRESS_OCTETS = 128 * 1024
# Octets of a word that is put together from pieces.
_LONGEST_WORD = 1000


class Address(NamedTuple):
    """One mailbox, or a mark of a group as IMAP has it (RFC 9051 §7.5.2).

    A group begins with an entry whose `domain` is None and whose `local` is the group's name, and
    ends with one where both are None. Quoting is removed. A part that is missing is empty.
    """

    name: bytes | None
    route: bytes | None
    local: bytes | None
    domain: bytes | None


GROUP_END = Address(None, None, None, None)

# The forms nearly all mail uses, one match an address: "Name" <a@b>, Name <a@b>, a@b.
_ORDINARY = re.compile(
    rb"\s*+(?:"
    rb"(?:\"([^\"\\]*+)\"|([^\s\"(),:;<>@\[\]\\]++(?:[ \t]++[^\s\"(),:;<>@\[\]\\]++)*+)|)"
    rb"\s*+<([^\s\"(),:;<>@\[\]\\]++)@([^\s\"(),:;<>@\[\]\\]++)>"
    rb"|([^\s\"(),:;<>@\[\]\\]++)@([^\s\"(),:;<>@\[\]\\]++)"
    rb")\s*+(?:,[\s,]*+|\Z)"
)
_TOKEN = re.compile(
    rb"(\s++)|\"((?:[^\"\\]|\\.)*+)(?:\"|\\?\Z)|(\[[^\]\[\\,;<>]*+\]?+)"
    rb"|([^\s\"(),:;<>@\[\]\\]++)|(.)",
    re.DOTALL,
)
_COMMENT_TOKEN = re.compile(rb"\\.|[()]|[^()\\]++|\\", re.DOTALL)
_ENCODED_WORD = re.compile(rb"=\?[^?\s]++\?[bq]\?[^?\s]*+\?=", re.IGNORECASE)
_GAP = re.compile(rb"[\s,]++")
_RUN = re.compile(rb"[ \t]++")


def parse_addresses(value: bytes, limit: int = ADDRESS_LIMIT) -> list[Address]:
    """The addresses of a field's value (folded or not), groups flattened with their marks."""
    value = unfold(value[:ADDRESS_OCTETS])
    addresses: list[Address] = []
    at = 0
    size = len(value)
    while at < size and len(addresses) < limit:
        found = _ORDINARY.match(value, at)
        if found is None:
            _Reader(value, at, limit, addresses).read()
            break
        quoted, bare, local, domain, only_local, only_domain = found.groups()
        # RFC 5322 §3.2.2: white space between words, however much, means one space.
        name = _RUN.sub(b" ", bare) if bare else quoted
        addresses.append(Address(name or None, None, local or only_local, domain or only_domain))
        at = found.end()
    return addresses


def plain_addresses(value: bytes, limit: int = ADDRESS_LIMIT) -> list[tuple[bytes, bytes]]:
    """Local parts and domains of all that looks like an address and is not quoted, nor a comment.

    Some programs take such a one for what is meant wherever it stands: for a name, in a route. A
    domain without a dot is none here.
    """
    reader = _PlainReader(_ENCODED_WORD.sub(b" ", unfold(value[:ADDRESS_OCTETS])), limit)
    reader.read()
    return reader.found


class _PlainReader:
    """One pass over tokens: a word, perhaps with gaps round its dots, then "@" and another."""

    def __init__(self, value: bytes, limit: int) -> None:
        self.value = value
        self.limit = limit
        self.found: list[tuple[bytes, bytes]] = []
        self.local = self.word = b""

    def read(self) -> None:
        at = 0
        while len(self.found) < self.limit and (token := _TOKEN.match(self.value, at)):
            at = token.end()
            _space, quoted, literal, atom, special = token.groups()
            if special == b"(":
                at = _read_comment(self.value, at)[0]
            elif special == b"@":
                word = self.word
                self._end_word()
                self.local = word
            elif atom is not None or quoted is not None:
                self._take_word(unquote(quoted) if quoted is not None else atom)
            elif literal or special:
                self._end_word()
        self._end_word()

    def _take_word(self, text: bytes) -> None:
        is_joined = self.word.endswith(b".") or text.startswith(b".")
        if self.word and (not is_joined or len(self.word) > _LONGEST_WORD):
            self._end_word()
        self.word += text

    def _end_word(self) -> None:
        if self.local and b"." in self.word:
            self.found.append((self.local, self.word))
        self.local = self.word = b""


class _Reader:
    """The general form: one pass over tokens, collecting one address at a time."""

    def __init__(self, value: bytes, at: int, limit: int, addresses: list[Address]) -> None:
        self.value = value
        self.at = at
        self.limit = limit
        self.addresses = addresses
        self.in_group = False
        self._clear()

    def _clear(self) -> None:
        self.words: list[bytes] = []  # outside the angle, a space for whatever parts them
        self.comments: list[bytes] = []
        self.inside: list[bytes] | None = None  # of the angle, without white space
        self.is_angle_open = False
        self.at_outside: int | None = None  # index of the last "@" in words
        self.at_inside: int | None = None  # and in inside
        self.route: bytes | None = None

    def read(self) -> None:
        value, size = self.value, len(self.value)
        while self.at < size and len(self.addresses) < self.limit:
            if not self._holds_anything() and (gap := _GAP.match(value, self.at)):
                self.at = gap.end()
            token = _TOKEN.match(value, self.at)
            if token is None:
                break
            self.at = token.end()
            space, quoted, literal, atom, special = token.groups()
            if special is not None:
                self._take_special(special)
            elif space is not None:
                self._take_gap()
            else:
                text = unquote(quoted) if quoted is not None else literal or atom
                (self.words if not self.is_angle_open else self._inside()).append(text)
        self._finish()
        if self.in_group and len(self.addresses) <= self.limit:
            self.addresses.append(GROUP_END)

    def _inside(self) -> list[bytes]:
        if self.inside is None:
            self.inside = []
        return self.inside

    def _holds_anything(self) -> bool:
        return bool(self.words or self.comments) or self.inside is not None

    def _take_gap(self) -> None:
        """RFC 5322 §3.2.2: white space and comments between words mean one space."""
        if self.inside is None and self.words and self.words[-1] != b" ":
            self.words.append(b" ")

    def _take_special(self, special: bytes) -> None:
        match special:
            case b"(":
                self._take_comment()
            case b"<":
                if self.inside is not None and not self.is_angle_open:
                    # A comma is missing: other programs read a second address here.
                    self._finish()
                if self.inside is None:
                    self.inside, self.is_angle_open = [], True
            case b">":
                self.is_angle_open = False
            case b"@" if self.is_angle_open:
                self.at_inside = len(self._inside())
                self._inside().append(b"@")
            case b"@":
                self.at_outside = len(self.words)
                self.words.append(b"@")
            case b"," if self.is_angle_open and self.inside and self.inside[0] == b"@":
                self.inside.append(b",")  # RFC 5322 §4.4: <@one,@two:local@domain>
            case b",":
                self._finish()
            case b";":
                self._finish()
                if self.in_group:
                    self.addresses.append(GROUP_END)
                    self.in_group = False
            case b":" if self.is_angle_open:
                inside = self._inside()
                self.route = b"".join(inside) or None
                inside.clear()
                self.at_inside = None
            case b":" if self.at_outside is None and not self.in_group:
                name = b"".join(self.words).strip()
                self.addresses.append(Address(None, None, name, None))
                self.in_group = True
                self._clear()
            case _:
                (self._inside() if self.is_angle_open else self.words).append(special)

    def _take_comment(self) -> None:
        self.at, text = _read_comment(self.value, self.at)
        self.comments.append(text)
        self._take_gap()

    def _finish(self) -> None:
        """Make an address of what was collected since the last comma."""
        if self._holds_anything():
            address = self._angle_address() if self.inside is not None else self._bare_address()
            if address is not None:
                self.addresses.append(address)
        self._clear()

    def _angle_address(self) -> Address | None:
        name = b"".join(self.words).strip() or self._comment()
        local, domain = _halves(self.inside or [], self.at_inside)
        if not (local or domain or name):
            return None
        return Address(name, self.route, local, domain)

    def _bare_address(self) -> Address | None:
        if self.at_outside is None:
            # No "@" at all: one word is a local part, several are a name.
            text = b"".join(self.words).strip()
            if not text:
                return None
            if b" " in text:
                return Address(text, None, b"", b"")
            return Address(self._comment(), None, text, b"")
        local, domain = _halves(self.words, self.at_outside)
        return Address(self._comment(), None, local, domain)

    def _comment(self) -> bytes | None:
        return b" ".join(self.comments) or None


def _read_comment(value: bytes, at: int) -> tuple[int, bytes]:
    """Where a comment ends whose "(" was read, and its text."""
    depth = 1
    text: list[bytes] = []
    for token in _COMMENT_TOKEN.finditer(value, at):
        piece = token.group()
        at = token.end()
        if piece == b"(":
            depth += 1
        elif piece == b")":
            depth -= 1
            if depth == 0:
                break
        text.append(unquote(piece))
    return at, b"".join(text).strip()


def _halves(texts: list[bytes], at_sign: int | None) -> tuple[bytes, bytes]:
    """Local part and domain; white space round their dots and "@" is obsolete and dropped."""
    if at_sign is None:
        return b"".join(text for text in texts if text != b" "), b""
    local = b"".join(text for text in texts[:at_sign] if text != b" ")
    return local, b"".join(text for text in texts[at_sign + 1 :] if text != b" ")
