"""What the name of a folder stands for, there or not: whose it is, and who may create it."""

from dataclasses import dataclass

from accounts.mailstore import acl, rights, shared_names
from accounts.mailstore.names import canonical, parents
from accounts.mailstore.refusals import NotPermitted
from accounts.mailstore.rights import Right
from accounts.models import Folder

_NOT_THERE = "You have no right to create folders there."


@dataclass(frozen=True, slots=True)
class Place:
    """A folder's name, as its owner knows it, and the mailbox that acts."""

    actor: int
    owner: int
    name: str

    @property
    def is_own(self) -> bool:
        return self.actor == self.owner

    def require_create(self, name: str) -> None:
        """NotPermitted unless the actor may create `name`: `k` on what lies next above it."""
        if self.is_own:
            return
        above = Folder.objects.filter(mailbox_id=self.owner, name__in=parents(name))
        nearest = max(above.values_list("name", "pk"), default=None)
        if nearest is None:
            held = rights.held_at_root(self.actor, self.owner)
        else:
            held = rights.held(self.actor, self.owner, nearest[1])
        if Right.CREATE not in held:
            raise NotPermitted(_NOT_THERE)


def place_of(actor: int, name: str) -> Place:
    """What a name stands for; another's mailbox need not have such a folder. NotPermitted."""
    shared = shared_names.split(name)
    if shared is None:
        return Place(actor, actor, canonical(name))
    owner = acl.neighbour(actor, shared.address)
    # One's own folders have no names in the shared namespace.
    if owner in (None, actor) or not shared.inner:
        raise NotPermitted(_NOT_THERE)
    return Place(actor, owner, shared.inner)


def mailbox_named(name: str) -> str:
    """The address of the mailbox that a name is in, "" for that of whoever says it."""
    shared = shared_names.split(name)
    return "" if shared is None else shared.address
