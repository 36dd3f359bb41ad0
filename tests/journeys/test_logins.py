"""Real mail programs log in with app passwords and tokens, by every mechanism they know."""

import hashlib
import imaplib
import json
import poplib
import smtplib
import ssl
import subprocess
from pathlib import Path

import pytest
import scramp

from tests.journeys.conftest import MakeInstance
from tests.partners.instance import PASSWORD, Instance
from tests.partners.presence import need

ALICE = "alice@a.test"


@pytest.fixture(scope="module")
def host(make_instance: MakeInstance) -> Instance:
    instance = make_instance("logins", OFFER_SCRAM="1")
    instance.add_mailbox(ALICE)
    return instance


@pytest.fixture(scope="module")
def app_password(host: Instance) -> str:
    options = ("add", "--label", "programs", "--json")
    return json.loads(host.manage("mailbox", "app-password", ALICE, *options).stdout)[0]["password"]


@pytest.fixture(scope="module")
def token(host: Instance) -> str:
    options = ("add", "--label", "programs", "--expires-in", "1h", "--json")
    return json.loads(host.manage("mailbox", "token", ALICE, *options).stdout)[0]["token"]


def run(*words: str, text: str = "", timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, input=text, capture_output=True, text=True, check=False, timeout=timeout
    )


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


# Submission.


def send_by_msmtp(
    host: Instance, home: Path, method: str, secret: str
) -> subprocess.CompletedProcess[str]:
    need("msmtp")
    config = home / "msmtprc"
    config.write_text(
        f"account default\nhost {host.address}\nport {host.SUBMISSIONS}\nfrom {ALICE}\n"
        f"tls on\ntls_starttls off\ntls_certcheck off\nauth {method}\n"
        f"user {ALICE}\npassword {secret}\n"
    )
    config.chmod(0o600)
    text = f"From: {ALICE}\nTo: {ALICE}\nSubject: by {method}\n\nHello\n"
    return run("msmtp", "-C", str(config), ALICE, text=text)


@pytest.mark.parametrize("method", ["scram-sha-256", "plain", "login"])
def test_msmtp_with_an_app_password(
    host: Instance, tmp_path: Path, app_password: str, method: str
) -> None:
    sent = send_by_msmtp(host, tmp_path, method, app_password)
    assert sent.returncode == 0, sent.stderr
    assert send_by_msmtp(host, tmp_path, method, "abcd-abcd-abcd-abcd-abcd").returncode != 0


@pytest.mark.parametrize("method", ["oauthbearer", "xoauth2"])
def test_msmtp_with_a_token(host: Instance, tmp_path: Path, token: str, method: str) -> None:
    sent = send_by_msmtp(host, tmp_path, method, token)
    assert sent.returncode == 0, sent.stderr
    refused = send_by_msmtp(host, tmp_path, method, "no-such-token")
    assert refused.returncode != 0


def test_msmtp_that_chooses_by_itself_with_the_mailboxs_password(
    host: Instance, tmp_path: Path
) -> None:
    sent = send_by_msmtp(host, tmp_path, "on", PASSWORD)
    assert sent.returncode == 0, sent.stderr


def test_swaks_with_an_app_password(host: Instance, app_password: str) -> None:
    need("swaks")
    for method in ("PLAIN", "LOGIN"):
        sent = run(
            *("swaks", "--server", host.address, "--port", str(host.SUBMISSION), "-tls"),
            *("--auth", method, "--auth-user", ALICE, "--auth-password", app_password),
            *("--from", ALICE, "--to", ALICE),
        )
        assert sent.returncode == 0, sent.stdout


def test_smtplib_with_an_app_password(host: Instance, app_password: str) -> None:
    with smtplib.SMTP_SSL(host.address, host.SUBMISSIONS, context=trusting()) as client:
        client.login(ALICE, app_password)


# POP3.


def fetch_by_mpop(
    host: Instance, home: Path, method: str, secret: str
) -> subprocess.CompletedProcess[str]:
    need("mpop")
    config = home / "mpoprc"
    (home / "Maildir").mkdir(exist_ok=True)
    for name in ("cur", "new", "tmp"):
        (home / "Maildir" / name).mkdir(exist_ok=True)
    config.write_text(
        f"account default\nhost {host.address}\nport {host.POP3S}\nkeep on\n"
        f"tls on\ntls_starttls off\ntls_certcheck off\nauth {method}\n"
        f"user {ALICE}\npassword {secret}\n"
        f"delivery maildir {home}/Maildir\nuidls_file {home}/uidls\n"
    )
    config.chmod(0o600)
    return run("mpop", "-C", str(config))


@pytest.mark.parametrize("method", ["scram-sha-256", "plain", "user"])
def test_mpop_with_an_app_password(
    host: Instance, tmp_path: Path, app_password: str, method: str
) -> None:
    fetched = fetch_by_mpop(host, tmp_path, method, app_password)
    assert fetched.returncode == 0, fetched.stderr


@pytest.mark.parametrize("method", ["oauthbearer", "xoauth2"])
def test_mpop_with_a_token(host: Instance, tmp_path: Path, token: str, method: str) -> None:
    fetched = fetch_by_mpop(host, tmp_path, method, token)
    assert fetched.returncode == 0, fetched.stderr


def test_poplib_with_an_app_password(host: Instance, app_password: str) -> None:
    client = poplib.POP3_SSL(host.address, host.POP3S, context=trusting())
    client.user(ALICE)
    client.pass_(app_password)
    client.quit()


# IMAP.


def sync_by_mbsync(
    host: Instance, home: Path, mechanism: str, secret: str
) -> subprocess.CompletedProcess[str]:
    need("mbsync")
    config = home / "mbsyncrc"
    config.write_text(
        f'IMAPAccount us\nHost {host.address}\nPort {host.IMAP}\nUser {ALICE}\nPass "{secret}"\n'
        f"SSLType None\nAuthMechs {mechanism}\n\n"
        "IMAPStore far\nAccount us\n\n"
        f"MaildirStore near\nPath {home}/near/\nInbox {home}/near/INBOX\n\n"
        "Channel all\nFar :far:\nNear :near:\nCreate Near\nSync Pull\nSyncState *\n"
    )
    (home / "near").mkdir(exist_ok=True)
    return run("mbsync", "-c", str(config), "-a")


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN", "LOGIN", "*"])
def test_mbsync_with_an_app_password(
    host: Instance, tmp_path: Path, app_password: str, mechanism: str
) -> None:
    synced = sync_by_mbsync(host, tmp_path, mechanism, app_password)
    assert synced.returncode == 0, synced.stderr


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_mbsync_with_the_mailboxs_password(host: Instance, tmp_path: Path, mechanism: str) -> None:
    # Left to choose, its SASL library takes SCRAM, which is for app passwords (decision 0003).
    synced = sync_by_mbsync(host, tmp_path, mechanism, PASSWORD)
    assert synced.returncode == 0, synced.stderr


CURL = {
    "imaps": ("IMAPS", "/INBOX", ("-X", "NOOP")),
    "pop3s": ("POP3S", "/", ()),
}


@pytest.mark.parametrize("scheme", CURL)
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"])
def test_curl(host: Instance, app_password: str, token: str, scheme: str, mechanism: str) -> None:
    need("curl")
    port, path, more = CURL[scheme]
    url = f"{scheme}://{host.address}:{getattr(host, port)}{path}"
    is_token = mechanism.endswith(("BEARER", "2"))

    def ask(secret: str) -> subprocess.CompletedProcess[str]:
        who = (
            ("--user", ALICE, "--oauth2-bearer", secret)
            if is_token
            else ("--user", f"{ALICE}:{secret}")
        )
        options = ("-sS", "--insecure", "--login-options", f"AUTH={mechanism}", *who, *more)
        return run("curl", *options, url)

    answer = ask(token if is_token else app_password)
    assert answer.returncode == 0, answer.stderr
    # 67: the login is denied.
    assert ask("abcd-abcd-abcd-abcd-abcd").returncode == 67


def test_imaplib_with_tokens(host: Instance, token: str) -> None:
    with imaplib.IMAP4_SSL(host.address, host.IMAPS, ssl_context=trusting()) as client:
        client.authenticate("XOAUTH2", lambda _: f"user={ALICE}\1auth=Bearer {token}\1\1".encode())
        assert client.select("INBOX")[0] == "OK"


# SCRAM over IMAP, by a client of other make: scramp is the oracle.


def scram_client(password: str, binding: tuple[str, bytes] | None) -> scramp.ScramClient:
    name = "SCRAM-SHA-256-PLUS" if binding else "SCRAM-SHA-256"
    return scramp.ScramClient([name], ALICE, password, channel_binding=binding)


@pytest.mark.parametrize("is_bound", [False, True])
def test_scram_by_scramp(host: Instance, app_password: str, is_bound: bool) -> None:
    with imaplib.IMAP4_SSL(host.address, host.IMAPS, ssl_context=trusting()) as connection:
        certificate = connection.socket().getpeercert(binary_form=True)
        digest = hashlib.sha256(certificate).digest()
        oracle = scram_client(app_password, ("tls-server-end-point", digest) if is_bound else None)

        def answer(challenge: bytes) -> bytes:
            if not challenge:
                return oracle.get_client_first().encode()
            if challenge.startswith(b"r="):
                oracle.set_server_first(challenge.decode())
                return oracle.get_client_final().encode()
            oracle.set_server_final(challenge.decode())  # raises where the server has no keys
            return b""

        mechanism = "SCRAM-SHA-256-PLUS" if is_bound else "SCRAM-SHA-256"
        assert f"AUTH={mechanism}" in connection.capabilities
        assert connection.authenticate(mechanism, answer)[0] == "OK"
