"""COMPRESS=DEFLATE with Python's own client over a socket: no answer waits for the next (RFC 4978).

The client reads from the socket only when it needs octets and never speaks before it has its
answer, so an answer that is not flushed to its end would block both for ever.
"""

import imaplib
import zlib
from collections.abc import Iterator

import pytest

from accounts.directory.domains import create_domain
from accounts.directory.mailboxes import create_mailbox
from accounts.models import Tenant
from tests.transcripts.given import Scene
from tests.transcripts.real import RealVenue

pytestmark = pytest.mark.django_db(transaction=True)


class CompressedClient(imaplib.IMAP4):
    """imaplib with a deflate layer below it."""

    _deflater = None

    def compress(self) -> None:
        imaplib.Commands["COMPRESS"] = ("AUTH", "SELECTED")
        status, said = self._simple_command("COMPRESS", "DEFLATE")
        assert status == "OK", said
        self._deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
        self._inflater = zlib.decompressobj(-15)
        self._heard = b""
        self.octets_read = 0

    def send(self, data: bytes) -> None:
        if self._deflater is not None:
            data = self._deflater.compress(data) + self._deflater.flush(zlib.Z_SYNC_FLUSH)
        super().send(data)

    def read(self, size: int) -> bytes:
        if self._deflater is None:
            return super().read(size)
        while len(self._heard) < size:
            self._hear()
        octets, self._heard = self._heard[:size], self._heard[size:]
        return octets

    def readline(self) -> bytes:
        if self._deflater is None:
            return super().readline()
        while b"\n" not in self._heard:
            self._hear()
        return self.read(self._heard.index(b"\n") + 1)

    def _hear(self) -> None:
        octets = self.sock.recv(65536)
        assert octets, "the server hung up"
        self.octets_read += len(octets)
        self._heard += self._inflater.decompress(octets)


@pytest.fixture
def client() -> Iterator[CompressedClient]:
    create_domain(Tenant.objects.create(slug="t", name="T"), "a.test")
    create_mailbox("alice@a.test", "secret")
    venue = RealVenue(Scene("imap"))
    client = CompressedClient(*venue.address, timeout=20)
    client.login("alice@a.test", "secret")
    client.compress()
    yield client
    client.logout()
    venue.end()


def test_a_day_in_the_life(client: CompressedClient) -> None:
    message = b"Subject: x\r\n\r\n" + b"The same words again and again.\r\n" * 20_000
    for size in (100, 5_000, len(message)):
        assert client.append("INBOX", None, None, message[:size])[0] == "OK"
    assert client.select("INBOX") == ("OK", [b"3"])
    for _ in range(20):
        assert client.noop()[0] == "OK"
    before = client.octets_read
    status, parts = client.fetch("1:3", "(BODY.PEEK[])")
    assert status == "OK"
    assert [part[1] for part in parts if isinstance(part, tuple)] == [
        message[:100],
        message[:5_000],
        message,
    ]
    assert client.octets_read - before < len(message) // 10
    assert client._simple_command("COMPRESS", "DEFLATE")[0] == "NO"
    assert client.store("1:2", "+FLAGS", r"(\Deleted)")[0] == "OK"
    assert client.expunge()[0] == "OK"
    assert client.select("INBOX") == ("OK", [b"1"])
