"""Response codes for what went wrong in a way that nobody planned (RFC 5530)."""

import pytest
from django.db import InternalError, OperationalError

from accounts.blobs import BlobMissing
from protocols.wire.imap.commands import Noop
from tests.transcripts.direct import DirectWire

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BlobMissing("a segment is gone"), b"CORRUPTION"),
        (OperationalError("away"), b"UNAVAILABLE"),
        (InternalError("cannot execute INSERT in a read-only transaction"), b"UNAVAILABLE"),
        (KeyError("never foreseen"), b"SERVERBUG"),
    ],
)
def test_a_failed_command_says_whose_fault_it_is(
    wire: DirectWire, error: Exception, code: bytes
) -> None:
    try:
        raise error
    except type(error):
        reply = wire._session.failed(Noop(b"a"))
    assert reply is not None
    assert reply.to_bytes().startswith(b"a NO [%b] " % code)
