"""Who may send as whom. What was allowed is kept in memory until the directory changes.

Only that is kept: a right that is given works at once, and one that is taken away, or an address
that comes to lead elsewhere, dies with the directory's version, as a route does.
"""

from accounts.directory import version
from accounts.directory.cache import AddressLike
from accounts.directory.names import fold_domain, fold_local
from accounts.directory.resolving import leads_to
from accounts.directory.sharing import sends_as

CAPACITY = 50_000
# RFC 5321 §4.5.3.1: 64 octets, "@" and 255. A From field may name what is longer, and much of it.
LONGEST = 320

# By mailbox, local part and domain: the version's token under which it was allowed.
_allowed: dict[tuple[int, str, str], int] = {}


def may_send_as(mailbox_id: int, address: AddressLike) -> bool:
    """Whether mail from the mailbox may bear the address; a few queries unless that is known.

    It may where the address, in any spelling or by aliases, leads to the mailbox, or to one that
    has given it the right.
    """
    local, domain = fold_local(address.local), fold_domain(address.domain)
    key = mailbox_id, local, domain
    token = version.current()
    if _allowed.get(key) == token:
        return True
    if not leads_to(local, domain, (mailbox_id, *sends_as(mailbox_id))):
        return False
    if len(local) + len(domain) < LONGEST:
        if len(_allowed) >= CAPACITY:
            _allowed.clear()
        _allowed[key] = token
    return True
