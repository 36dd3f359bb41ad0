"""Alice's mailbox behind IMAP and POP3, for mail programs of other makes."""

import imaplib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.transcripts.given import Scene
from tests.transcripts.real import RealVenue

USER = "alice@a.test"
LUNCH = b"From: bob@b.test\r\nTo: alice@a.test\r\nSubject: Lunch\r\n\r\nAt noon?\r\n"
SUPPER = b"From: carol@c.test\r\nTo: alice@a.test\r\nSubject: Supper\r\n\r\nAt eight?\r\n"


@dataclass(frozen=True, slots=True)
class House:
    """Where to knock, and the mailbox as a plain client sees it."""

    imap: tuple[str, int]
    imaps: tuple[str, int]
    pop3: tuple[str, int]
    password: str

    def put(self, *messages: bytes, folder: str = "INBOX") -> None:
        client = self._login()
        for octets in messages:
            assert client.append(folder, "", "", octets)[0] == "OK"
        client.logout()

    def flag(self, subject: str, flag: str, folder: str = "INBOX") -> None:
        client = self._login()
        client.select(folder)
        (number,) = client.search(None, "SUBJECT", subject)[1][0].split()
        assert client.store(number, "+FLAGS", flag)[0] == "OK"
        client.logout()

    def look(self, folder: str = "INBOX") -> dict[str, set[str]]:
        """Flags by subject."""
        client = self._login()
        client.select(folder, readonly=True)
        found = {}
        for number in client.search(None, "ALL")[1][0].split():
            data = client.fetch(number, "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
            # Other items of the list are what another client changed this instant.
            said, header = next(part for part in data if isinstance(part, tuple))
            flags = {flag.decode() for flag in imaplib.ParseFlags(said)} - {"\\Recent"}
            found[header.partition(b":")[2].strip().decode()] = flags
        client.logout()
        return found

    def _login(self) -> imaplib.IMAP4:
        client = imaplib.IMAP4(*self.imap, timeout=10)
        client.login(USER, self.password)
        return client


@contextmanager
def open_house() -> Iterator[House]:
    """An app password lets programs log in by whatever way they like best, SCRAM too."""
    from accounts.app_passwords import create_app_password
    from accounts.directory.domains import create_domain
    from accounts.directory.mailboxes import create_mailbox
    from accounts.models import Tenant

    create_domain(Tenant.objects.create(slug="t", name="T"), "a.test")
    alice = create_mailbox(USER)
    _, password = create_app_password(alice, "programs", ("imap", "pop"))
    venues = [
        RealVenue(scene) for scene in (Scene("imap"), Scene("imap", is_tls=True), Scene("pop3"))
    ]
    yield House(*(venue.address for venue in venues), password)
    for venue in venues:
        venue.end()
