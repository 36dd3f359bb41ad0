"""The resolver: answers as values, remembered, bounded."""

import asyncio

import pytest

from delivery import dns as our_dns
from delivery.a_labels import to_a_labels
from delivery.dns import Finding, Mx, Resolver, parse_server
from tests.delivery.zones import Zones, unused_port


def ask(zones, *questions, **options):
    async def work():
        resolver = Resolver([zones.server], **options)
        return [await resolver.lookup(*question.split()) for question in questions]

    return asyncio.run(work())


def test_records_come_as_text():
    with Zones({"a.test MX": ["10 MX1.a.test.", "20 mx2.a.test."]}) as zones:
        (answer,) = ask(zones, "a.test MX")
    assert answer.finding is Finding.RECORDS
    assert sorted(answer.records) == ["10 mx1.a.test", "20 mx2.a.test"]


def test_mx_come_as_values_and_the_null_mx_as_a_dot():
    async def work(zones):
        resolver = Resolver([zones.server])
        return (await resolver.mx("a.test"))[1], (await resolver.mx("null.test"))[1]

    with Zones({"a.test MX": ["10 mx.a.test."], "null.test MX": ["0 ."]}) as zones:
        assert asyncio.run(work(zones)) == ((Mx(10, "mx.a.test"),), (Mx(0, "."),))


def test_absence_has_two_kinds():
    with Zones({"a.test A": ["192.0.2.1"]}) as zones:
        no_records, no_name = ask(zones, "a.test MX", "b.test MX")
    assert no_records.finding is Finding.NO_RECORDS
    assert no_name.finding is Finding.NO_NAME


def test_servfail_is_a_value_and_is_not_remembered():
    with Zones({}, {"a.test": "SERVFAIL"}) as zones:
        first, second = ask(zones, "a.test MX", "a.test MX")
    assert first.finding is second.finding is Finding.FAILED
    assert "SERVFAIL" in first.reason
    assert zones.asked["a.test MX"] == 2


def test_silence_ends_in_time(monkeypatch):
    monkeypatch.setattr(our_dns, "SERVER_PATIENCE", 0.05)
    monkeypatch.setattr(our_dns, "QUESTION_PATIENCE", 0.1)
    with Zones({}, {"a.test": "DROP"}) as zones:
        (answer,) = ask(zones, "a.test MX")
    assert (answer.finding, answer.reason) == (Finding.FAILED, "no answer in time")


def test_no_server_there_is_a_value(monkeypatch):
    monkeypatch.setattr(our_dns, "SERVER_PATIENCE", 0.05)
    monkeypatch.setattr(our_dns, "QUESTION_PATIENCE", 0.1)

    async def work():
        return await Resolver([f"127.0.0.1:{unused_port()}"]).lookup("a.test", "A")

    assert asyncio.run(work()).finding is Finding.FAILED


def test_second_server_answers_for_the_first():
    async def work(zones):
        resolver = Resolver([f"127.0.0.1:{unused_port()}", zones.server])
        return await resolver.lookup("a.test", "A")

    with Zones({"a.test A": ["192.0.2.1"]}) as zones:
        assert asyncio.run(work(zones)).records == ("192.0.2.1",)


def test_truncated_answers_are_asked_again_over_tcp():
    with Zones({"a.test A": ["192.0.2.1"]}) as zones:
        zones.truncates = True
        (answer,) = ask(zones, "a.test A")
    assert answer.records == ("192.0.2.1",)


def test_answers_are_remembered_for_their_ttl():
    now = [1000.0]
    with Zones({"a.test A": ["192.0.2.1"]}) as zones:

        async def work():
            resolver = Resolver([zones.server], clock=lambda: now[0])
            for step in (0, 50, 20):
                now[0] += step
                await resolver.lookup("A.test.", "A")

        asyncio.run(work())
    assert zones.asked["a.test A"] == 2


def test_absence_is_remembered_for_the_soa_minimum():
    now = [1000.0]
    with Zones({"a.test A": ["192.0.2.1"]}) as zones:

        async def work():
            resolver = Resolver([zones.server], clock=lambda: now[0])
            for step in (0, 3, 3):
                now[0] += step
                await resolver.lookup("b.test", "A")
                await resolver.lookup("a.test", "MX")

        asyncio.run(work())
    assert (zones.asked["b.test A"], zones.asked["a.test MX"]) == (2, 2)


def test_one_question_under_way_serves_all_who_ask():
    with Zones({"a.test A": ["192.0.2.1"]}) as zones:

        async def work():
            resolver = Resolver([zones.server])
            return await asyncio.gather(*(resolver.lookup("a.test", "A") for _ in range(20)))

        answers = asyncio.run(work())
    assert zones.asked["a.test A"] == 1
    assert len(set(answers)) == 1


@pytest.mark.parametrize(("trusts", "expected"), [(True, True), (False, False)])
def test_authentic_data_is_believed_only_where_told(trusts, expected):
    with Zones({"a.test A": ["192.0.2.1"]}) as zones:
        zones.is_authentic = True
        (answer,) = ask(zones, "a.test A", trust_ad=trusts)
    assert answer.is_authentic is expected


def test_addresses_of_both_kinds_come_together():
    async def work(zones):
        resolver = Resolver([zones.server])
        return [
            await resolver.addresses("a.test"),
            await resolver.addresses("a.test", v6=False),
            await resolver.addresses("half.test"),
            await resolver.addresses("gone.test"),
        ]

    records = {
        "a.test A": ["192.0.2.1"],
        "a.test AAAA": ["2001:db8::1"],
        "half.test AAAA": ["2001:db8::2"],
    }
    with Zones(records) as zones:
        both, v4, half, gone = asyncio.run(work(zones))
    assert both.records == ("192.0.2.1", "2001:db8::1")
    assert v4.records == ("192.0.2.1",)
    assert half.records == ("2001:db8::2",)
    assert gone.finding is Finding.NO_NAME


def test_a_name_that_cannot_be_one_does_not_exist():
    with Zones({}) as zones:
        answers = ask(zones, f"{'x' * 64}.test A", "a..test A")
    assert {answer.finding for answer in answers} == {Finding.NO_NAME}
    assert not zones.asked


def test_servers_are_read_with_and_without_a_port():
    read = [parse_server(text) for text in ("192.0.2.1", "192.0.2.1:5353", "::1", "[::1]:5353")]
    assert [(server.address, server.port) for server in read] == [
        ("192.0.2.1", 53),
        ("192.0.2.1", 5353),
        ("::1", 53),
        ("::1", 5353),
    ]


@pytest.mark.parametrize("text", ["dns.test", "192.0.2.1:0", "192.0.2.1:dns", ""])
def test_what_is_no_server_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_server(text)


def test_domains_become_a_labels():
    assert to_a_labels("Bücher.Test.") == "xn--bcher-kva.test"
    assert to_a_labels("A.test") == "a.test"
