"""Alice (owner), Bob (her colleague at support) and Charlie (a stranger), and what is theirs."""

from dataclasses import dataclass
from typing import NamedTuple

from accounts import directory
from accounts.models import Domain, Mailbox, Membership, Tenant, User

PASSWORD = "correct horse battery"


class To(NamedTuple):
    """A recipient as the wire gives it."""

    local: str
    domain: str


def to(address: str) -> To:
    local_part, _at, domain = address.partition("@")
    return To(local_part, domain)


@dataclass(frozen=True)
class People:
    tenant: Tenant
    domain: Domain
    alice: Mailbox
    bob: Mailbox
    stranger_tenant: Tenant
    stranger_domain: Domain
    charlie: Mailbox

    @property
    def users(self) -> tuple[User, User, User]:
        found = [mailbox.user for mailbox in (self.alice, self.bob, self.charlie)]
        assert all(found)
        return tuple(found)


def settle() -> People:
    """Two tenants that must not know of each other."""
    tenant, other = directory.create_tenant("Alice & Co"), directory.create_tenant("Charlie Inc")
    domain = directory.create_domain(tenant, "a.test")
    other_domain = directory.create_domain(other, "c.test")
    alice = directory.create_mailbox("alice@a.test", PASSWORD)
    bob = directory.create_mailbox("bob@a.test", PASSWORD)
    charlie = directory.create_mailbox("charlie@c.test", PASSWORD)
    for mailbox, role in ((alice, "OWNER"), (bob, "SUPPORT"), (charlie, "OWNER")):
        assert mailbox.user
        directory.join(mailbox.user, mailbox.domain.tenant, Membership.Role[role])
    return People(tenant, domain, alice, bob, other, other_domain, charlie)
