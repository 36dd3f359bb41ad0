"""Strangers of other makes: a Postfix on both ends, a Dovecot mirrored by mbsync or moved to."""

import email
import email.policy
import imaplib
import re
import smtplib
import subprocess
from pathlib import Path

from tests.journeys.conftest import MakeInstance
from tests.partners.daemon import wait_until
from tests.partners.dns import NameServer
from tests.partners.dovecot import Dovecot
from tests.partners.instance import PASSWORD, Instance
from tests.partners.postfix import Postfix
from tests.partners.presence import Loopback, need

ALICE, STRANGER = "alice@casa.test", "bob@strangers.test"

OCTETS_8BIT = (
    "Subject: =?utf-8?Q?Ma=C3=B1ana?=\r\nFrom: Alice <alice@casa.test>\r\n"
    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\nMañana será otro día.\r\n"
).encode()


def test_postfix_sends_to_us_and_we_send_to_postfix(
    make_instance: MakeInstance, loopback: Loopback, tmp_path: Path
) -> None:
    need("knotd", "postfix", root=True)
    here, there = loopback.address(), loopback.address()
    names = NameServer(
        tmp_path / "dns",
        loopback.address(),
        {
            "casa.test": f"@ MX 10 mx\nmx A {here}",
            "strangers.test": f"@ MX 10 mx\nmx A {there}\n",
        },
    )
    us = make_instance("casa", here, HOSTNAME="mx.casa.test", DNS_SERVERS=names.server)
    us.add_mailbox(ALICE)
    postfix = Postfix(
        there,
        ["strangers.test"],
        {"casa.test": f"[{here}]:{us.SMTP}"},
        # A server of the old days: our 8-bit mail must reach it as 7-bit MIME.
        {"smtpd_discard_ehlo_keywords": "8bitmime, smtputf8, dsn"},
    )
    try:
        with smtplib.SMTP(there, 2525, timeout=30) as client:
            client.sendmail(
                STRANGER,
                [ALICE],
                b"Subject: from Postfix\r\nFrom: bob@strangers.test\r\n\r\nHello\r\n.\r\nend\r\n",
            )
        wait_until(lambda: bool(us.inbox(ALICE)), f"mail from Postfix: {postfix.log}", 30)
        (received,) = us.inbox(ALICE)
        assert received.startswith(b"Return-Path: <bob@strangers.test>\r\n")
        assert b"by mx.casa.test" in received
        assert b"(Postfix)" in received
        assert received.endswith(b"\r\n\r\nHello\r\n.\r\nend\r\n")

        with smtplib.SMTP(here, us.SUBMISSION, timeout=30) as client:
            client.starttls()
            client.login(ALICE, PASSWORD)
            client.sendmail(ALICE, [STRANGER], OCTETS_8BIT, ["BODY=8BITMIME"])
        wait_until(
            lambda: bool(postfix.messages("strangers.test")),
            f"mail at Postfix: {us.log[-3000:]}",
            30,
        )
        (sent,) = postfix.messages("strangers.test")
        assert sent.isascii()
        header = sent.partition(b"\n\n")[0]
        assert re.search(rb"(?i)content-transfer-encoding: (quoted-printable|base64)", header)
        assert b"by mx.casa.test" in header
        content = email.message_from_bytes(sent, policy=email.policy.default).get_content()
        assert content.replace("\r\n", "\n") == "Mañana será otro día.\n"
        wait_until(lambda: us.queue() == [], "an empty queue")
    finally:
        postfix.stop()
        names.stop()


MAIL = [
    b"Subject: one\r\nFrom: a@x.test\r\nMessage-ID: <1@x.test>\r\n\r\nfirst\r\n",
    b"Subject: two\r\nFrom: b@x.test\r\nMessage-ID: <2@x.test>\r\n\r\nsecond\r\n",
    b"Subject: three\r\nFrom: c@x.test\r\nMessage-ID: <3@x.test>\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nthird\r\n--b--\r\n",
]
FLAGS = [r"(\Seen \Flagged)", r"(\Answered)", r"()"]


def contents(client: imaplib.IMAP4) -> dict[str, list[tuple[frozenset[str], bytes]]]:
    """Folder name → its messages as (flags without \\Recent, octets), sorted."""
    found = {}
    for line in client.list()[1]:
        match = re.fullmatch(rb'\(([^)]*)\) "/" "?([^"]+)"?', line)
        assert match, line
        if b"Noselect" in match[1]:
            continue
        name = match[2].decode()
        client.select(f'"{name}"', readonly=True)
        messages = []
        for number in client.search(None, "ALL")[1][0].split():
            data = client.fetch(number, "(FLAGS BODY.PEEK[])")[1]
            flags = imaplib.ParseFlags(data[0][0]) + imaplib.ParseFlags(data[1] or b"")
            octets = re.sub(rb"X-TUID: \S+\r\n", b"", data[0][1])  # mbsync's own mark
            messages.append((frozenset(f.decode() for f in flags if f != rb"\Recent"), octets))
        if messages:
            found[name] = sorted(messages, key=lambda pair: pair[1])
    return found


def mbsync(directory: Path, us: Instance, dovecot: Dovecot, user: str) -> None:
    config = directory / "mbsyncrc"
    stores = "".join(
        f'IMAPAccount {name}\nHost {address}\nPort 2143\nUser {user}\nPass "{PASSWORD}"\n'
        f"SSLType None\n\nIMAPStore {name}\nAccount {name}\n\n"
        for name, address in (("ours", us.address), ("theirs", dovecot.address))
    )
    config.write_text(
        f"{stores}Channel both\nFar :theirs:\nNear :ours:\nPatterns *\nCreate Both\n"
        f"Expunge Both\nSync All\nSyncState {directory}/state/\n"
    )
    (directory / "state").mkdir(exist_ok=True)
    result = subprocess.run(
        ["mbsync", "-c", str(config), "-a"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_mbsync_makes_ours_and_dovecots_mailbox_equal_both_ways(
    make_instance: MakeInstance, loopback: Loopback, tmp_path: Path
) -> None:
    need("dovecot", "mbsync", root=True)
    user = "ana@espejo.test"
    us = make_instance("espejo")
    us.add_mailbox(user)
    dovecot = Dovecot(tmp_path / "dovecot", loopback.address(), {user: PASSWORD})
    try:
        theirs, ours = imaplib.IMAP4(dovecot.address, 2143), us.imap(user)
        theirs.login(user, PASSWORD)

        def put(client: imaplib.IMAP4, folder: str, mail: list[bytes]) -> None:
            client.create(folder)
            for octets, flags in zip(mail, FLAGS, strict=False):
                assert client.append(folder, flags, None, octets)[0] == "OK"

        put(theirs, "INBOX", MAIL)
        put(theirs, "Viejo/2025", MAIL[:2])
        put(ours, "Nuevo", MAIL[1:])
        mbsync(tmp_path, us, dovecot, user)
        assert contents(ours) == contents(theirs)
        assert set(contents(ours)) == {"INBOX", "Viejo/2025", "Nuevo"}

        # Now each side changes something, and both must agree again.
        ours.select("INBOX")
        ours.store("1", "+FLAGS", r"(\Deleted)")
        ours.expunge()
        ours.store("1", "+FLAGS", r"(\Flagged)")
        theirs.select("Nuevo")
        theirs.store("1", "-FLAGS", r"(\Seen \Flagged)")
        theirs.append("Nuevo", r"(\Draft)", None, MAIL[0])
        for client in (ours, theirs):
            client.unselect()
        mbsync(tmp_path, us, dovecot, user)
        assert contents(ours) == contents(theirs)
        assert len(contents(ours)["INBOX"]) == 2
        assert len(contents(ours)["Nuevo"]) == 3
        ours.logout()
        theirs.logout()
    finally:
        dovecot.stop()


def as_it_stands(client: imaplib.IMAP4) -> dict[str, list[object]]:
    """Folder → UIDVALIDITY and its messages: UID, flags, date of arrival and octets."""
    found: dict[str, list[object]] = {}
    for name in contents(client):
        client.select(f'"{name}"', readonly=True)
        found[name] = list(client.response("UIDVALIDITY")[1])
        data = client.fetch("1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")[1]
        for said, octets in (part for part in data if isinstance(part, tuple)):
            uid = re.search(rb"UID (\d+)", said)
            assert uid
            flags = {*imaplib.ParseFlags(said)} - {rb"\Recent"}
            found[name].append((uid[1], flags, imaplib.Internaldate2tuple(said), octets))
    client.unselect()
    return found


def test_dovecot_takes_a_mailbox_over_from_us_as_it_stands(
    make_instance: MakeInstance, loopback: Loopback, tmp_path: Path
) -> None:
    need("dovecot", root=True)
    user = "ana@mudanza.test"
    us = make_instance("mudanza")
    us.add_mailbox(user)
    dovecot = Dovecot(tmp_path / "dovecot", loopback.address(), {user: PASSWORD})

    def take_over() -> None:
        options = {
            "imapc_host": us.address,
            "imapc_port": "2143",
            "imapc_password": PASSWORD,
            "imapc_features": "rfc822.size fetch-headers acl modseq",
        }
        result = subprocess.run(
            [
                *("doveadm", "-c", str(tmp_path / "dovecot/dovecot.conf")),
                *(word for name, value in options.items() for word in ("-o", f"{name}={value}")),
                *("backup", "-R", "-u", user, "imapc:"),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert result.returncode == 0, result.stdout + result.stderr

    try:
        ours = us.imap(user)
        for folder in ("INBOX", "Obra/B&APw-ro", "Dos (2)"):
            ours.create(f'"{folder}"')
            for octets, flags in zip(MAIL, FLAGS, strict=True):
                date = '"03-Feb-2025 11:22:33 -0530"'
                assert ours.append(f'"{folder}"', flags, date, octets)[0] == "OK"
        ours.select("INBOX")
        ours.store("1", "+FLAGS", r"(\Deleted)")
        ours.expunge()
        ours.store("1:2", "+FLAGS", "($Forwarded work)")
        ours.unselect()
        take_over()
        theirs = imaplib.IMAP4(dovecot.address, 2143)
        theirs.login(user, PASSWORD)
        assert as_it_stands(theirs) == as_it_stands(ours)
        assert set(as_it_stands(theirs)) == {"INBOX", "Obra/B&APw-ro", "Dos (2)"}

        # What has changed meanwhile is taken over by a second run.
        ours.select("INBOX")
        ours.store("1", "+FLAGS", r"(\Answered later)")
        ours.append("INBOX", r"(\Draft)", None, MAIL[0])
        ours.unselect()
        ours.rename('"Dos (2)"', "Tres")
        take_over()
        assert as_it_stands(theirs) == as_it_stands(ours)
        ours.logout()
        theirs.logout()
    finally:
        dovecot.stop()
