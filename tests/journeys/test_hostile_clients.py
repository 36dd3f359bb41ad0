"""Whatever a peer sends, or does not send or read: a standard refusal, a bounded cost, an end.

One running platform takes it all; its memory is watched, and its log is read at the end.
"""

import contextlib
import itertools
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from accounts.throttle import FREE
from tests.journeys.conftest import MakeInstance
from tests.journeys.wire import Line
from tests.partners.daemon import wait_until
from tests.partners.instance import PASSWORD, Instance
from tests.partners.presence import Loopback

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc")

ALICE, BOB = "alice@fort.test", "bob@fort.test"
MIB = 1 << 20
STALL = 2.0
# What one attack may cost while it lasts: buffers of a connection, a spool, a few slices.
ALLOWANCE = 48 * MIB
BEGIN_TLS = re.compile(rb"(?m)^(220 2|a OK|\+OK Begin)[^\r]*\r\n")
CLEAR_PORTS = (Instance.SMTP, Instance.SUBMISSION, Instance.IMAP, Instance.POP3)
TLS_PORTS = (Instance.SUBMISSIONS, Instance.IMAPS, Instance.POP3S, 8443)


@pytest.fixture(scope="module")
def us(make_instance: MakeInstance) -> Instance:
    us = make_instance(
        "fort",
        MAX_MESSAGE_SIZE="8M",
        STALL_TIMEOUT=f"{STALL:g}s",
        LOG_LEVEL="DEBUG",
        ALLOW_PLAINTEXT_LOOPBACK="1",
    )
    us.add_mailbox(ALICE)
    us.add_mailbox(BOB)
    us.imap(ALICE).logout()
    return us


@pytest.fixture(autouse=True)
def _bounded(us: Instance) -> Iterator[None]:
    """No attack makes the server larger than its allowance, while it lasts or after it."""
    before = resident(us)
    peak = before
    is_over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not is_over.wait(0.02):
            peak = max(peak, resident(us))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    yield
    is_over.set()
    watcher.join()
    assert peak - before < ALLOWANCE, f"{(peak - before) / MIB:.1f} MiB more"
    assert us.is_ready()


def resident(us: Instance) -> int:
    """Octets of memory the server processes hold together."""
    total = 0
    for pid in us.servers():
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        assert found
        total += int(found[1]) * 1024
    return total


@pytest.fixture
def connect(us: Instance) -> Iterator[Callable[..., socket.socket]]:
    """`connect(port)` opens a socket that the end of the test closes."""
    with contextlib.ExitStack() as stack:

        def open_one(port: int) -> socket.socket:
            sock = stack.enter_context(socket.socket())
            # What the kernel takes for a client that does not read is not our matter.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            sock.settimeout(30)
            sock.connect((us.address, port))
            return sock

        yield open_one


def rest(sock: socket.socket) -> bytes:
    """All that comes up to the end, whatever end it is."""
    heard = []
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(MIB):
            heard.append(data)
    return b"".join(heard)


def is_closed(sock: socket.socket) -> bool:
    """Whether the peer has hung up, with what it had said read and dropped."""
    sock.settimeout(0.01)
    try:
        while sock.recv(MIB):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def pour(sock: socket.socket, octets: bytes, times: int) -> bool:
    """Send without reading; False when the peer hung up or took no more for a while."""
    sock.settimeout(1)
    try:
        for _ in range(times):
            sock.sendall(octets)
    except OSError:
        return False
    return True


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def everything_works(us: Instance) -> None:
    for port, word in zip(CLEAR_PORTS, ("220", "220", "* OK", "+OK"), strict=True):
        line = Line(us.address, port)
        assert line.read().startswith(word)
        line.close()


def greeted(us: Instance, port: int = Instance.SMTP) -> Line:
    line = Line(us.address, port)
    line.read()
    assert line.say("EHLO fort.test").startswith("250")
    return line


# Connections.


def test_two_hundred_silent_connections(
    us: Instance, connect: Callable[..., socket.socket]
) -> None:
    silent = [connect(port) for port in CLEAR_PORTS + TLS_PORTS for _ in range(25)]
    everything_works(us)
    for sock in silent[::3]:
        reset(sock)
    everything_works(us)


def test_an_idle_imap_connection_costs_little_memory(
    us: Instance, connect: Callable[..., socket.socket]
) -> None:
    def idle() -> None:
        sock = connect(us.IMAP)
        file = sock.makefile("rb")
        sock.sendall(b'l LOGIN %b "%b"\r\ns SELECT INBOX\r\n' % (BOB.encode(), PASSWORD.encode()))
        sock.sendall(b"i IDLE\r\n")
        while not file.readline().startswith(b"+ "):
            pass
        file.close()

    for _ in range(20):
        idle()
    before = resident(us)
    for _ in range(300):
        idle()
    assert (resident(us) - before) / 300 < 20 * 1024


@pytest.mark.parametrize("port", CLEAR_PORTS)
@pytest.mark.parametrize(
    "flood",
    [b"NOOP\r\n", b"a NOOP\r\n", b"\r\n", b"\n", b"\0\xff\xfe" * 10 + b"\r\n", b"x" * 100],
    ids=["smtp", "imap", "empty", "bare", "binary", "endless"],
)
def test_a_flood_without_reading_is_bounded_and_closed(
    us: Instance, connect: Callable[..., socket.socket], port: int, flood: bytes
) -> None:
    sock = connect(port)
    pour(sock, flood * (65536 // len(flood)), 64)
    everything_works(us)
    if flood != b"x" * 100:
        wait_until(lambda: is_closed(sock) or flood == b"a NOOP\r\n", "the end of a flood", 20)


def test_garbage_in_place_of_tls(us: Instance, connect: Callable[..., socket.socket]) -> None:
    garbage = [
        b"\0" * 300,
        b"\xff" * 70_000,
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\xff\xff" * 99,
    ]
    for port in TLS_PORTS:
        for octets in garbage:
            sock = connect(port)
            pour(sock, octets, 1)
            wait_until(lambda sock=sock: is_closed(sock), f"a refusal on {port}", 45)
    for port, words in (
        (Instance.SMTP, b"EHLO x\r\nSTARTTLS\r\n"),
        (Instance.SUBMISSION, b"EHLO x\r\nSTARTTLS\r\n"),
        (Instance.IMAP, b"a STARTTLS\r\n"),
        (Instance.POP3, b"STLS\r\n"),
    ):
        for octets in garbage[1:]:
            sock = connect(port)
            sock.sendall(words)
            heard = b""
            while not BEGIN_TLS.search(heard):
                heard += sock.recv(1000)
            pour(sock, octets, 1)
            wait_until(lambda sock=sock: is_closed(sock), f"a refusal on {port}", 45)
    everything_works(us)


@pytest.mark.parametrize(
    ("port", "words", "injected"),
    [
        (Instance.SMTP, b"EHLO x\r\nSTARTTLS\r\n", b"NOOP\r\n"),
        (Instance.SUBMISSION, b"EHLO x\r\nSTARTTLS\r\n", b"NOOP\r\n"),
        (Instance.IMAP, b"a STARTTLS\r\n", b"b NOOP\r\n"),
        (Instance.POP3, b"STLS\r\n", b"CAPA\r\n"),
    ],
)
def test_nothing_injected_before_tls_is_obeyed(
    connect: Callable[..., socket.socket], port: int, words: bytes, injected: bytes
) -> None:
    sock = connect(port)
    sock.recv(1000)
    sock.sendall(words + injected * 3)
    clear = b""
    while not BEGIN_TLS.search(clear):
        clear += sock.recv(1000)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(sock) as secured:
        secured.sendall(b"QUIT\r\n" if port != Instance.IMAP else b"z LOGOUT\r\n")
        heard = rest(secured)
    assert heard.count(b"\r\n") == (2 if port == Instance.IMAP else 1), heard


# Mail.


def test_a_message_without_end_is_cut_off(
    us: Instance, connect: Callable[..., socket.socket]
) -> None:
    sock = connect(Instance.SMTP)
    sock.sendall(b"EHLO x\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<%b>\r\nDATA\r\n" % ALICE.encode())
    # It is told at once, and what it sends all the same is dropped for a while.
    assert not pour(sock, b"x" * 65534 + b"\r\n", 1_000_000)
    wait_until(lambda: is_closed(sock), "the end", 20)
    everything_works(us)


def test_a_message_reset_half_way_leaves_nothing(
    us: Instance, connect: Callable[..., socket.socket]
) -> None:
    sock = connect(Instance.SMTP)
    sock.sendall(b"EHLO x\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<%b>\r\nDATA\r\n" % ALICE.encode())
    assert pour(sock, b"x" * 65534 + b"\r\n", 100)
    spools = (us.home / "blobs").rglob
    wait_until(lambda: any(spools("*.spool")), "a spool")
    reset(sock)
    wait_until(lambda: not any(spools("*.spool")), "an empty blob directory")
    assert us.inbox(ALICE) == []


SMUGGLED = (
    b"From: x@x.test\r\nSubject: outer\r\n\r\nouter%b"
    b"MAIL FROM:<b@x.test>\r\nRCPT TO:<%b>\r\nDATA\r\n"
    b"Subject: inner\r\n\r\ninner"
)


@pytest.mark.parametrize("port", [Instance.SMTP, Instance.SUBMISSION])
@pytest.mark.parametrize(
    "end",
    [
        b"\n.\n",
        b"\n.\r\n",
        b"\r.\r\n",
        b"\r\n.\n",
        b"\r\n.\r",
        b"\r.\r",
        b"\0\r\n.\n",
        b"\r\n\0.\r\n",
    ],
    ids=repr,
)
def test_no_odd_line_end_splits_a_message(us: Instance, port: int, end: bytes) -> None:
    line = greeted(us, port)
    if port == Instance.SUBMISSION:
        assert log_in_smtp(line, ALICE, PASSWORD).startswith("235")
    sender = ALICE if port == Instance.SUBMISSION else "a@x.test"
    assert line.say(f"MAIL FROM:<{sender}>").startswith("250")
    assert line.say(f"RCPT TO:<{BOB}>").startswith("250")
    assert line.say("DATA").startswith("354")
    line.send(SMUGGLED % (end, BOB.encode()) + b"\r\n.\r\nNOOP\r\n")
    before = len(us.inbox(BOB))
    answer = line.read()
    assert re.match(r"250 2\.0\.0|5\d\d 5\.\d\.\d", answer), answer
    # One message was answered, and the next word is the answer to NOOP.
    assert line.read().startswith("250 2.0.0")
    line.close()
    inbox = us.inbox(BOB)
    assert len(inbox) - before <= 1
    assert not any(re.search(rb"(?m)^Subject: inner", m.partition(b"\r\n\r\n")[0]) for m in inbox)


def log_in_smtp(line: Line, name: str, password: str) -> str:
    from base64 import b64encode

    plain = b64encode(f"\0{name}\0{password}".encode()).decode()
    return line.say(f"AUTH PLAIN {plain}")


def test_more_recipients_than_the_limit(us: Instance) -> None:
    line = greeted(us)
    line.say("MAIL FROM:<a@x.test>")
    line.send(b"RCPT TO:<%b>\r\n" % ALICE.encode() * 1005)
    answers = [line.read() for _ in range(1005)]
    assert answers[999].startswith("250")
    assert all(answer.startswith("452 4.5.3") for answer in answers[1000:])
    line.close()


def test_a_huge_header_is_taken_and_shown(us: Instance) -> None:
    line = greeted(us)
    line.say("MAIL FROM:<a@x.test>")
    line.say(f"RCPT TO:<{ALICE}>")
    line.say("DATA")
    names = b",\r\n ".join(b"name%d <n%d@x.test>" % (n, n) for n in range(30_000))
    commas = b"Cc: " + b"," * 300_000 + b"\r\n"
    line.send(b"From: a@x.test\r\nTo: " + names + b"\r\n" + commas + b"Subject: huge\r\n\r\n.\r\n")
    assert line.read().startswith("250")
    client = us.imap(ALICE)
    client.select("INBOX", readonly=True)
    status, data = client.fetch("1", "(ENVELOPE BODYSTRUCTURE RFC822.SIZE)")
    assert status == "OK"
    assert data[0]
    client.logout()


# IMAP.


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"a LOGIN x {4294967295}\r\n", rb"a BAD \[TOOBIG\]"),
        (b"a SEARCH SUBJECT {4294967295}\r\n", rb"a BAD \[TOOBIG\]"),
        (b"a SEARCH " + b"(" * 100_000 + b"\r\n", rb"a BAD \[TOOBIG\]"),
        (b"a SEARCH " + b"(" * 30_000 + b"\r\n", rb"a NO \[LIMIT\]"),
        (b"a SEARCH" + b" NOT" * 10_000 + b" ALL\r\n", rb"a NO \[LIMIT\]"),
        (b"a SEARCH" + b" SEEN" * 10_000 + b"\r\n", rb"a (OK|NO \[LIMIT\])"),
        (b"a SEARCH" + b" OR ALL" * 5_000 + b" ALL\r\n", rb"a NO \[LIMIT\]"),
        (b"a FETCH 1 " + b"(" * 30_000 + b"\r\n", rb"a BAD"),
        (b"a UID FETCH " + b"1," * 30_000 + b"1 FLAGS\r\n", rb"a OK"),
        (b"a UID FETCH " + b"1:*," * 12_000 + b"* (UID)\r\n", rb"a OK"),
        (b'a LIST "" ' + b"*%" * 20_000 + b"\r\n", rb"a OK"),
        (
            b"a STORE 1 FLAGS (" + b" ".join(b"$k%d" % n for n in range(6_000)) + b")\r\n",
            rb"a (NO|BAD)",
        ),
        (b"a CREATE " + b"a/" * 30_000 + b"b\r\n", rb"a NO"),
        (b"a ID (" + b'"k" "v" ' * 6_000 + b'"k" "v")\r\n', rb"a (OK|BAD)"),
        (b"a APPEND INBOX {4294967295}\r\n", rb"a NO \[(TOOBIG|LIMIT|OVERQUOTA)\]"),
    ],
    ids=lambda value: value[:24].decode().strip() if isinstance(value, bytes) else None,
)
def test_imap_commands_beyond_all_measure(us: Instance, command: bytes, answer: bytes) -> None:
    line = Line(us.address, Instance.IMAP)
    line.read()
    assert line.say(f"l LOGIN {BOB} {PASSWORD!r}".replace("'", '"')).startswith("l OK")
    line.send(b"s SELECT INBOX\r\n")
    line.read_until("s OK")
    line.send(command)
    last = line.read_until("a ")[-1]
    assert re.match(answer, last.encode()), last[:200]
    assert line.say("b NOOP").startswith("b OK")
    line.close()


def test_a_literal_that_nobody_wants_is_dropped_as_it_comes(us: Instance) -> None:
    line = Line(us.address, Instance.IMAP)
    line.read()
    line.send(b"a LOGIN {%d+}\r\n" % (60 * MIB))
    for _ in range(60):
        line.send(bytes(MIB))
    line.send(b" x\r\n")
    assert line.read().startswith("a BAD [TOOBIG]")
    assert line.say("b NOOP").startswith("b OK")
    line.close()


@pytest.fixture(scope="module")
def large_inbox(us: Instance) -> None:
    client = us.imap(BOB)
    client.create("Large")
    for number in range(24):
        octets = b"Subject: %d\r\n\r\n" % number + b"0123456789abcdef" * 62 * 1024
        assert client.append("Large", None, None, octets)[0] == "OK"
    client.logout()


@pytest.mark.usefixtures("large_inbox")
@pytest.mark.parametrize(
    "items",
    [
        b"BODY.PEEK[]",
        b"(" + b" ".join(b"BODY.PEEK[]<%d.1000000>" % n for n in range(400)) + b")",
        b"("
        + b" ".join(b"BODY.PEEK[HEADER.FIELDS (SUBJECT)]<%d.9>" % n for n in range(400))
        + b")",
    ],
    ids=["all", "four hundred times", "headers"],
)
def test_a_client_that_asks_for_much_and_reads_nothing_is_dropped(
    us: Instance, connect: Callable[..., socket.socket], items: bytes
) -> None:
    sock = connect(Instance.IMAP)
    sock.sendall(b'l LOGIN %b "%b"\r\ns SELECT Large\r\n' % (BOB.encode(), PASSWORD.encode()))
    sock.sendall(b"a FETCH 1:* %b\r\n" % items * 50)
    before = us.log.count("peer_does_not_read")
    wait_until(lambda: us.log.count("peer_does_not_read") > before, "the end", STALL + 30)
    everything_works(us)


# Logins.


def test_guessers_wait_and_the_owner_does_not(us: Instance, loopback: Loopback) -> None:
    guesser, home = loopback.address(), loopback.address()
    for number in range(FREE):
        assert "[AUTHENTICATIONFAILED]" in guess(us, guesser, f"guess {number}")
    # The first waits are as short as the answers are slow.
    more = itertools.count(FREE)
    wait_until(lambda: "[UNAVAILABLE]" in guess(us, guesser, f"guess {next(more)}"), "a wait")
    # Each of the two server processes counts for itself.
    assert next(more) < 2 * (FREE + 5)
    assert guess(us, home, PASSWORD).startswith("l OK")


def guess(us: Instance, source: str, password: str) -> str:
    """The answer to one LOGIN of Alice's from `source`."""
    with socket.create_connection((us.address, us.IMAP), 30, (source, 0)) as sock:
        file = sock.makefile("rb")
        file.readline()
        sock.sendall(f'l LOGIN {ALICE} "{password}"\r\n'.encode())
        return file.readline().decode()


# Octets that belong nowhere.

VERBS = {
    Instance.SMTP: "EHLO HELO MAIL RCPT DATA RSET NOOP VRFY EXPN HELP QUIT STARTTLS AUTH",
    Instance.SUBMISSION: "EHLO HELO MAIL RCPT DATA RSET NOOP VRFY EXPN HELP QUIT STARTTLS AUTH",
    Instance.POP3: "USER PASS APOP AUTH STLS CAPA STAT LIST RETR DELE NOOP RSET TOP UIDL QUIT",
    Instance.IMAP: "NOOP LOGIN AUTHENTICATE STARTTLS SELECT FETCH UID STORE SEARCH APPEND COPY",
}
REFUSALS = {
    Instance.SMTP: rb"5\d\d[ -]5\.\d\.\d|421 ",
    Instance.SUBMISSION: rb"5\d\d[ -]5\.\d\.\d|421 ",
    Instance.POP3: rb"-ERR",
    Instance.IMAP: rb"(a|\*) (BAD|NO)",
}


@pytest.mark.parametrize("port", CLEAR_PORTS)
@pytest.mark.parametrize("octet", [b"\0", b"\xff", b"\x1b", b"\r"], ids=["nul", "ff", "esc", "cr"])
def test_odd_octets_in_every_command(
    us: Instance, connect: Callable[..., socket.socket], port: int, octet: bytes
) -> None:
    tag = b"a " if port == Instance.IMAP else b""
    for verb in VERBS[port].encode().split():
        for text in (
            octet + verb,
            verb + octet,
            verb + b" " + octet,
            verb + b" x " + octet + b" y",
        ):
            sock = connect(port)
            file = sock.makefile("rb")
            file.readline()
            sock.sendall(tag + text + b"\r\n")
            answer = file.readline()
            assert re.match(REFUSALS[port], answer) or is_harmless(answer), (text, answer)
            sock.close()
    everything_works(us)


def is_harmless(answer: bytes) -> bool:
    """POP3 takes any name until the password comes, and all three forgive what ends a line."""
    return answer.startswith((b"+OK", b"+ ", b"a OK", b"* "))


# The web.


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /admin/login/ HTTP/1.1\r\nHost: %h\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"POST /admin/login/ HTTP/1.1\r\nHost: %h\r\nContent-Length: -5\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a b\\<script>\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: evil.test:99999999999\r\n\r\n", b"400"),
        (b"GET /static/../../../../etc/passwd HTTP/1.1\r\nHost: %h\r\n\r\n", b"404"),
        (b"GET /static/%2e%2e/%2e%2e/settings.py HTTP/1.1\r\nHost: %h\r\n\r\n", b"404"),
        (b"GET /static//etc/passwd HTTP/1.1\r\nHost: %h\r\n\r\n", b"404"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: %h\r\n\r\n", b"4"),
        (b"GET / HTTP/1.1\r\nHost: %h\r\n" + b"X: y\r\n" * 2000 + b"\r\n", b"4"),
        (b"\0\0\0\r\n\r\n", b"400"),
        (b"GET /%00%0d%0aSet-Cookie:x HTTP/1.1\r\nHost: %h\r\n\r\n", b"404"),
    ],
    ids=range(11),
)
def test_http_that_is_none(
    us: Instance, connect: Callable[..., socket.socket], request_: bytes, status: bytes
) -> None:
    sock = connect(us.WEB)
    sock.sendall(request_.replace(b"%h", us.address.encode()))
    sock.settimeout(20)
    heard = sock.recv(65536)
    assert re.match(rb"HTTP/1\.[01] " + status, heard) or (status == b"4" and not heard), heard[
        :200
    ]
    assert b"Traceback" not in heard
    assert b"root:" not in heard
    assert b"Set-Cookie:x" not in heard


def test_a_body_without_end_is_cut_off(us: Instance, connect: Callable[..., socket.socket]) -> None:
    sock = connect(us.WEB)
    sock.sendall(
        b"POST /admin/login/ HTTP/1.1\r\nHost: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
        % us.address.encode()
    )
    assert not pour(sock, b"10000\r\n" + b"x" * 0x10000 + b"\r\n", 2000)
    wait_until(lambda: is_closed(sock), "the end", 20)


# The log.


def test_the_log_cannot_be_forged_and_tells_no_secret(us: Instance) -> None:
    line = greeted(us)
    line.say('HELO x\r{"event":"forged"}')
    line.close()
    imap = Line(us.address, us.IMAP)
    imap.read()
    forged = b'x\r\n{"event": "forged", "level": "info"}\x1b[2J\xe2\x80\xa8'
    imap.send(b"a LOGIN {%d+}\r\n%b {%d+}\r\nhunter2-wrong\r\n" % (len(forged), forged, 13))
    assert imap.read().startswith("a NO")
    imap.close()
    with socket.create_connection((us.address, us.WEB), 30) as sock:
        sock.sendall(b'GET /%0a{"event":"forged"}%1b[2J HTTP/1.0\r\nHost: x\r\n\r\n')
        rest(sock)
    # Other line ends, such as U+2028, would end a line in some viewers.
    for line_ in us.log.removesuffix("\n").split("\n"):
        assert not re.match(r'(?:\w+ │ )?\{"event": ?"forged"', line_), line_
        assert line_.isprintable(), repr(line_)
    for secret in (PASSWORD, "hunter2-wrong", "guess 1", "0123456789abcdef" * 2):
        assert secret not in us.log
    assert "Traceback" not in us.log
