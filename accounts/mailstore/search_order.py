"""What the keys of a program have to read, and in which order they are asked."""

from operator import itemgetter

from protocols.wire.imap import search as keys
from protocols.wire.imap.search import SearchKey
from protocols.wire.message import LIST_VIEW_FIELDS

MEMORY, COLUMNS, HEADERS, OCTETS = range(4)


def cost(key: SearchKey) -> int:
    """What a key may have to read at worst: one of the four."""
    match key:
        case keys.And(keys=several) | keys.Or(keys=several):
            return max(cost(each) for each in several)
        case keys.Not(key=inner) | keys.Fuzzy(key=inner):
            return cost(inner)
        case keys.BodyHas() | keys.TextHas():
            return OCTETS
        case keys.HeaderHas(name=name):
            return HEADERS if name.encode() in LIST_VIEW_FIELDS else OCTETS
        case keys.SentOn():
            return HEADERS
        case (
            keys.ArrivedOn()
            | keys.LargerThan()
            | keys.SmallerThan()
            | keys.OlderThan()
            | keys.YoungerThan()
            | keys.SavedOn()
            | keys.EmailIdIs()
            | keys.ThreadIdIs()
        ):
            return COLUMNS
        case _:
            return MEMORY


def cheapest_first(key: SearchKey) -> SearchKey:
    """The same program, asking first what costs least."""
    return _ordered(key)[1]


def _ordered(key: SearchKey) -> tuple[int, SearchKey]:
    """A key's cost, and the key with its own keys by theirs."""
    match key:
        case keys.And(keys=several) | keys.Or(keys=several):
            pairs = sorted(map(_ordered, several), key=itemgetter(0))
            return pairs[-1][0], type(key)(tuple(each for _, each in pairs))
        case keys.Not(key=inner) | keys.Fuzzy(key=inner):
            dearest, inner = _ordered(inner)
            return dearest, type(key)(inner)
        case _:
            return cost(key), key
