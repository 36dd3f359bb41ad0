"""Mail programs of other makes: each reads, files, flags, searches, idles and appends as it can."""

import asyncio
import mailbox
import subprocess
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import aioimaplib
import imap_tools
import pytest
from django.apps import apps

from protocols.wire.imap.deflate import Deflate
from tests.journeys.house import LUNCH, SUPPER, USER, House
from tests.partners.daemon import wait_until
from tests.partners.presence import need
from tests.partners.terminal import Terminal

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a program at home in a directory of its own; what it said."""

    def run(*words: str, status: int = 0) -> str:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            cwd=tmp_path,
            timeout=60,
            check=False,
        )
        said = (done.stdout + done.stderr).decode(errors="replace")
        assert done.returncode == status, said
        return said

    return run


@pytest.fixture(params=[False, True], ids=["plain", "compressed"])
def is_compressed(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[bool]:
    """Whether a program shall ask for COMPRESS (RFC 4978); in the end that is what it has done."""
    begin, begun = Deflate.__init__, []

    def watched(stream: Deflate) -> None:
        begun.append(stream)
        begin(stream)

    monkeypatch.setattr(Deflate, "__init__", watched)
    yield request.param
    assert bool(begun) is request.param


def subjects(box: mailbox.Mailbox) -> list[str]:
    return sorted(str(message["Subject"]) for message in box)


def config(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


# Mirrors: a Maildir that is to be what the server has, both ways.


def change_mirror(mirror: Path) -> None:
    """Read the one message, and write another: in the mirror alone."""
    box = mailbox.Maildir(mirror)
    (key,) = box.keys()
    message = box[key]
    message.set_subdir("cur")
    message.set_flags("FS")
    box[key] = message
    sent = mailbox.MaildirMessage(SUPPER.replace(b"\r\n", b"\n"))
    sent.set_subdir("cur")
    sent.set_flags("S")
    box.add(sent)


def test_mbsync(house: House, run: Run, tmp_path: Path) -> None:
    need("mbsync")
    host, port = house.imap
    rc = config(
        tmp_path / "mbsyncrc",
        f'IMAPAccount a\nHost {host}\nPort {port}\nUser {USER}\nPass "{house.password}"\n'
        f"SSLType None\n\nIMAPStore far\nAccount a\n\nMaildirStore near\nPath {tmp_path}/mail/\n"
        f"Inbox {tmp_path}/mail/INBOX\nSubFolders Verbatim\n\nChannel all\nFar :far:\n"
        "Near :near:\nPatterns *\nCreate Both\nExpunge Both\nSync All\nSyncState *\n",
    )
    (tmp_path / "mail").mkdir()
    house.put(LUNCH)
    run("mbsync", "-c", rc, "-a")
    assert subjects(mailbox.Maildir(tmp_path / "mail/INBOX")) == ["Lunch"]
    change_mirror(tmp_path / "mail/INBOX")
    run("mbsync", "-c", rc, "-a")
    assert house.look() == {"Lunch": {"\\Seen", "\\Flagged"}, "Supper": {"\\Seen"}}
    box = mailbox.Maildir(tmp_path / "mail/INBOX")
    box.discard(next(key for key in box.keys() if box[key]["Subject"] == "Lunch"))  # noqa: SIM118
    run("mbsync", "-c", rc, "-a")
    assert house.look() == {"Supper": {"\\Seen"}}


def offlineimap(house: House, tmp_path: Path, *, is_compressed: bool) -> tuple[str, ...]:
    """The words that start it."""
    host, port = house.imap
    rc = config(
        tmp_path / "offlineimaprc",
        f"[general]\naccounts = a\nmetadata = {tmp_path}/state\nui = basic\n"
        "[Account a]\nlocalrepository = near\nremoterepository = far\n"
        f"[Repository near]\ntype = Maildir\nlocalfolders = {tmp_path}/mail\n"
        f"[Repository far]\ntype = IMAP\nremotehost = {host}\nremoteport = {port}\n"
        f"remoteuser = {USER}\nremotepass = {house.password}\nssl = no\nstarttls = no\n"
        f"usecompression = {'yes' if is_compressed else 'no'}\n",
    )
    return "offlineimap", "-c", rc, "-o"


def test_offlineimap(house: House, run: Run, tmp_path: Path, is_compressed: bool) -> None:
    need("offlineimap")
    words = offlineimap(house, tmp_path, is_compressed=is_compressed)
    house.put(LUNCH)
    run(*words)
    assert subjects(mailbox.Maildir(tmp_path / "mail/INBOX")) == ["Lunch"]
    change_mirror(tmp_path / "mail/INBOX")
    run(*words)
    assert house.look() == {"Lunch": {"\\Seen", "\\Flagged"}, "Supper": {"\\Seen"}}
    box = mailbox.Maildir(tmp_path / "mail/INBOX")
    box.discard(next(key for key in box.keys() if box[key]["Subject"] == "Lunch"))  # noqa: SIM118
    run(*words)
    assert house.look() == {"Supper": {"\\Seen"}}


def test_offlineimap_asks_to_be_compressed_in_vain(house: House, run: Run, tmp_path: Path) -> None:
    """It leaves more than 32 KiB in its inflater and waits for ever: a new instance knows that."""
    need("offlineimap")
    import_module("accounts.migrations.0027_a_rule_for_offlineimap").add_rule(apps, None)
    house.put(LUNCH + b"At noon?\r\n" * 20_000)
    run(*offlineimap(house, tmp_path, is_compressed=True))
    assert subjects(mailbox.Maildir(tmp_path / "mail/INBOX")) == ["Lunch"]


# Fetchers: what is there is taken, once.


@pytest.mark.parametrize("protocol", ["IMAP", "POP3"])
def test_getmail(house: House, run: Run, tmp_path: Path, protocol: str) -> None:
    need("getmail")
    host, port = house.imap if protocol == "IMAP" else house.pop3
    # It refuses to write a Maildir itself as root, as these tests may run. And it begins to listen
    # for the end of a program only after it has started it: one that ended sooner it would wait
    # for in vain, for a minute.
    rc = config(
        tmp_path / "getmailrc",
        f"[retriever]\ntype = Simple{protocol}Retriever\nserver = {host}\nport = {port}\n"
        f"username = {USER}\npassword = {house.password}\n"
        "[destination]\ntype = MDA_external\npath = /bin/sh\nunixfrom = true\n"
        f'arguments = ("-c", "cat >> {tmp_path}/mbox; sleep 0.5")\nallow_root_commands = true\n'
        "[options]\nread_all = false\ndelete = false\n",
    )
    words = ("getmail", "--getmaildir", str(tmp_path), "--rcfile", rc)
    house.put(LUNCH)
    run(*words)
    house.put(SUPPER)
    run(*words)
    assert subjects(mailbox.mbox(tmp_path / "mbox")) == ["Lunch", "Supper"]
    run(*words, "--delete")
    assert house.look() == {}
    assert subjects(mailbox.mbox(tmp_path / "mbox")) == ["Lunch", "Supper"]


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_fetchmail(house: House, run: Run, tmp_path: Path, protocol: str) -> None:
    need("fetchmail")
    host, port = house.imap if protocol == "imap" else house.pop3
    rc = config(
        tmp_path / "fetchmailrc",
        f'poll {host} protocol {protocol} port {port} user "{USER}" password "{house.password}"'
        f' sslproto "" mda "cat >> {tmp_path}/mbox" nokeep\n',
    )
    house.put(LUNCH, SUPPER)
    run("fetchmail", "-f", rc, "--nodetach", "--nosyslog", "--pidfile", str(tmp_path / "pid"))
    text = (tmp_path / "mbox").read_text()
    assert "Subject: Lunch" in text
    assert "At eight?" in text
    assert house.look() == {}
    # 1: there was no mail.
    run("fetchmail", "-f", rc, "--nodetach", "--pidfile", str(tmp_path / "pid"), status=1)


def test_mpop(house: House, run: Run, tmp_path: Path) -> None:
    need("mpop")
    host, port = house.pop3
    box = mailbox.Maildir(tmp_path / "mail")
    rc = config(
        tmp_path / "mpoprc",
        f"account default\nhost {host}\nport {port}\ntls off\nauth plain\nuser {USER}\n"
        f"password {house.password}\nkeep on\ndelivery maildir {tmp_path}/mail\n"
        f"uidls_file {tmp_path}/uidls\n",
    )
    house.put(LUNCH)
    run("mpop", "-C", rc)
    house.put(SUPPER)
    run("mpop", "-C", rc)
    assert subjects(box) == ["Lunch", "Supper"]
    run("mpop", "-C", rc, "--keep=off")
    assert house.look() == {}


# curl


def test_curl(house: House, run: Run, tmp_path: Path) -> None:
    need("curl")
    imap, pop3 = (
        f"{scheme}://{host}:{port}"
        for scheme, (host, port) in (("imap", house.imap), ("pop3", house.pop3))
    )
    curl = ("curl", "-sS", "--user", f"{USER}:{house.password}")
    for octets in (LUNCH, SUPPER):
        (tmp_path / "message").write_bytes(octets)
        run(*curl, "-T", "message", f"{imap}/INBOX")
    assert '"/" Archive' in run(*curl, f"{imap}/").replace('"Archive"', "Archive")
    assert run(*curl, f"{imap}/INBOX?SUBJECT%20supper").strip() == "* SEARCH 2"
    assert "At noon?" in run(*curl, f"{imap}/INBOX;UID=1")
    assert (
        run(*curl, f"{imap}/INBOX;UID=1;SECTION=HEADER.FIELDS%20(SUBJECT)").strip()
        == "Subject: Lunch"
    )
    run(*curl, f"{imap}/INBOX", "-X", "STORE 2 +FLAGS \\Flagged")
    run(*curl, f"{imap}/INBOX", "-X", "UID MOVE 1 Archive")
    # It says \\Seen itself when it appends.
    assert house.look() == {"Supper": {"\\Seen", "\\Flagged"}}
    assert house.look("Archive") == {"Lunch": {"\\Seen"}}
    assert run(*curl, f"{pop3}/").split()[0] == "1"
    assert "At eight?" in run(*curl, f"{pop3}/1")
    run(*curl, f"{pop3}/1", "-X", "DELE", "-I")
    assert house.look() == {}


# Libraries


def test_imap_tools(house: House) -> None:
    host, port = house.imap
    with imap_tools.MailBoxUnencrypted(host, port).login(USER, house.password) as box:
        box.append(LUNCH, "INBOX", flag_set=[imap_tools.MailMessageFlags.FLAGGED])
        box.append(SUPPER, "INBOX")
        assert {folder.name for folder in box.folder.list()} >= {"INBOX", "Archive", "Trash"}
        found = list(box.fetch(imap_tools.AND(subject="supper"), mark_seen=False))
        assert [(each.from_, each.text.strip()) for each in found] == [
            ("carol@c.test", "At eight?")
        ]
        box.flag(found[0].uid, [imap_tools.MailMessageFlags.SEEN], True)
        box.move(box.uids(imap_tools.AND(flagged=True)), "Archive")
        # Not before it idles: it polls the socket, and what came with the continuation has left it.
        other = threading.Timer(0.5, house.put, [LUNCH])
        other.start()
        assert b"* 2 EXISTS" in box.idle.wait(timeout=10)
        other.join()
        box.delete(box.uids(imap_tools.AND(seen=True)))
    assert house.look() == {"Lunch": set()}
    assert house.look("Archive") == {"Lunch": {"\\Flagged"}}


def test_aioimaplib(house: House) -> None:
    async def use() -> None:
        client = aioimaplib.IMAP4(*house.imap, timeout=10)
        await client.wait_hello_from_server()
        assert (await client.login(USER, house.password)).result == "OK"
        assert (await client.append(LUNCH, "INBOX", flags="\\Seen")).result == "OK"
        await client.select("INBOX")
        assert (await client.search("SUBJECT lunch")).lines[0] == b"1"
        assert LUNCH in (await client.fetch("1", "(BODY.PEEK[])")).lines
        idling = await client.idle_start(timeout=10)
        await asyncio.to_thread(house.put, SUPPER)
        said = await client.wait_server_push(timeout=5)
        client.idle_done()
        await asyncio.wait_for(idling, 5)
        assert b"2 EXISTS" in said
        assert (await client.store("2", "+FLAGS (\\Flagged)")).result == "OK"
        assert (await client.uid("move", "1", "Archive")).result == "OK"
        await client.logout()

    asyncio.run(use())
    assert house.look() == {"Supper": {"\\Flagged"}}
    assert house.look("Archive") == {"Lunch": {"\\Seen"}}


# Programs for people, in a terminal.


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    need("tmux")
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.close()


def test_mutt(house: House, terminal: Terminal, tmp_path: Path, is_compressed: bool) -> None:
    need("mutt")
    host, port = house.imap
    config(
        tmp_path / "muttrc",
        f'set imap_user="{USER}" imap_pass="{house.password}" folder="imap://{host}:{port}/"\n'
        "set spoolfile=+INBOX ssl_starttls=no ssl_force_tls=no confirmappend=no delete=yes\n"
        "set mail_check=1 timeout=1 imap_idle=yes quit=yes move=no\n"
        f"set imap_deflate={'yes' if is_compressed else 'no'}\n",
    )
    house.put(LUNCH)
    terminal.start("mutt", "-F", str(tmp_path / "muttrc"))
    terminal.see("Lunch")
    house.put(SUPPER)
    terminal.see("Supper")
    terminal.press("l", "supper", "Enter")
    terminal.press("l", "all", "Enter")
    terminal.see("Lunch")
    terminal.press("=", "Enter")
    terminal.see("At noon?")
    terminal.press("q")
    terminal.press("F", "$")
    wanted = {"Lunch": {"\\Seen", "\\Flagged"}, "Supper": set()}
    wait_until(lambda: house.look() == wanted, "what was done in mutt", 10, 0.3)
    terminal.press("=", "s")
    terminal.press("C-u", "=Archive", "Enter")
    terminal.press("$")
    terminal.press("q")
    terminal.end()
    assert house.look("Archive") == {"Lunch": {"\\Seen", "\\Flagged"}}
    assert list(house.look()) == ["Supper"]


def test_alpine(house: House, terminal: Terminal, tmp_path: Path) -> None:
    need("alpine")
    host, port = house.imap
    box = f"{{{host}:{port}/notls/user={USER}}}"
    config(
        tmp_path / ".pinerc",
        f"inbox-path={box}INBOX\nfolder-collections=Mail {box}[]\nuser-domain=a.test\n"
        "feature-list=enable-flag-cmd,enable-bounce-cmd,expunge-without-confirm,quit-without-confirm,"
        "enable-aggregate-command-set,no-save-aggregates-copy-sequence\n"
        "last-version-used=9.99z\nmail-check-interval=5\n",
    )
    house.put(LUNCH)
    terminal.start("alpine", "-p", str(tmp_path / ".pinerc"), "-i")
    # Where it takes a moment, "Opening INBOX" hides most of what is asked, but not the keys for it.
    terminal.see("Ret Accept")
    terminal.press(house.password, "Enter")
    terminal.see("Preserve password")
    terminal.press("n")
    terminal.see("Lunch")
    terminal.press("Enter")
    terminal.see("At noon?")
    terminal.press("<")
    terminal.see("MESSAGE INDEX")
    house.put(SUPPER)
    terminal.press("C-l")
    terminal.see("Supper")
    terminal.press("C-y")
    terminal.press("*", "*")
    wanted = {"Lunch": {"\\Seen", "\\Flagged"}, "Supper": set()}
    wait_until(lambda: house.look() == wanted, terminal.screen, 10, 0.3)
    terminal.press("s", "C-u")
    terminal.press("Archive", "Enter")
    terminal.press("x")
    terminal.press("q")
    terminal.end()
    assert house.look("Archive") == {"Lunch": {"\\Seen", "\\Flagged"}}
    assert list(house.look()) == ["Supper"]
