"""The shell over real sockets: order, threads, back-pressure, timeouts, TLS, bugs and floods."""

import socket
import ssl
import time
import warnings
from collections.abc import Iterator
from threading import Event

import pytest

from protocols.servers import connection, pace, sending
from protocols.servers.runtime import Caps
from protocols.servers.sending import unsent_octets
from protocols.wire.conversation import SAY_AHEAD
from tests.servers.shell_kit import Client, Stage, until
from tests.transcripts.real import on_reactor


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


@pytest.fixture
def client(stage: Stage) -> Client:
    client = stage.connect()
    assert client.hear() == b"hello"
    return client


def test_pipelined_events_are_answered_in_order(stage: Stage, client: Client) -> None:
    client.say(b"slow 1", b"quick 2", b"silent", b"slow 3", b"quick 4")
    assert [client.hear() for _ in range(4)] == [
        b"ok slow 1",
        b"ok quick 2",
        b"ok slow 3",
        b"ok quick 4",
    ]
    assert not stage.sessions[0].has_overlapped


def test_only_quick_events_run_on_the_reactor_thread(stage: Stage, client: Client) -> None:
    client.ask(b"quick")
    client.ask(b"slow")
    assert stage.sessions[0].threads[0] == "reactor"
    assert stage.sessions[0].threads[1].startswith("kit-")


def test_a_future_is_answered_when_it_is_done(stage: Stage, client: Client) -> None:
    client.say(b"future", b"quick after")
    until(lambda: stage.sessions[0].threads)
    stage.sessions[0].future.set_result(b"done")
    assert [client.hear(), client.hear()] == [b"done", b"ok quick after"]


def test_what_dresses_a_future_at_home_runs_on_the_reactor_thread(
    stage: Stage, client: Client
) -> None:
    client.say(b"home", b"quick after", b"home")
    until(lambda: stage.sessions[0].threads)
    stage.sessions[0].future.set_result(b"that")
    assert [client.hear() for _ in range(3)] == [b"home that", b"ok quick after", b"home that"]
    assert stage.sessions[0].threads[1] == "reactor"
    assert not stage.sessions[0].has_overlapped


def test_what_comes_after_a_future_runs_in_the_pool(stage: Stage, client: Client) -> None:
    client.say(b"after")
    until(lambda: stage.sessions[0].threads)
    stage.sessions[0].future.set_result(b"that")
    assert client.hear() == b"after that"


def test_what_only_dresses_a_future_runs_where_it_is_resolved(stage: Stage, client: Client) -> None:
    client.say(b"soon")
    until(lambda: stage.sessions[0].threads)
    stage.sessions[0].future.set_result(b"that")
    assert client.hear() == b"soon that"
    client.say(b"soon")
    assert client.hear() == b"soon that"


def test_a_future_that_fails_is_answered_as_a_failure(stage: Stage, client: Client) -> None:
    client.say(b"future")
    until(lambda: stage.sessions[0].threads)
    stage.sessions[0].future.set_exception(RuntimeError("lost"))
    assert client.hear() == b"failed future"


def test_a_reply_can_be_held_back(client: Client) -> None:
    assert client.ask(b"later") == b"late"


@pytest.mark.parametrize("event", [b"bug quick", b"bug slow"])
def test_a_bug_costs_one_command_not_the_session(client: Client, event: bytes) -> None:
    assert client.ask(event) == b"failed " + event
    assert client.ask(b"quick") == b"ok quick"


def test_a_bug_in_an_iterator_comes_after_what_it_gave(client: Client) -> None:
    client.say(b"torn")
    assert [client.hear(), client.hear()] == [b"one", b"failed torn"]


def test_a_bug_in_the_grammar_costs_the_connection_not_the_server(
    stage: Stage, client: Client
) -> None:
    client.say(b"break the grammar")
    with pytest.raises(ConnectionResetError):
        assert client.hear() == b"reset"
    other = stage.connect()
    assert other.hear() == b"hello"


@pytest.mark.parametrize("event", [b"quick unspeakable", b"slow unspeakable"])
def test_a_reply_that_cannot_be_said_costs_the_connection(
    stage: Stage, client: Client, event: bytes
) -> None:
    client.say(event)
    with pytest.raises(ConnectionResetError):
        assert client.hear() == b"reset"
    assert stage.sessions[0].is_closed.wait(10)


def test_a_wake_is_pushed_once_and_never_during_an_event(stage: Stage, client: Client) -> None:
    client.say(b"wake")
    assert [client.hear(), client.hear()] == [b"asleep", b"woken"]
    session = stage.sessions[0]
    client.say(b"wait")
    assert session.reached.wait(10)
    session.shell.wake(session._woken)
    session.go.set()
    assert [client.hear(), client.hear()] == [b"waited", b"woken"]
    assert client.ask(b"quick") == b"ok quick"


def test_close_comes_after_the_answer_in_hand(client: Client) -> None:
    client.say(b"close", b"quick never")
    assert client.hear() == b"closing"
    assert client.hear() == b""


def test_a_session_hears_that_its_peer_is_gone(stage: Stage, client: Client) -> None:
    client.sock.close()
    assert stage.sessions[0].is_closed.wait(10)
    until(lambda: not stage.runtime.connections)


def test_a_session_that_holds_nothing_is_left_alone(stage: Stage, client: Client) -> None:
    assert client.ask(b"quick nothing") == b"ok quick nothing"
    client.sock.close()
    until(lambda: not stage.runtime.connections)
    # Whatever was asked of the pool before this has begun by now.
    done = Event()
    stage.runtime.pool.submit(done.set)
    assert done.wait(10)
    assert not stage.sessions[0].is_closed.is_set()


@pytest.mark.parametrize("event", [b"wait", b"held"])
def test_a_session_is_not_closed_while_it_handles_or_its_answer_is_read_ahead(
    stage: Stage, client: Client, event: bytes
) -> None:
    client.say(event)
    session = stage.sessions[0]
    assert session.reached.wait(10)
    client.reset()
    until(lambda: not stage.runtime.connections)
    assert not session.is_closed.is_set()
    session.go.set()
    assert session.is_closed.wait(10)


def test_what_was_said_before_a_half_close_is_answered(client: Client) -> None:
    # RFC 1122 §4.2.2.13: as `printf … | nc` does.
    client.say(b"slow 1", b"slow 2")
    client.sock.shutdown(socket.SHUT_WR)
    assert [client.hear(), client.hear(), client.hear()] == [b"ok slow 1", b"ok slow 2", b""]


def test_last_words_arrive_though_the_peer_goes_on_talking(client: Client) -> None:
    client.say(b"quit", *[b"noise"] * 5000)
    assert client.hear() == b"ok quit"
    assert client.hear() == b""


def test_a_silent_peer_is_told_goodbye(stage: Stage, client: Client) -> None:
    stage.look(29)
    assert client.ask(b"quick") == b"ok quick"
    stage.look(31)
    assert client.hear() == b"goodbye"
    assert client.hear() == b""


def test_waiting_for_our_own_answer_is_not_silence(stage: Stage, client: Client) -> None:
    client.say(b"wait")
    assert stage.sessions[0].reached.wait(10)
    stage.look(1000)
    stage.sessions[0].go.set()
    assert client.hear() == b"waited"


def test_a_peer_that_does_not_hang_up_is_hung_up_on(stage: Stage, client: Client) -> None:
    assert client.ask(b"quit") == b"ok quit"
    until(lambda: [c._is_output_over for c in stage.runtime.connections] == [True])
    stage.look(connection.LINGER + 1)
    until(lambda: not stage.runtime.connections)


def test_a_session_ends_when_we_hang_up_even_if_the_peer_does_not(
    stage: Stage, client: Client
) -> None:
    assert client.ask(b"quit") == b"ok quit"
    assert stage.sessions[0].is_closed.wait(10)
    assert stage.runtime.connections


def test_a_long_answer_waits_for_its_reader(stage: Stage, client: Client) -> None:
    client.say(b"pieces 2000 20000")
    session = stage.sessions[0]
    until(lambda: any(c._pace.paused_at is not None for c in stage.runtime.connections))
    pulled = -1
    while pulled != session.pulled:  # until the kernel's buffers are full
        pulled = session.pulled
        time.sleep(0.05)
    assert session.pulled < 1500
    assert [client.hear() for _ in range(2001)][-1] == b"end"
    assert session.pulled == 2000
    assert client.ask(b"quick") == b"ok quick"


def test_a_peer_that_never_reads_is_dropped(stage: Stage, client: Client) -> None:
    client.say(b"pieces 100000 20000")
    until(lambda: any(c._pace.paused_at is not None for c in stage.runtime.connections))
    stage.look(stage.runtime.caps.stall_timeout - 5)
    assert stage.runtime.connections
    stage.outwait()
    # The generator was told: it frees what it holds.
    assert stage.sessions[0].go.wait(10)
    assert stage.sessions[0].is_closed.wait(10)


def test_a_flood_that_reads_nothing_is_bounded(stage: Stage, client: Client) -> None:
    client.sock.setblocking(False)
    flood = (b"quick " + b"x" * 500 + b"\r\n") * 100
    refused = 0
    while refused < 40:  # nothing has been taken for 0.2 s
        try:
            client.sock.send(flood)
        except BlockingIOError:
            refused += 1
            time.sleep(0.005)
        else:
            refused = 0

    def held() -> int:
        return max(
            len(c._conversation.input) + len(c._conversation.output)
            for c in stage.runtime.connections
        )

    # One read of 64 KiB beyond what the conversation wants, and one turn's answers.
    assert on_reactor(held) < 3 * 64 * 1024 + 100 * 600


def test_a_flood_leaves_turns_to_others(stage: Stage, client: Client) -> None:
    other = stage.connect()
    assert other.hear() == b"hello"
    client.say(*[b"quick"] * 5000)
    assert other.ask(b"quick") == b"ok quick"
    assert [client.hear() for _ in range(5000)] == [b"ok quick"] * 5000


def test_slow_answers_leave_turns_to_others(stage: Stage, client: Client) -> None:
    other = stage.connect()
    assert other.hear() == b"hello"
    client.say(*[b"quick slow"] * connection.EVENTS_PER_TURN)
    until(lambda: stage.sessions[0].threads)
    assert other.ask(b"quick") == b"ok quick"
    assert len(stage.sessions[0].threads) < connection.EVENTS_PER_TURN


def test_many_who_flood_leave_turns_to_others(stage: Stage, client: Client) -> None:
    """All of them together have about as long as one alone."""
    flooding = [stage.connect() for _ in range(20)]
    for one in flooding:
        one.say(*[b"quick enough"] * 50)

    def served() -> int:
        return sum(len(session.threads) for session in stage.sessions)

    def due() -> int:
        return stage.runtime.turns_due

    until(lambda: on_reactor(due) == len(flooding))
    before = served()
    assert client.ask(b"quick") == b"ok quick"
    # The round in which we asked and that in which we were heard: an event or two of each.
    assert served() - before < 4 * len(flooding)
    until(lambda: not on_reactor(due))


def test_large_answers_wait_for_their_reader(stage: Stage, client: Client) -> None:
    """Though each of them is there at once."""
    size, count = 400_000, 60
    client.say(*[b"quick much %d" % size] * count)
    until(lambda: any(c._pace.paused_at is not None for c in stage.runtime.connections))

    def held() -> int:
        return max(len(c._conversation.output) for c in stage.runtime.connections)

    assert on_reactor(held) < SAY_AHEAD + size + 1000
    assert len(stage.sessions[0].threads) < count
    assert [len(client.hear()) for _ in range(count)] == [size] * count


def test_starttls_forgets_what_was_injected(stage: Stage, client: Client) -> None:
    client.sock.sendall(b"starttls\r\nquick injected\r\n")
    assert client.hear() == b"ok starttls"
    tls = Client(_tls(client.sock))
    # The first answer under TLS is the one to the first question under TLS.
    assert tls.ask(b"tls").startswith(b"TLSv1.3 TLS_")
    assert tls.ask(b"quit") == b"ok quit"
    assert tls.hear() == b""


def test_long_answers_and_stalls_over_tls(stage: Stage, client: Client) -> None:
    client.ask(b"starttls")
    tls = Client(_tls(client.sock))
    tls.say(b"pieces 500 20000")
    assert [tls.hear() for _ in range(501)][-1] == b"end"
    tls.say(b"pieces 100000 20000")
    until(lambda: any(c._pace.paused_at is not None for c in stage.runtime.connections))
    stage.outwait()


def test_a_peer_that_does_not_hang_up_is_dropped_over_tls_too(stage: Stage, client: Client) -> None:
    client.ask(b"starttls")
    tls = Client(_tls(client.sock))
    assert tls.ask(b"quit") == b"ok quit"
    until(lambda: [c._close_by is not None for c in stage.runtime.connections] == [True])
    stage.look(stage.runtime.caps.stall_timeout + 1)
    until(lambda: not stage.runtime.connections)


def test_a_slow_reader_is_waited_for(
    stage: Stage, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.say(b"pieces 100000 20000")
    until(lambda: any(c._pace.paused_at is not None for c in stage.runtime.connections))
    (one,) = stage.runtime.connections
    left = one._pace._unsent
    step = stage.runtime.caps.stall_timeout - 5
    for times in range(1, 6):
        left -= pace.STALL_SIZE
        monkeypatch.setattr(sending, "unsent_octets", lambda _, left=left: left)
        stage.look(times * step)
        assert stage.runtime.connections
    left -= pace.STALL_SIZE - 1
    stage.look(6 * step)
    assert stage.runtime.connections
    stage.look(7 * step)
    until(lambda: not stage.runtime.connections)


def test_what_a_peer_has_not_taken_is_counted_in_the_kernel_too(
    stage: Stage, client: Client
) -> None:
    client.say(b"pieces 1000 20000")
    until(lambda: any(c._pace.paused_at is not None for c in stage.runtime.connections))
    (one,) = stage.runtime.connections
    buffered = len(one.transport.dataBuffer) + one.transport._tempDataLen
    assert on_reactor(lambda: unsent_octets(one.transport)) > buffered
    while client.hear() != b"end":
        pass
    until(lambda: on_reactor(lambda: unsent_octets(one.transport)) == 0)


def test_a_command_said_octet_by_octet_is_not_awaited_for_ever(
    stage: Stage, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.sessions[0].idle_timeout = 10_000
    stage.look(pace.TRICKLE_TIMEOUT + 5)
    (one,) = stage.runtime.connections
    client.sock.sendall(b"q")
    until(lambda: one._pace._begun == 1)
    heard_at = one._pace.heard_at
    client.sock.sendall(b"u")
    until(lambda: one._pace._begun == 2)
    assert one._pace.heard_at == heard_at
    stage.look(pace.TRICKLE_TIMEOUT - 5)
    assert stage.runtime.connections
    monkeypatch.setattr(pace, "TRICKLE_SIZE", 100)
    client.sock.sendall(b"x" * 98)
    until(lambda: one._pace.heard_at > heard_at)
    stage.look(pace.TRICKLE_TIMEOUT + 5)
    assert client.rest() == b"goodbye\r\n"


def test_a_stranger_has_a_few_minutes_to_log_in(stage: Stage, client: Client) -> None:
    stage.sessions[0].idle_timeout = 10_000
    stage.look(pace.LOGIN_TIMEOUT + 5)
    assert client.ask(b"quick") == b"ok quick"
    stage.sessions[0].must_log_in = True
    stage.look(pace.LOGIN_TIMEOUT - 5)
    assert client.ask(b"quick") == b"ok quick"
    stage.look(pace.LOGIN_TIMEOUT + 5)
    assert client.hear() == b"goodbye"


def test_a_handshake_that_does_not_come_is_not_awaited() -> None:
    stage = Stage(implicit_tls=True)
    try:
        stage.connect()
        until(lambda: stage.runtime.connections)
        stage.look(connection.HANDSHAKE_TIMEOUT + 1)
        until(lambda: not stage.runtime.connections)
        client = Client(_tls(stage.connect().sock))
        assert client.hear() == b"hello"
        assert client.ask(b"tls").startswith(b"TLSv1.3")
    finally:
        stage.close()


def test_old_tls_is_refused(client: Client) -> None:
    client.ask(b"starttls")
    context = _context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        context.wrap_socket(client.sock)


@pytest.mark.parametrize(
    "caps",
    [Caps(total=2), Caps(per_loopback=2)],
    ids=["all together", "one address"],
)
def test_too_many_connections_are_refused_with_a_word(caps: Caps) -> None:
    stage = Stage(caps)
    try:
        first, second = stage.connect(), stage.connect()
        assert [first.hear(), second.hear()] == [b"hello", b"hello"]
        third = stage.connect()
        assert [third.hear(), third.hear()] == [b"full", b""]
        first.sock.close()
        until(lambda: len(stage.runtime.connections) == 1)
        assert stage.connect().hear() == b"hello"
        assert stage.connect().hear() == b"full"
    finally:
        stage.close()


def test_stopping_says_goodbye_and_finishes_what_is_in_hand(stage: Stage, client: Client) -> None:
    busy = stage.connect()
    busy.hear()
    busy.say(b"wait")
    assert stage.sessions[1].reached.wait(10)
    on_reactor(stage.runtime.say_goodbye)
    assert [client.hear(), client.hear()] == [b"goodbye", b""]
    stage.sessions[1].go.set()
    assert [busy.hear(), busy.hear(), busy.hear()] == [b"waited", b"goodbye", b""]
    assert stage.connect().hear() == b"full"


def test_stopping_does_not_cut_off_last_words(stage: Stage, client: Client) -> None:
    client.say(b"quit")
    until(lambda: [c._is_output_over for c in stage.runtime.connections] == [True])
    on_reactor(stage.runtime.say_goodbye)
    assert [client.hear(), client.hear()] == [b"ok quit", b""]


def test_a_half_open_connection_is_asked_by_the_kernel(stage: Stage, client: Client) -> None:
    assert on_reactor(_option, stage, socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_an_answer_does_not_wait_for_the_one_before_it(stage: Stage, client: Client) -> None:
    """A kernel that gathers small answers (Nagle) holds the second until the peer has spoken."""
    assert on_reactor(_option, stage, socket.IPPROTO_TCP, socket.TCP_NODELAY)


def _option(stage: Stage, level: int, option: int) -> int:
    (one,) = stage.runtime.connections
    return int(one.transport.socket.getsockopt(level, option))


def test_the_way_back_makes_one_wake_up_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    from protocols.servers.threads import WayBack

    rung: list[object] = []

    class Reactor:
        def callFromThread(self, call: object) -> None:
            rung.append(call)

    way_back = WayBack(Reactor())
    heard: list[int] = []
    for number in range(5):
        way_back.post(heard.append, number)
    assert len(rung) == 1
    rung[0]()
    assert heard == [0, 1, 2, 3, 4]
    way_back.post(heard.append, 5)
    assert len(rung) == 2


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _tls(sock: socket.socket) -> ssl.SSLSocket:
    return _context().wrap_socket(sock)
