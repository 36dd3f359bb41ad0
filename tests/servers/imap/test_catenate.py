"""CATENATE of large messages, of thousands of parts, and of folders that others share."""

import pytest

from accounts.mailstore import append
from accounts.models import Entry, Mailbox
from tests.accounts.mail import content, inbox, make_mailbox
from tests.servers.imap.asking import ask
from tests.transcripts.direct import DirectWire

pytestmark = pytest.mark.django_db(transaction=True)

BODY = b"0123456789abcdef" * 100_000
LARGE = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\n\r\nwords\r\n--b\r\nContent-Type: image/png\r\n\r\n%b\r\n--b--\r\n" % BODY
)


@pytest.fixture
def mailbox_id() -> int:
    mailbox_id = make_mailbox()
    append.append_message(mailbox_id, inbox(mailbox_id), LARGE).result(30)
    return mailbox_id


@pytest.fixture(autouse=True)
def _known(wire: DirectWire) -> None:
    wire._conversation._unfinished.is_of_stranger = False


def test_a_large_part_goes_through_in_pieces(wire: DirectWire, mailbox_id: int) -> None:
    said = ask(
        wire,
        b"APPEND INBOX CATENATE (TEXT {8+}\r\nX: 1\r\n\r\n URL /INBOX/;UID=1/;SECTION=2"
        b" URL /INBOX/;UID=1/;SECTION=2/;PARTIAL=16.4)",
    )
    assert said.startswith(b"t OK [APPENDUID 1 2]")
    assert content(inbox(mailbox_id))[2] == b"X: 1\r\n\r\n" + BODY + b"0123"


def test_the_number_of_parts_is_bounded(wire: DirectWire) -> None:
    url = b"URL /INBOX/;UID=1/;SECTION=1"
    parts = b" ".join([url] * 500)
    assert ask(wire, b"APPEND INBOX CATENATE (" + parts + b")").startswith(b"t OK")
    # Over several lines, as one line would be too long.
    more = b" TEXT {1+}\r\nx ".join([b" ".join([url] * 100)] * 30)
    assert ask(wire, b"APPEND INBOX CATENATE (" + more + b")").startswith(b"t NO [LIMIT]")
    assert ask(wire, b"NOOP").endswith(b"t OK Done.\r\n")
    assert Entry.objects.count() == 2


def test_what_is_looked_into_is_bounded(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    append.append_message(mailbox_id, inbox(mailbox_id), LARGE).result(30)
    monkeypatch.setattr("protocols.servers.imap.catenate.MAX_LOOKED_INTO", len(LARGE))
    url = b"URL /INBOX/;UID=%d/;SECTION=1"
    one = b" ".join([url % 1] * 9)
    assert ask(wire, b"APPEND INBOX CATENATE (" + one + b")").startswith(b"t OK")
    two = b" ".join([url % 1, url % 2] * 2)
    assert ask(wire, b"APPEND INBOX CATENATE (" + two + b")").startswith(b"t NO [LIMIT]")


def test_a_full_mailbox(wire: DirectWire, mailbox_id: int) -> None:
    Mailbox.objects.filter(pk=mailbox_id).update(quota_bytes=len(LARGE) + 20)
    whole = b"URL /INBOX/;UID=1"
    assert b"t NO [OVERQUOTA]" in ask(wire, b"APPEND INBOX CATENATE (" + whole + b")")
    few = b"URL /INBOX/;UID=1/;SECTION=1"
    assert b"t OK" in ask(wire, b"APPEND INBOX CATENATE (" + few + b")")


def test_a_folder_of_another_mailbox_must_be_shared(wire: DirectWire) -> None:
    stranger = make_mailbox()
    append.append_message(stranger, inbox(stranger), LARGE).result(30)
    address = Mailbox.objects.get(pk=stranger).address.encode().replace(b"@", b"%40")
    for name in (b"Other%20Users/" + address, b"Other%20Users/" + address + b"/INBOX"):
        said = ask(wire, b'APPEND INBOX CATENATE (URL "/%b/;UID=1")' % name)
        assert said.startswith(b"t NO [BADURL ")
