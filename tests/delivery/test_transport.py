"""Carrying parcels to real sockets: what each kind of peer does to each recipient."""

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from random import Random

import pytest

from delivery.transport import loop as transport_loop
from delivery.transport import smtp
from delivery.transport.loop import Loop, Setting
from delivery.transport.mx import Routing
from delivery.transport.outcome import Kind, Parcel
from protocols.wire.smtp import client
from protocols.wire.smtp.reply import Reply
from tests.delivery.peer import OK, Peer, Script
from tests.delivery.zones import Zones, unused_port
from tests.partners.daemon import wait_until

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
HELLO = b"Subject: hello\r\n\r\n.one dot\r\nbye\r\n"


class Carrier:
    """A loop with what it reports, by key."""

    def __init__(self, port: int, **setting) -> None:
        routing = {"hostname": "us.test", "port": port, "allowed_networks": LOOPBACK}
        routing |= setting.pop("routing", {})
        self.news: queue.SimpleQueue = queue.SimpleQueue()
        self.loop = Loop(Setting(Routing(**routing), **setting), self.news.put, Random(1))
        self.reports = 0

    def carry(self, *parcels: Parcel, destination: str = "[127.0.0.1]"):
        self.loop.carry(destination, parcels)
        return self.collect(sum(len(parcel.recipients) for parcel in parcels))

    def collect(self, count: int):
        outcomes = {}
        while len(outcomes) < count:
            for key, outcome in self.news.get(timeout=20):
                assert key not in outcomes, "reported twice"
                outcomes[key] = outcome
        assert self.news.empty()
        return outcomes


@contextmanager
def carrier(port: int, **setting) -> Iterator[Carrier]:
    it = Carrier(port, **setting)
    try:
        yield it
    finally:
        it.loop.stop(0.0)


_keys = iter(range(1, 1_000_000))


def parcel(*recipients, octets=HELLO, sender="alice@a.test", patience=60.0, **fields) -> Parcel:
    ends = time.monotonic() + patience
    return Parcel(
        queue_id="Q1",
        return_path=sender,
        recipients=tuple((next(_keys), address) for address in recipients or ["bob@b.test"]),
        size=len(octets),
        is_smtputf8=fields.get("is_smtputf8", False),
        octets=fields.get("read") or (lambda: octets),
        give_up_at=fields.get("give_up_at") or (lambda: ends),
    )


def only(outcomes):
    (outcome,) = outcomes.values()
    return outcome


def send(script: Script, *parcels: Parcel, **setting):
    """Send parcels to one peer; the outcomes in the order of the recipients, and the peer."""
    with Peer(script) as peer, carrier(peer.port, **setting) as it:
        outcomes = it.carry(*(parcels or (parcel(),)))
    return [outcomes[key] for each in parcels for key, _ in each.recipients] or [
        only(outcomes)
    ], peer


def test_a_message_arrives_as_it_was():
    (outcome,), peer = send(Script())
    assert outcome.kind is Kind.DELIVERED
    assert outcome.reply == "250 2.0.0 Ok"
    assert (outcome.host, outcome.is_from_peer) == (f"[127.0.0.1][127.0.0.1]:{peer.port}", True)
    (mail,) = peer.mail
    assert (mail.sender, mail.recipients, mail.octets) == ("alice@a.test", ["bob@b.test"], HELLO)
    assert peer.hellos == ["us.test"]


def test_the_null_return_path_travels():
    _, peer = send(Script(), parcel(sender=""))
    assert peer.mail[0].sender == ""


def test_recipients_of_one_message_share_a_transaction():
    recipients = [f"r{n}@b.test" for n in range(100)]
    outcomes, peer = send(Script(), parcel(*recipients))
    assert {outcome.kind for outcome in outcomes} == {Kind.DELIVERED}
    assert [mail.recipients for mail in peer.mail] == [recipients]


def test_each_recipient_has_an_outcome_of_its_own():
    answers = {
        "no@b.test": Reply(550, "5.1.1", "No such user"),
        "later@b.test": Reply(451, "4.7.1", "Greylisted"),
    }
    script = Script(recipient=lambda address: answers.get(address, Reply(250, "2.1.5", "Ok")))
    outcomes, peer = send(script, parcel("no@b.test", "yes@b.test", "later@b.test"))
    assert [outcome.kind for outcome in outcomes] == [Kind.FAILED, Kind.DELIVERED, Kind.DEFERRED]
    assert [outcome.status for outcome in outcomes] == ["5.1.1", "2.0.0", "4.7.1"]
    assert outcomes[0].reply == "550 5.1.1 No such user"
    assert peer.mail[0].recipients == ["yes@b.test"]


@pytest.mark.parametrize(
    ("enhanced", "kind"),
    [("", Kind.DEFERRED), ("5.5.3", Kind.DEFERRED), ("5.2.2", Kind.FAILED)],
)
def test_552_to_one_recipient_too_many_puts_it_off(enhanced, kind):
    answers = iter([OK, Reply(552, enhanced, "No more")])
    outcomes, _ = send(Script(recipient=lambda _: next(answers)), parcel("a@b.test", "b@b.test"))
    assert [outcome.kind for outcome in outcomes] == [Kind.DELIVERED, kind]


def test_552_to_the_only_recipient_is_final():
    (outcome,), _ = send(Script(recipient=lambda _: Reply(552, "", "Full")))
    assert outcome.kind is Kind.FAILED


@pytest.mark.parametrize("stage", ["sender", "end"])
@pytest.mark.parametrize(("code", "kind"), [(452, Kind.DEFERRED), (552, Kind.FAILED)])
def test_a_refusal_of_the_message_is_one_of_all_recipients(stage, code, kind):
    script = Script(**{stage: Reply(code, f"{code // 100}.2.2", "Full")})
    outcomes, _ = send(script, parcel("a@b.test", "b@b.test"))
    assert [outcome.kind for outcome in outcomes] == [kind, kind]


def test_a_server_without_pipelining_gets_one_command_at_a_time():
    (outcome,), peer = send(Script(without=frozenset({"PIPELINING"})))
    assert outcome.kind is Kind.DELIVERED
    assert peer.mail[0].octets == HELLO


def test_a_server_that_only_knows_helo_gets_its_mail():
    (outcome,), _ = send(Script(without=frozenset({"EHLO"})))
    assert outcome.kind is Kind.DELIVERED


def test_one_connection_carries_several_messages():
    outcomes, peer = send(Script(refuses_beyond=1), *(parcel() for _ in range(10)))
    assert {outcome.kind for outcome in outcomes} == {Kind.DELIVERED}
    assert len({mail.connection for mail in peer.mail}) == 1


def test_a_refused_message_does_not_spoil_the_next():
    script = Script(
        recipient=lambda address: Reply(550 if "no" in address else 250, "", "x"), refuses_beyond=1
    )
    outcomes, _ = send(script, parcel("no@b.test"), parcel("yes@b.test"), parcel("no@b.test"))
    kinds = [outcome.kind for outcome in outcomes]
    assert kinds == [Kind.FAILED, Kind.DELIVERED, Kind.FAILED]


def test_a_connection_carries_no_more_than_its_share(monkeypatch):
    monkeypatch.setattr(transport_loop, "MESSAGES_PER_CONNECTION", 3)
    outcomes, peer = send(Script(refuses_beyond=1), *(parcel() for _ in range(7)))
    assert {outcome.kind for outcome in outcomes} == {Kind.DELIVERED}
    per_connection = [mail.connection for mail in peer.mail]
    assert max(per_connection.count(number) for number in set(per_connection)) == 3


def test_a_server_that_closes_after_some_messages_gets_the_rest_at_once():
    outcomes, peer = send(Script(drops_after_messages=2), *(parcel() for _ in range(9)))
    assert {outcome.kind for outcome in outcomes} == {Kind.DELIVERED}
    assert len(peer.mail) == 9


def test_connections_to_one_destination_are_few():
    outcomes, peer = send(Script(), *(parcel() for _ in range(40)))
    assert {outcome.kind for outcome in outcomes} == {Kind.DELIVERED}
    assert peer.most_open <= transport_loop.CONNECTIONS_PER_LANE


def test_an_idle_connection_is_used_again():
    with Peer() as peer, carrier(peer.port) as it:
        it.carry(parcel())
        it.carry(parcel())
    assert peer.connections == 1


def test_a_destination_with_nothing_left_to_do_is_forgotten(monkeypatch):
    monkeypatch.setattr(transport_loop, "LINGER", 0.01)
    with Peer() as peer, carrier(peer.port) as it:
        it.carry(parcel())
        wait_until(lambda: not it.loop._lanes, "the end of the connection", pause=0.01)


def test_connections_in_all_are_bounded(monkeypatch):
    monkeypatch.setattr(transport_loop, "CONNECTIONS", 2)
    with Peer() as peer, carrier(peer.port) as it:
        for n in range(1, 6):
            it.loop.carry(f"[127.0.0.{n}]", [parcel()])
        # Only 127.0.0.1 answers; the others are refused there at once.
        outcomes = it.collect(5)
        assert sorted(o.kind.value for o in outcomes.values()) == ["deferred"] * 4 + ["delivered"]
        assert peer.most_open <= 2


def test_a_slow_destination_does_not_hold_up_another():
    gate = threading.Event()
    with (
        Peer(Script(gate=gate)) as slow,
        Peer(address="127.0.0.2", port=slow.port) as fast,
        carrier(slow.port) as it,
    ):
        it.loop.carry("[127.0.0.1]", [parcel() for _ in range(50)])
        outcomes = it.carry(*(parcel() for _ in range(20)), destination="[127.0.0.2]")
        assert {outcome.kind for outcome in outcomes.values()} == {Kind.DELIVERED}
        assert len(fast.mail) == 20
        gate.set()
        it.collect(50)


def test_starttls_is_used_where_offered():
    (outcome,), peer = send(Script(has_starttls=True))
    assert outcome.kind is Kind.DELIVERED
    assert outcome.tls.startswith("TLSv1.")
    assert peer.mail[0].is_tls
    assert peer.hellos == ["us.test", "us.test"]


def test_broken_tls_falls_back_to_clear_text_on_a_new_connection():
    (outcome,), peer = send(Script(has_starttls=True, breaks_tls=True))
    assert (outcome.kind, outcome.tls) == (Kind.DELIVERED, "")
    assert (peer.connections, peer.mail[0].is_tls) == (2, False)


LATIN = (
    "Subject: gruß\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n"
).encode()
ASCII_HEADER = LATIN.replace("gruß".encode(), b"hello")


def test_8bit_mail_is_declared():
    (outcome,), peer = send(Script(), parcel(octets=ASCII_HEADER))
    assert outcome.kind is Kind.DELIVERED
    assert peer.mail[0].is_8bit
    assert peer.mail[0].octets == ASCII_HEADER


def test_8bit_mail_is_encoded_for_a_server_without_8bitmime():
    (outcome,), peer = send(Script(without=frozenset({"8BITMIME"})), parcel(octets=ASCII_HEADER))
    assert outcome.kind is Kind.DELIVERED
    (mail,) = peer.mail
    assert mail.octets.isascii()
    assert not mail.is_8bit
    assert b"quoted-printable" in mail.octets.lower() or b"base64" in mail.octets.lower()


def test_internationalised_mail_needs_smtputf8():
    to_jose = parcel("josé@b.test", octets=LATIN, is_smtputf8=True)
    (outcome,), peer = send(Script(), to_jose)
    assert outcome.kind is Kind.DELIVERED
    assert peer.mail[0].is_smtputf8
    (outcome,), peer = send(Script(without=frozenset({"SMTPUTF8"})), to_jose)
    assert (outcome.kind, outcome.status) == (Kind.FAILED, "5.6.7")
    assert not peer.mail


def test_fields_beyond_ascii_need_smtputf8_where_no_body_follows_too():
    fields = parcel(octets="Subject: café\r\n".encode(), is_smtputf8=True)
    (outcome,), peer = send(Script(), fields)
    assert outcome.kind is Kind.DELIVERED
    assert peer.mail[0].is_smtputf8
    (outcome,), peer = send(Script(without=frozenset({"SMTPUTF8"})), fields)
    assert (outcome.kind, outcome.status) == (Kind.FAILED, "5.6.7")


def test_an_address_beyond_ascii_needs_smtputf8_though_the_sender_did_not_say_so():
    (outcome,), peer = send(Script(), parcel("josé@b.test"))
    assert outcome.kind is Kind.DELIVERED
    assert peer.mail[0].is_smtputf8
    (outcome,), _ = send(Script(without=frozenset({"SMTPUTF8"})), parcel("josé@b.test"))
    assert (outcome.kind, outcome.status) == (Kind.FAILED, "5.6.7")


@pytest.mark.parametrize(("octets", "kind"), [(HELLO, Kind.DELIVERED), (LATIN, Kind.FAILED)])
def test_without_smtputf8_an_internationalised_recipient_costs_no_other_the_mail(octets, kind):
    both = parcel("josé@b.test", "bob@b.test", octets=octets, is_smtputf8=True)
    outcomes, peer = send(Script(without=frozenset({"SMTPUTF8"})), both)
    assert [outcome.kind for outcome in outcomes] == [Kind.FAILED, kind]
    assert outcomes[0].status == "5.6.7"
    assert [mail.recipients for mail in peer.mail] == [["bob@b.test"]] * (kind is Kind.DELIVERED)


def test_smtputf8_is_left_out_where_a_labels_do():
    plain = parcel("bob@bücher.test", is_smtputf8=True)
    (outcome,), peer = send(Script(without=frozenset({"SMTPUTF8"})), plain)
    assert outcome.kind is Kind.DELIVERED
    assert peer.mail[0].recipients == ["bob@xn--bcher-kva.test"]


def test_a_message_above_the_servers_limit_fails_before_it_is_sent():
    (outcome,), peer = send(Script(size=100), parcel(octets=HELLO * 10))
    assert (outcome.kind, outcome.status) == (Kind.FAILED, "5.3.4")
    assert not peer.mail


def test_large_messages_are_read_when_their_turn_comes():
    octets = b"Subject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * 20_000
    threads = []

    def read():
        threads.append(threading.current_thread().name)
        return octets

    (outcome,), peer = send(Script(), parcel(octets=octets, read=read))
    assert outcome.kind is Kind.DELIVERED
    assert peer.mail[0].octets == octets
    assert threads != ["transport"]


def test_octets_that_cannot_be_read_put_off():
    def read():
        raise OSError("gone")

    (outcome,), _ = send(Script(), parcel(read=read))
    assert (outcome.kind, outcome.status) == (Kind.DEFERRED, "4.3.0")


def test_a_connection_lost_after_the_final_dot_is_ambiguous():
    (outcome,), peer = send(Script(drops_after_dot=True))
    assert outcome.kind is Kind.AMBIGUOUS
    assert len(peer.mail) == 1


def test_a_421_after_the_final_dot_is_not():
    (outcome,), _ = send(Script(end=Reply(421, "4.3.2", "Going down")))
    assert outcome.kind is Kind.DEFERRED


def test_silence_after_the_final_dot_is_ambiguous(monkeypatch):
    monkeypatch.setattr(client, "_PATIENCE_END", 0.1)
    (outcome,), _ = send(Script(gate=threading.Event()))
    assert outcome.kind is Kind.AMBIGUOUS
    assert "silent" in outcome.reply


def test_a_connection_lost_before_the_dot_puts_off():
    (outcome,), _ = send(Script(sender=Reply(421, "4.3.2", "Going down")))
    assert (outcome.kind, outcome.reply) == (Kind.DEFERRED, "421 4.3.2 Going down")


def test_a_connection_lost_in_a_large_message_is_not_ambiguous(caplog):
    octets = HELLO + b"a line of a large message\r\n" * 500_000
    (outcome,), _ = send(Script(drops_in_data=True), parcel(octets=octets))
    assert (outcome.kind, outcome.status) == (Kind.DEFERRED, "4.4.2")
    assert not caplog.records


def test_a_closed_port_puts_off_all_that_waits():
    with carrier(unused_port()) as it:
        outcomes = it.carry(*(parcel() for _ in range(8)))
    assert {(outcome.kind, outcome.status) for outcome in outcomes.values()} == {
        (Kind.DEFERRED, "4.4.1")
    }
    assert "refused" in outcomes.popitem()[1].reply


def test_a_server_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(smtp, "OPENING_PATIENCE", 0.1)
    (outcome,), _ = send(Script(stays_silent=True))
    assert (outcome.kind, outcome.status) == (Kind.DEFERRED, "4.4.2")


def test_nothing_goes_on_after_the_claim_has_ended():
    # Long enough for a busy machine to come to the gate before it.
    (outcome,), _ = send(Script(gate=threading.Event()), parcel(patience=2.0))
    assert outcome.kind is Kind.AMBIGUOUS
    (outcome,), peer = send(Script(), parcel(patience=0.0))
    assert outcome.kind in (Kind.UNTRIED, Kind.DEFERRED)
    assert not peer.mail


def test_a_renewed_claim_lets_a_slow_server_finish():
    # Long enough for a busy machine to come to the gate before it.
    ends = [time.monotonic() + 2]
    gate = threading.Event()
    with Peer(Script(gate=gate)) as peer, carrier(peer.port) as it:
        it.loop.carry("[127.0.0.1]", [parcel(give_up_at=lambda: ends[0])])
        wait_until(lambda: bool(peer.at_gate), "the end of the message")
        deadline, ends[0] = ends[0] + 0.2, ends[0] + 60
        while time.monotonic() < deadline:
            assert it.news.empty()
            time.sleep(0.02)
        gate.set()
        assert only(it.collect(1)).kind is Kind.DELIVERED


@pytest.mark.parametrize(("code", "kind"), [(421, Kind.DEFERRED), (554, Kind.FAILED)])
def test_a_refused_greeting_is_the_outcome_where_there_is_no_other_host(code, kind):
    (outcome,), _ = send(Script(greeting=Reply(code, "", "Go away")))
    assert (outcome.kind, outcome.reply) == (kind, f"{code} Go away")


TWO_HOSTS = {
    "b.test MX": ["10 mx1.b.test.", "20 mx2.b.test."],
    "mx1.b.test A": ["127.0.0.2"],
    "mx2.b.test A": ["127.0.0.1"],
}


@pytest.mark.parametrize("first", ["down", "refuses"])
def test_the_next_host_is_tried(first):
    refusing = Script(greeting=Reply(554, "", "No"))
    with Zones(TWO_HOSTS) as zones, Peer() as second:
        setting = {"dns_servers": (zones.server,)}
        with carrier(second.port, **setting) as it:
            if first == "down":
                outcome = only(it.carry(parcel(), destination="b.test"))
            else:
                with Peer(refusing, address="127.0.0.2", port=second.port) as best:
                    outcome = only(it.carry(parcel(), destination="b.test"))
                assert best.connections == 1
    assert outcome.kind is Kind.DELIVERED
    assert outcome.host == f"mx2.b.test[127.0.0.1]:{second.port}"


def by_two(first: Script, second: Script, *recipients: str):
    """Outcomes in the order of the recipients, of a domain with two hosts; and both hosts."""
    one = parcel(*recipients)
    with (
        Zones(TWO_HOSTS) as zones,
        Peer(second) as backup,
        Peer(first, address="127.0.0.2", port=backup.port) as best,
        carrier(backup.port, dns_servers=(zones.server,)) as it,
    ):
        outcomes = it.carry(one, destination="b.test")
    return [outcomes[key] for key, _ in one.recipients], best, backup


LATER = Reply(451, "4.3.0", "Later")


@pytest.mark.parametrize(
    "first",
    [
        Script(sender=LATER),
        Script(recipient=lambda address: LATER),
        Script(end=LATER),
        Script(sender=Reply(421, "4.3.2", "Going down")),
    ],
    ids=["sender", "recipient", "end", "leaves"],
)
def test_whom_one_host_puts_off_the_next_may_take(first):
    (outcome,), best, backup = by_two(first, Script())
    assert (outcome.kind, outcome.host[:10]) == (Kind.DELIVERED, "mx2.b.test")
    assert (best.mail, len(backup.mail)) == ([], 1)


def test_the_next_host_is_asked_for_those_alone_who_were_put_off():
    answers = {"later@b.test": LATER, "no@b.test": Reply(550, "5.1.1", "No such user")}
    first = Script(recipient=lambda address: answers.get(address, OK))
    outcomes, best, backup = by_two(first, Script(), "yes@b.test", "later@b.test", "no@b.test")
    assert [each.kind for each in outcomes] == [Kind.DELIVERED, Kind.DELIVERED, Kind.FAILED]
    assert [mail.recipients for mail in best.mail] == [["yes@b.test"]]
    assert [mail.recipients for mail in backup.mail] == [["later@b.test"]]


@pytest.mark.parametrize("code", [450, 550])
def test_who_is_taken_nowhere_hears_the_words_of_the_first_host(code):
    second = Script(recipient=lambda address: Reply(code, "", "Not here"))
    (outcome,), _, backup = by_two(Script(recipient=lambda address: LATER), second)
    assert (outcome.kind, outcome.reply) == (Kind.DEFERRED, str(LATER))
    assert backup.connections == 1


def test_what_may_have_arrived_goes_to_no_other_host():
    (outcome,), _, backup = by_two(Script(drops_after_dot=True), Script())
    assert (outcome.kind, backup.connections) == (Kind.AMBIGUOUS, 0)


@pytest.mark.parametrize("has_starttls", [False, True])
def test_a_server_that_leaves_with_its_answer_to_ehlo_is_not_called_again_at_once(has_starttls):
    script = Script(leaves_after_hello=True, has_starttls=has_starttls)
    (outcome,), peer = send(script, parcel(patience=5.0))
    assert (outcome.kind, outcome.reply) == (Kind.DEFERRED, "421 4.3.2 Too busy")
    assert peer.connections == 1


def test_a_host_that_may_come_back_outweighs_one_that_refuses():
    refusing = Script(greeting=Reply(554, "", "No"))
    port = unused_port()
    with (
        Zones(TWO_HOSTS) as zones,
        Peer(refusing, port=port),
        carrier(port, dns_servers=(zones.server,)) as it,
    ):
        assert only(it.carry(parcel(), destination="b.test")).kind is Kind.DEFERRED


def test_a_domain_that_does_not_exist_fails_all_its_parcels():
    with Zones({}) as zones, carrier(25, dns_servers=(zones.server,)) as it:
        outcomes = it.carry(parcel(), parcel(), destination="gone.test")
    assert {outcome.status for outcome in outcomes.values()} == {"5.1.2"}


def test_the_source_address_is_bound():
    with Peer() as peer, carrier(peer.port, routing={"source_address": "127.0.0.9"}) as it:
        assert only(it.carry(parcel())).kind is Kind.DELIVERED


def test_a_server_that_allows_few_connections_gets_all_its_mail():
    outcomes, peer = send(Script(refuses_beyond=2), *(parcel() for _ in range(30)))
    assert {outcome.kind for outcome in outcomes} == {Kind.DELIVERED}
    assert len(peer.mail) == 30


def test_a_stop_reports_what_waits_as_untried_and_lets_the_rest_finish():
    gate = threading.Event()
    with Peer(Script(gate=gate, refuses_beyond=1)) as peer, carrier(peer.port) as it:
        it.loop.carry("[127.0.0.1]", [parcel() for _ in range(6)])
        wait_until(lambda: bool(peer.at_gate), "the end of the message", pause=0.01)
        stopper = threading.Thread(target=it.loop.stop, args=(20.0,))
        stopper.start()
        first = it.collect(5)
        gate.set()
        last = it.collect(1)
        stopper.join(20)
        assert not stopper.is_alive()
    assert {outcome.kind for outcome in first.values()} == {Kind.UNTRIED}
    assert only(last).kind is Kind.DELIVERED


def test_a_stop_waits_for_no_idle_connection(monkeypatch):
    monkeypatch.setattr(transport_loop, "LINGER", 60)
    with Peer() as peer, carrier(peer.port) as it:
        it.carry(parcel())
        stopper = threading.Thread(target=it.loop.stop, args=(60.0,))
        stopper.start()
        stopper.join(20)
        assert not stopper.is_alive()


def test_a_stop_interrupts_what_takes_too_long_and_says_that_it_is_ambiguous():
    with Peer(Script(gate=threading.Event())) as peer, carrier(peer.port) as it:
        it.loop.carry("[127.0.0.1]", [parcel()])
        wait_until(lambda: bool(peer.at_gate), "the end of the message", pause=0.01)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and not _is_waiting_for_the_dot(it.loop):
            time.sleep(0.01)
        it.loop.stop(0.1)
        assert only(it.collect(1)).kind is Kind.AMBIGUOUS


def _is_waiting_for_the_dot(loop: Loop) -> bool:
    import gc

    return any(
        isinstance(found, smtp.Connection) and found.is_final_dot_unanswered
        for found in gc.get_objects()
    )


def test_after_a_stop_everything_is_untried():
    it = Carrier(25)
    it.loop.stop(0.0)
    it.loop.carry("[127.0.0.1]", [parcel()])
    assert only(it.collect(1)).kind is Kind.UNTRIED
