"""Ask the DNS: bounded in time, remembered for a short while, answers as values.

Rules of the file: no Django, and no exception for anything the DNS may say. One Resolver belongs to
one event loop. Questions that are under way are shared.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.name
import dns.nameserver
import dns.rcode
import dns.rdatatype
import dns.resolver

# Seconds: for one server to answer, and for the whole question.
SERVER_PATIENCE = 3.0
QUESTION_PATIENCE = 12.0

# Seconds an answer is remembered at most, whatever its TTL says.
KEEP_ANSWER = 3600.0
KEEP_ABSENCE = 300.0
CACHE_ENTRIES = 20_000


class Finding(Enum):
    """What became of a question."""

    RECORDS = "records"
    NO_RECORDS = "no such records"
    NO_NAME = "no such name"
    # SERVFAIL, no answer in time, no server: ask again later.
    FAILED = "the name servers gave no answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """`records` are texts: an address, or for MX `preference host` with the host as an A-label.

    `is_authentic` is the AD bit, believed only where the resolver was told to.
    """

    finding: Finding
    records: tuple[str, ...] = ()
    is_authentic: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Mx:
    preference: int
    host: str


class Resolver:
    """Asks `servers` (`IP` or `IP:PORT`), or the system's where none are given."""

    def __init__(
        self,
        servers: Sequence[str] = (),
        *,
        trust_ad: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trust_ad = trust_ad
        self._clock = clock
        self._cache: dict[tuple[str, str], tuple[float, Answer]] = {}
        self._asked: dict[tuple[str, str], asyncio.Task[Answer]] = {}
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        if servers:
            self._resolver.nameservers = [parse_server(text) for text in servers]
        else:
            # A machine without resolv.conf gets answers of Finding.FAILED, not a dead worker.
            with contextlib.suppress(dns.resolver.NoResolverConfiguration):
                self._resolver.read_resolv_conf("/etc/resolv.conf")
        self._resolver.timeout = SERVER_PATIENCE
        self._resolver.use_edns(0, 0, 1232)
        self._resolver.flags = dns.flags.RD | dns.flags.AD

    async def lookup(self, name: str, rdtype: str) -> Answer:
        """The records of one type at `name` (an absolute name, A-labels)."""
        key = (name.lower().rstrip("."), rdtype)
        kept = self._cache.get(key)
        if kept is not None and kept[0] > self._clock():
            return kept[1]
        task = self._asked.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(key))
            self._asked[key] = task
            task.add_done_callback(lambda _: self._asked.pop(key, None))
        # A caller that is cancelled must not take the others' answer with it.
        return await asyncio.shield(task)

    async def mx(self, name: str) -> tuple[Answer, tuple[Mx, ...]]:
        """The MX records of `name`, unordered; host "." stands for the null MX (RFC 7505)."""
        answer = await self.lookup(name, "MX")
        found = (record.split(" ", 1) for record in answer.records)
        return answer, tuple(Mx(int(preference), host) for preference, host in found)

    async def addresses(self, name: str, *, v4: bool = True, v6: bool = True) -> Answer:
        """A and AAAA together: records where either has some, failed where one might have."""
        kinds = [kind for kind, wanted in (("A", v4), ("AAAA", v6)) if wanted]
        answers = await asyncio.gather(*(self.lookup(name, kind) for kind in kinds))
        records = tuple(record for answer in answers for record in answer.records)
        if records:
            authentic = all(answer.is_authentic for answer in answers)
            return Answer(Finding.RECORDS, records, authentic)
        for finding in (Finding.FAILED, Finding.NO_RECORDS, Finding.NO_NAME):
            for answer in answers:
                if answer.finding is finding:
                    return answer
        return Answer(Finding.NO_RECORDS)

    async def _ask(self, key: tuple[str, str]) -> Answer:
        answer, seconds = await self._query(*key)
        if seconds > 0:
            if len(self._cache) >= CACHE_ENTRIES:
                self._cache.clear()
            self._cache[key] = (self._clock() + seconds, answer)
        return answer

    async def _query(self, name: str, rdtype: str) -> tuple[Answer, float]:
        """The answer and for how many seconds it may be kept."""
        if not self._resolver.nameservers:
            return Answer(Finding.FAILED, reason="no name server is configured"), 0.0
        try:
            absolute = dns.name.from_text(name, idna_codec=dns.name.IDNA_2008)
        except dns.exception.DNSException:
            return Answer(Finding.NO_NAME, reason="no valid domain name"), 0.0
        try:
            found = await self._resolver.resolve(
                absolute,
                rdtype,
                raise_on_no_answer=False,
                lifetime=QUESTION_PATIENCE,
                search=False,
            )
        except dns.resolver.NXDOMAIN as nothing:
            return Answer(Finding.NO_NAME), _absence_ttl(nothing, absolute)
        except dns.exception.DNSException as error:
            return Answer(Finding.FAILED, reason=_in_words(error)), 0.0
        except OSError as error:
            return Answer(Finding.FAILED, reason=error.strerror or "no answer"), 0.0
        left = max(0.0, found.expiration - time.time())
        if found.rrset is None:
            return Answer(Finding.NO_RECORDS), min(left, KEEP_ABSENCE)
        is_authentic = self._trust_ad and bool(found.response.flags & dns.flags.AD)
        records = tuple(_record_text(record, rdtype) for record in found.rrset)
        return Answer(Finding.RECORDS, records, is_authentic), min(left, KEEP_ANSWER)


def parse_server(text: str) -> dns.nameserver.Do53Nameserver:
    """`IP`, `IP:PORT` or `[IPv6]:PORT`; ValueError when it is none of them."""
    host, _, port = text.rpartition(":")
    if not host or (":" in host and not host.startswith("[")):
        host, port = text, "53"
    address = str(ip_address(host.removeprefix("[").removesuffix("]")))
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} has no valid port")
    return dns.nameserver.Do53Nameserver(address, int(port))


def _record_text(record: object, rdtype: str) -> str:
    match rdtype:
        case "MX":
            host = record.exchange.to_text(omit_final_dot=True)  # type: ignore[attr-defined]
            return f"{record.preference} {host.lower()}"  # type: ignore[attr-defined]
        case "A" | "AAAA":
            return str(record.address)  # type: ignore[attr-defined]
        case _:
            return record.to_text()  # type: ignore[attr-defined,no-any-return]


def _absence_ttl(nothing: dns.resolver.NXDOMAIN, name: dns.name.Name) -> float:
    """Seconds to believe that a name does not exist (RFC 2308 §5)."""
    with contextlib.suppress(KeyError, AttributeError):
        response = nothing.response(name)  # type: ignore[no-untyped-call]
        for authority in response.authority:
            if authority.rdtype == dns.rdatatype.SOA:
                return float(min(authority.ttl, authority[0].minimum, KEEP_ABSENCE))
    return 0.0


def _in_words(error: dns.exception.DNSException) -> str:
    match error:
        case dns.exception.Timeout():
            return "no answer in time"
        case dns.resolver.NoNameservers():
            # One (server, was it TCP, port, what went wrong, response) for each try.
            codes = {
                dns.rcode.to_text(response.rcode())
                for *_, response in error.kwargs.get("errors", ())
                if response is not None
            }
            return ", ".join(sorted(codes)) or "no answer"
        case _:
            return type(error).__name__
