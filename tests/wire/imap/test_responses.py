"""What the server says, octet for octet (RFC 3501 §7)."""

import pytest

from protocols.wire.imap import responses as r
from protocols.wire.imap import strings
from protocols.wire.imap.cursor import Cursor


@pytest.mark.parametrize(
    ("said", "octets"),
    [
        (r.Tagged(b"a", "OK", "Done.").to_bytes(), b"a OK Done.\r\n"),
        (r.Tagged(b"a", "NO", "No.", b"TRYCREATE").to_bytes(), b"a NO [TRYCREATE] No.\r\n"),
        (
            r.Tagged(b"a", "OK", "Done.", untagged=r.exists(2)).to_bytes(),
            b"* 2 EXISTS\r\na OK Done.\r\n",
        ),
        (r.Tagged(b"a", "BAD", "é\r\nb OK x").to_bytes(), b"a BAD ???b OK x\r\n"),
        (r.Bye("Idle.").to_bytes(), b"* BYE Idle.\r\n"),
        (r.Bye("Full.", b"UNAVAILABLE").to_bytes(), b"* BYE [UNAVAILABLE] Full.\r\n"),
        (r.untagged("OK", "Hello.", b"CAPABILITY X"), b"* OK [CAPABILITY X] Hello.\r\n"),
        (r.exists(23), b"* 23 EXISTS\r\n"),
        (r.recent(5), b"* 5 RECENT\r\n"),
        (r.fetch(23, b"FLAGS (\\Seen)"), b"* 23 FETCH (FLAGS (\\Seen))\r\n"),
        (r.flags(b"(\\Seen)"), b"* FLAGS (\\Seen)\r\n"),
        (
            r.permanent_flags(b"(\\Seen \\*)"),
            b"* OK [PERMANENTFLAGS (\\Seen \\*)] Flags permitted.\r\n",
        ),
        (r.capability(["IMAP4rev1", "IDLE"]), b"* CAPABILITY IMAP4rev1 IDLE\r\n"),
        (r.enabled(["CONDSTORE"]), b"* ENABLED CONDSTORE\r\n"),
        (r.enabled([]), b"* ENABLED\r\n"),
        (
            r.listed("Sent Items", ["\\HasNoChildren", "\\Sent"]),
            b'* LIST (\\HasNoChildren \\Sent) "/" "Sent Items"\r\n',
        ),
        (r.listed("日本語", is_lsub=True), b'* LSUB () "/" &ZeVnLIqe-\r\n'),
        (r.delimiter_only(), b'* LIST (\\Noselect) "/" ""\r\n'),
        (
            r.status("INBOX", [("MESSAGES", 231), ("UIDNEXT", 44292)]),
            b"* STATUS INBOX (MESSAGES 231 UIDNEXT 44292)\r\n",
        ),
        (r.search([]), b"* SEARCH\r\n"),
        (r.search([2, 3, 6]), b"* SEARCH 2 3 6\r\n"),
        (r.namespace("Shared/"), b'* NAMESPACE (("" "/")) (("Shared/" "/")) NIL\r\n'),
        (r.identity({}), b"* ID NIL\r\n"),
        (r.identity({"name": "Mailhost", "os": None}), b'* ID ("name" "Mailhost" "os" NIL)\r\n'),
        (r.append_uid(38505, [3955]), b"APPENDUID 38505 3955"),
        (r.copy_uid(7, [304, 319, 320], [3956, 3957, 3958]), b"COPYUID 7 304,319:320 3956:3958"),
        (r.internal_date(837596705, -420), b'"17-Jul-1996 02:45:05 -0700"'),
        (r.internal_date(59, 60), b'" 1-Jan-1970 01:00:59 +0100"'),
    ],
)
def test_response(said: bytes, octets: bytes) -> None:
    assert said == octets


@pytest.mark.parametrize(
    ("returned", "numbers", "octets"),
    [
        (set(), [2, 3, 4, 9], b'* ESEARCH (TAG "a") UID ALL 2:4,9\r\n'),
        ({"MIN", "MAX", "COUNT"}, [2, 9], b'* ESEARCH (TAG "a") UID MIN 2 MAX 9 COUNT 2\r\n'),
        ({"MIN", "COUNT"}, [], b'* ESEARCH (TAG "a") UID COUNT 0\r\n'),
        (set(), [], b'* ESEARCH (TAG "a") UID\r\n'),
    ],
)
def test_esearch(returned: set[str], numbers: list[int], octets: bytes) -> None:
    assert r.esearch(b"a", is_uid=True, returned=returned, numbers=numbers) == octets


@pytest.mark.parametrize(("seconds", "zone"), [(0, 0), (837596705, -420), (1 << 32, 845)])
def test_a_date_shown_is_read_back(seconds: int, zone: int) -> None:
    assert Cursor(r.internal_date(seconds, zone)).date_time() == (seconds, zone)


@pytest.mark.parametrize(
    ("octets", "rendered"),
    [
        (b"", b'""'),
        (b"abc", b'"abc"'),
        (b'a"\\b', b'"a\\"\\\\b"'),
        (b"a\r\nb", b"{4}\r\na\r\nb"),
        (b"\xc3\xa9", b"{2}\r\n\xc3\xa9"),
        (b"x" * 2000, b"{2000}\r\n" + b"x" * 2000),
    ],
)
def test_string(octets: bytes, rendered: bytes) -> None:
    assert strings.string(octets) == rendered
    assert strings.nstring(octets) == rendered
    assert Cursor(rendered).string() == octets


@pytest.mark.parametrize(
    ("octets", "rendered"),
    [(b"INBOX", b"INBOX"), (b"nil", b'"nil"'), (b"", b'""'), (b"a b", b'"a b"'), (b"a]", b"a]")],
)
def test_astring(octets: bytes, rendered: bytes) -> None:
    assert strings.astring(octets) == rendered


def test_nil() -> None:
    assert strings.nstring(None) == b"NIL"
