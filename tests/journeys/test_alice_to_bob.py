"""Alice writes to Bob at another host: queue, MX, retry, offline reading, and the bounce."""

import email
import email.policy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.journeys.conftest import MakeInstance
from tests.partners.daemon import wait_until
from tests.partners.dns import NameServer
from tests.partners.instance import PASSWORD, Instance
from tests.partners.presence import Loopback, need, program

ALICE, BOB = "alice@alicia.test", "bob@roberto.test"


class Hosts(NamedTuple):
    alices: Instance
    bobs: Instance


@pytest.fixture(scope="module")
def hosts(
    tmp_path_factory: pytest.TempPathFactory, make_instance: MakeInstance, loopback: Loopback
) -> Iterator[Hosts]:
    need("knotd", "swaks", "curl", "msmtp")
    here, there = loopback.address(), loopback.address()
    names = NameServer(
        tmp_path_factory.mktemp("dns"),
        loopback.address(),
        {
            "alicia.test": f"@ MX 10 mx\nmx A {here}",
            # The preferred exchanger does not answer: the second must be tried.
            "roberto.test": f"@ MX 5 dead\ndead A {loopback.address()}\n@ MX 10 mx\nmx A {there}",
            "nadie.test": "@ MX 0 .",
        },
    )
    settings = {"DNS_SERVERS": names.server, "RETRY_SCHEDULE": ",".join(["1s"] * 90)}
    alices = make_instance("alicia", here, HOSTNAME="mx.alicia.test", **settings)
    bobs = make_instance("roberto", there, HOSTNAME="mx.roberto.test", **settings)
    alices.add_mailbox(ALICE)
    alices.add_mailbox("carol@alicia.test")
    bobs.add_mailbox(BOB)
    yield Hosts(alices, bobs)
    names.stop()


def swaks(host: Instance, to: str, subject: str, *options: str) -> str:
    result = subprocess.run(
        [
            str(program("swaks")),
            *("--server", host.address, "--port", str(host.SUBMISSION), "--tls"),
            *("--auth", "PLAIN", "--auth-user", ALICE, "--auth-password", PASSWORD),
            *("--from", ALICE, "--to", to, "--header", f"Subject: {subject}"),
            *("--body", "Hola, ¿qué tal?", *options),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def has_subject(host: Instance, user: str, subject: str) -> bool:
    return any(f"Subject: {subject}".encode() in octets for octets in host.inbox(user))


def test_bob_reads_what_was_queued_while_his_server_was_down(hosts: Hosts) -> None:
    hosts.bobs.stop()
    said = swaks(hosts.alices, BOB, "while-you-were-away")
    assert "250 2.0.0 Ok: queued as" in said

    def was_tried() -> bool:
        rows = [row for row in hosts.alices.queue() if row["recipient"] == BOB]
        return bool(rows) and int(str(rows[0]["attempts"])) >= 2

    wait_until(was_tried, "a second try while Bob's server is down", 40)
    hosts.bobs.start()
    wait_until(lambda: has_subject(hosts.bobs, BOB, "while-you-were-away"), "the retry", 60)

    by_imap = subprocess.run(
        [
            "curl",
            "-sS",
            f"imap://{hosts.bobs.address}:{hosts.bobs.IMAP}/INBOX;MAILINDEX=1",
            "-u",
            f"{BOB}:{PASSWORD}",
        ],
        capture_output=True,
        check=True,
        timeout=30,
    ).stdout
    by_pop = subprocess.run(
        [
            "curl",
            "-sS",
            f"pop3://{hosts.bobs.address}:{hosts.bobs.POP3}/1",
            "-u",
            f"{BOB}:{PASSWORD}",
        ],
        capture_output=True,
        check=True,
        timeout=30,
    ).stdout
    assert by_imap == by_pop
    assert b"Subject: while-you-were-away" in by_imap
    assert by_imap.startswith(f"Return-Path: <{ALICE}>\r\n".encode())
    assert f"Delivered-To: {BOB}".encode() in by_imap
    assert by_imap.count(b"Received: from") == 2
    wait_until(lambda: not hosts.alices.queue(), "an empty queue")


def test_mail_inside_one_host_never_leaves_it(hosts: Hosts) -> None:
    swaks(hosts.alices, "carol@alicia.test", "next-door")
    assert has_subject(hosts.alices, "carol@alicia.test", "next-door")
    assert hosts.alices.queue() == []


def test_msmtp_over_implicit_tls(hosts: Hosts, tmp_path: Path) -> None:
    config = tmp_path / "msmtprc"
    config.write_text(
        f"account default\nhost {hosts.alices.address}\nport {hosts.alices.SUBMISSIONS}\n"
        f"tls on\ntls_starttls off\ntls_certcheck off\nauth plain\nuser {ALICE}\n"
        f"password {PASSWORD}\nfrom {ALICE}\n"
    )
    config.chmod(0o600)
    subprocess.run(
        ["msmtp", "-C", str(config), BOB],
        input=f"From: {ALICE}\nTo: {BOB}\nSubject: by-msmtp\n\nHello\n.dot\n".encode(),
        check=True,
        timeout=30,
    )
    wait_until(lambda: has_subject(hosts.bobs, BOB, "by-msmtp"), "msmtp's message", 30)
    message = next(m for m in hosts.bobs.inbox(BOB) if b"Subject: by-msmtp" in m)
    assert message.endswith(b"\r\n\r\nHello\r\n.dot\r\n")
    assert b"\r\nMessage-ID:" in message
    assert b"\r\nDate:" in message


@pytest.mark.parametrize(
    ("to", "status"),
    [("nobody@roberto.test", "5.1.1"), ("bob@nadie.test", "5.1.10"), ("x@gone.invalid", "")],
)
def test_the_bounce_reaches_alice(hosts: Hosts, to: str, status: str) -> None:
    swaks(hosts.alices, to, f"to-{to}")

    def bounce() -> bytes | None:
        return next((m for m in hosts.alices.inbox(ALICE) if f"rfc822; {to}".encode() in m), None)

    if to.endswith(".invalid"):
        # The name server refuses to speak about it: no answer is no proof, so it is tried again.
        wait_until(
            lambda: any(r["recipient"] == to and r["attempts"] for r in hosts.alices.queue()),
            "a deferred recipient",
            30,
        )
        shown = json.loads(hosts.alices.manage("queue", "list", "--json").stdout)
        row = next(row for row in shown if row["recipient"] == to)
        hosts.alices.manage("queue", "cancel", str(row["queue_id"]))
        return
    wait_until(lambda: bounce() is not None, f"the bounce for {to}", 60)
    octets = bounce()
    assert octets
    assert octets.startswith(b"Return-Path: <>\r\n")
    report = email.message_from_bytes(octets, policy=email.policy.default)
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    parts = [part.get_content_type() for part in report.iter_parts()]
    assert parts[:2] == ["text/plain", "message/delivery-status"]
    assert f"Status: {status}".encode() in octets
    assert b"Action: failed" in octets
