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

_Key = tuple[int, str, str]

# The version's token under which each was allowed.
_allowed: dict[_Key, int] = {}


def may_send_as(mailbox_id: int, address: AddressLike) -> bool:
    """Whether mail from the mailbox may bear the address; a few queries unless that is known.

    It may where the address, in any spelling or by aliases, leads to the mailbox, or to one that
    has given it the right.
    """
    key = _key(mailbox_id, address)
    token = version.current()
    if _allowed.get(key) == token:
        return True
    if not leads_to(*key[1:], (mailbox_id, *sends_as(mailbox_id))):
        return False
    if len(_allowed) >= CAPACITY:
        _allowed.clear()
    _allowed[key] = token
    return True


def is_known_to_send_as(mailbox_id: int, address: AddressLike) -> bool:
    """Whether it is known and fresh that it may; never touches the database."""
    token = version.trusted()
    return token is not None and _allowed.get(_key(mailbox_id, address)) == token


def _key(mailbox_id: int, address: AddressLike) -> _Key:
    return mailbox_id, fold_local(address.local), fold_domain(address.domain)
