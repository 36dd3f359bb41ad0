"""The flags that a client knows without being told, as it has set them itself (STORE.SILENT)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from accounts.mailstore.picture import Picture, pick

FlagBits = tuple[int, int]
"""Flags and keywords, as bits of a picture."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the client takes the flags and keywords of messages to be, column by column."""

    uids: Sequence[int] = ()
    flags: Sequence[int] = ()
    keywords: Sequence[int] = ()

    def without(self, doubtful: Collection[int]) -> "Known":
        """All but the messages with these UIDs."""
        if not doubtful:
            return self
        rows = zip(self.uids, self.flags, self.keywords, strict=True)
        kept = [row for row in rows if row[0] not in doubtful]
        return Known(*map(list, zip(*kept, strict=True))) if kept else NOTHING

    def is_so(self, picture: Picture) -> bool:
        """Whether all these messages are there and as the client takes them to be."""
        places = picture.places(self.uids)
        return (
            places is not None
            and list(pick(picture.flags, places)) == list(self.flags)
            and list(pick(picture.keywords, places)) == list(self.keywords)
        )

    def by_uid(self) -> dict[int, FlagBits]:
        """The same, message by message."""
        return dict(zip(self.uids, zip(self.flags, self.keywords, strict=True), strict=True))


NOTHING = Known()
