"""Say what would happen to mail for an address if it came now."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import SystemRandom

from accounts import directory
from delivery import outbound
from delivery.a_labels import to_a_labels
from delivery.dns import Resolver
from delivery.transport.mx import find_hops
from delivery.transport.outcome import Outcome
from protocols.wire.smtp.address import Address, parse_address


@dataclass(frozen=True, slots=True)
class Explanation:
    """`route` is the directory's word; `hops` are tried in their order; `verdict` says the rest."""

    address: str
    route: str
    verdict: str
    leads_to: Sequence[str] = ()
    destination: str = ""
    hops: Sequence[str] = ()


def explain(text: str) -> Explanation:
    """What becomes of mail for this address. BadAddress when it is none."""
    address = parse_address(text)
    route = directory.resolve(address)
    targets = [mailbox.address for mailbox in route.mailboxes] + list(route.forwards)
    match route.kind:
        case "remote":
            return _explain_remote(address)
        case "refuse":
            verdict = f"refused at RCPT: {route.reply_code} {route.enhanced} {route.text}"
        case "local" if not route.forwards:
            verdict = "stored here; it never leaves this machine"
        case _:
            verdict = "passed on; explain the other addresses to see where they lead"
    return Explanation(text, route.kind, verdict, targets)


def _explain_remote(address: Address) -> Explanation:
    destination = to_a_labels(address.domain)
    setting = outbound.setting()

    async def find() -> Sequence[str] | Outcome:
        resolver = Resolver(setting.dns_servers, trust_ad=setting.trust_ad)
        hops = await find_hops(destination, resolver, setting.routing, SystemRandom())
        return hops if isinstance(hops, Outcome) else [str(hop) for hop in hops]

    found = asyncio.run(find())
    if isinstance(found, Outcome):
        verdict = f"{found.kind.value}: {found.status} {found.reply}"
        return Explanation(str(address), "remote", verdict, destination=destination)
    relayed = " through the relay host" if setting.routing.relay else ""
    verdict = f"queued, and sent{relayed} to the first of the hosts that answers"
    return Explanation(str(address), "remote", verdict, destination=destination, hops=found)
