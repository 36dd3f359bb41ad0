"""Which hosts take mail for a destination: RFC 5321 §5, RFC 7505."""

import asyncio
from collections import Counter
from ipaddress import ip_network
from random import Random

import pytest

from delivery import dns as our_dns
from delivery.dns import Mx, Resolver
from delivery.transport.mx import Hop, Routing, _spread, find_hops, order, parse_relay
from delivery.transport.outcome import Kind
from tests.delivery.zones import Zones

PUBLIC = {f"mx{n}.a.test A": [f"198.41.0.{n}"] for n in range(1, 5)}


def find(destination, records, rcodes=None, **options):
    options.setdefault("hostname", "us.test")
    routing = Routing(**options)

    async def work(zones):
        resolver = Resolver([zones.server])
        return await find_hops(destination, resolver, routing, Random(1))

    with Zones(records, rcodes) as zones:
        return asyncio.run(work(zones))


def hosts(hops):
    return [hop.name for hop in hops]


def test_hosts_come_by_preference():
    mx = {"a.test MX": ["20 mx2.a.test.", "10 mx1.a.test.", "30 mx3.a.test."]}
    hops = find("a.test", mx | PUBLIC)
    assert hosts(hops) == ["mx1.a.test", "mx2.a.test", "mx3.a.test"]
    assert hops[0] == Hop("mx1.a.test", "198.41.0.1", 25)


def test_hosts_of_equal_preference_share_the_mail():
    records = [Mx(10, "a"), Mx(10, "b"), Mx(5, "first")]
    firsts = Counter(order(records, Random(seed))[1][0] for seed in range(200))
    assert set(firsts) == {"a", "b"}
    assert min(firsts.values()) > 60


@pytest.mark.parametrize(
    "addresses", [["198.41.0.1", "198.41.0.2"], ["2001:500::1", "2001:500::2"]]
)
def test_addresses_of_one_host_share_the_mail(addresses):
    firsts = Counter(_spread(addresses, Random(seed))[0] for seed in range(200))
    assert set(firsts) == set(addresses)
    assert min(firsts.values()) > 60


def test_a_domain_without_mx_is_its_own_host():
    hops = find("a.test", {"a.test A": ["198.41.0.9"], "a.test AAAA": ["2001:500::9"]})
    assert [str(hop) for hop in hops] == ["a.test[198.41.0.9]:25", "a.test[2001:500::9]:25"]


def test_a_domain_that_does_not_exist_fails():
    outcome = find("gone.test", {})
    assert (outcome.kind, outcome.status) == (Kind.FAILED, "5.1.2")


def test_a_null_mx_refuses_all_mail():
    outcome = find("a.test", {"a.test MX": ["0 ."], "a.test A": ["198.41.0.9"]})
    assert (outcome.kind, outcome.status) == (Kind.FAILED, "5.1.10")


def test_dns_trouble_puts_off():
    outcome = find("a.test", {}, {"a.test": "SERVFAIL"})
    assert (outcome.kind, outcome.status) == (Kind.DEFERRED, "4.4.3")


def test_dns_silence_puts_off(monkeypatch):
    monkeypatch.setattr(our_dns, "SERVER_PATIENCE", 0.05)
    monkeypatch.setattr(our_dns, "QUESTION_PATIENCE", 0.1)
    outcome = find("a.test", {}, {"a.test": "DROP"})
    assert (outcome.kind, outcome.status) == (Kind.DEFERRED, "4.4.3")


def test_hosts_that_cannot_be_looked_up_put_off():
    outcome = find("a.test", {"a.test MX": ["10 mx.b.test."]}, {"mx.b.test": "SERVFAIL"})
    assert (outcome.kind, outcome.status) == (Kind.DEFERRED, "4.4.3")


def test_one_host_that_can_be_looked_up_is_enough():
    mx = {"a.test MX": ["10 mx.b.test.", "20 mx2.a.test."]}
    assert hosts(find("a.test", mx | PUBLIC, {"mx.b.test": "SERVFAIL"})) == ["mx2.a.test"]


def test_mx_without_any_address_fails_and_the_domain_itself_is_not_tried():
    outcome = find("a.test", {"a.test MX": ["10 gone.a.test."], "a.test A": ["198.41.0.9"]})
    assert (outcome.kind, outcome.status) == (Kind.FAILED, "5.4.4")


MX_WITH_US = {"a.test MX": ["10 mx1.a.test.", "20 us.test.", "20 mx2.a.test.", "30 mx3.a.test."]}


def test_a_backup_never_sends_to_its_equals_or_below():
    records = MX_WITH_US | PUBLIC | {"us.test A": ["198.41.0.99"]}
    assert hosts(find("a.test", records)) == ["mx1.a.test"]


def test_ourselves_are_known_by_address_too():
    records = MX_WITH_US | PUBLIC | {"us.test A": ["198.41.0.99"]}
    hops = find("a.test", records, hostname="other.test", own_address="198.41.0.99", own_port=25)
    assert hosts(hops) == ["mx1.a.test"]


def test_another_port_of_our_address_is_not_ourselves():
    records = {"a.test A": ["127.0.0.1"]}
    allowed = (ip_network("127.0.0.0/8"),)
    options = {"own_address": "127.0.0.1", "own_port": 2525, "allowed_networks": allowed}
    assert len(find("a.test", records, port=2526, **options)) == 1
    assert find("a.test", records, port=2525, **options).status == "5.4.6"


def test_listening_everywhere_makes_every_address_of_the_machine_ours():
    options = {"own_address": "0.0.0.0", "own_port": 25}
    assert find("a.test", {"a.test A": ["127.0.0.1"]}, **options).status == "5.4.6"
    assert hosts(find("a.test", {"a.test A": ["198.41.0.9"]}, **options)) == ["a.test"]


def test_mail_that_would_loop_fails():
    outcome = find("a.test", {"a.test MX": ["10 us.test."], "us.test A": ["198.41.0.99"]})
    assert (outcome.kind, outcome.status) == (Kind.FAILED, "5.4.6")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.1.1", "0.0.0.0", "224.0.0.1", "100.64.0.1"],
)
def test_private_addresses_are_refused(address):
    outcome = find("a.test", {"a.test A": [address]})
    assert (outcome.kind, outcome.status) == (Kind.FAILED, "5.4.4")


@pytest.mark.parametrize("address", ["::1", "fd00::1", "fe80::1", "::ffff:10.0.0.1"])
def test_private_ipv6_addresses_are_refused(address):
    assert find("a.test", {"a.test AAAA": [address]}).status == "5.4.4"


def test_private_networks_may_be_allowed():
    allowed = (ip_network("10.0.0.0/8"),)
    assert hosts(find("a.test", {"a.test A": ["10.1.2.3"]}, allowed_networks=allowed)) == ["a.test"]
    mapped = find("a.test", {"a.test AAAA": ["::ffff:10.1.2.3"]}, allowed_networks=allowed)
    assert hosts(mapped) == ["a.test"]


def test_only_the_public_hosts_of_a_mixed_zone_are_used():
    records = {"a.test MX": ["10 in.a.test.", "20 mx2.a.test."], "in.a.test A": ["10.0.0.1"]}
    assert hosts(find("a.test", records | PUBLIC)) == ["mx2.a.test"]


def test_address_literals_need_no_dns():
    assert find("[198.41.0.7]", {}) == (Hop("[198.41.0.7]", "198.41.0.7", 25),)
    assert find("[ipv6:2001:500::7]", {}) == (Hop("[ipv6:2001:500::7]", "2001:500::7", 25),)


def test_address_literals_may_be_bad_private_or_ours():
    assert find("[198.41.0]", {}).status == "5.1.2"
    assert find("[10.0.0.1]", {}).status == "5.4.4"
    assert find("[198.41.0.7]", {}, own_address="198.41.0.7", own_port=25).status == "5.4.6"


def test_the_source_address_decides_the_family():
    records = {"a.test A": ["198.41.0.9"], "a.test AAAA": ["2001:500::9"]}
    v4 = find("a.test", records, source_address="192.0.2.1")
    v6 = find("a.test", records, source_address="2001:db8::1")
    assert ([hop.address for hop in v4], [hop.address for hop in v6]) == (
        ["198.41.0.9"],
        ["2001:500::9"],
    )


def test_a_large_zone_is_not_tried_whole():
    assert len(find("a.test", {"a.test A": [f"198.41.0.{n}" for n in range(50)]})) == 6


def test_a_relay_in_brackets_is_not_looked_up_as_mx():
    records = {"relay.test MX": ["10 mx1.a.test."], "relay.test A": ["10.0.0.5"]}
    hops = find("anything.test", records | PUBLIC, relay="[relay.test]:587")
    assert hops == (Hop("relay.test", "10.0.0.5", 587),)


def test_a_relay_without_brackets_has_mx():
    hops = find("anything.test", {"relay.test MX": ["10 mx1.a.test."]} | PUBLIC, relay="relay.test")
    assert hosts(hops) == ["mx1.a.test"]


def test_a_relay_may_be_an_address():
    assert find("x.test", {}, relay="127.0.0.1:2526") == (Hop("127.0.0.1", "127.0.0.1", 2526),)


def test_a_relay_that_is_not_found_bounces_nothing():
    assert find("x.test", {}, relay="gone.test").kind is Kind.DEFERRED
    assert find("x.test", {}, {"gone.test": "SERVFAIL"}, relay="gone.test").kind is Kind.DEFERRED


def test_relays_are_read():
    assert parse_relay("Relay.test") == ("relay.test", 25, False)
    assert parse_relay("relay.test:587") == ("relay.test", 587, False)
    assert parse_relay("[::1]:587") == ("::1", 587, True)
    for text in ("", ":25", "relay.test:", "relay.test:0", "[relay.test]:x", "[::1]25", "::1"):
        with pytest.raises(ValueError, match="relay host"):
            parse_relay(text)
