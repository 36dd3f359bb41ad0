"""How the folders of others are called: `Shared/ADDRESS/NAME`, NAME as its owner sees it.

The address has an @: a mailbox may have a folder `Shared` of its own, and folders below it.
"""

from typing import NamedTuple

from accounts.mailstore.names import SEPARATOR, canonical, checked
from accounts.mailstore.refusals import BadFolderName

PREFIX = "Shared"


class SharedName(NamedTuple):
    """The name of a folder of another mailbox; `inner` is empty for the mailbox itself."""

    address: str
    inner: str


def split(name: str) -> SharedName | None:
    """What a name in the shared namespace stands for, None for a name of one's own."""
    if not name.startswith(PREFIX + SEPARATOR):
        return None
    address, _, inner = name[len(PREFIX) + 1 :].partition(SEPARATOR)
    return SharedName(address.lower(), canonical(inner)) if "@" in address else None


def checked_own(name: str) -> str:
    """The canonical form of a name that a mailbox may give a folder of its own. BadFolderName."""
    name = checked(name)
    if split(name) is not None:
        raise BadFolderName("Only folders that others share have such names.")
    return name


def as_seen(name: str) -> str:
    """A name as the mailbox that says it sees it, whatever the case it came in."""
    shared = split(name)
    return canonical(name) if shared is None else join(shared.address, shared.inner)


def join(address: str, inner: str = "") -> str:
    """The name that others see."""
    return SEPARATOR.join((PREFIX, address, inner)) if inner else PREFIX + SEPARATOR + address
