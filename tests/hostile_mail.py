"""Mail that is hard to read, and some that is ordinary: the same octets in every run.

`SAMPLES` builds each message when asked, so that collecting tests costs nothing; `attachment`
gives a very large message in pieces. No clock, no chance.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

TOP = (
    b"From: Alice <alice@example.test>\r\n"
    b"To: Bob <bob@example.test>\r\n"
    b"Subject: %b\r\n"
    b"Date: Mon, 23 Nov 2026 09:00:00 +0100\r\n"
    b"Message-ID: <%b@hostile.example.test>\r\n"
    b"MIME-Version: 1.0\r\n"
)


@dataclass(frozen=True)
class Sample:
    """One message, built by `build()`."""

    name: str
    build: Callable[[], bytes]
    is_hostile: bool = True

    def __str__(self) -> str:
        return self.name


def is_acceptable(octets: bytes) -> bool:
    """False for what port 25 refuses with 550 5.6.0: NUL, a bare CR or a bare LF."""
    rest = octets.replace(b"\r\n", b"")
    return not (b"\0" in octets or b"\r" in rest or b"\n" in rest)


def top(name: str) -> bytes:
    """An ordinary header, without Content-Type and without its closing empty line."""
    return TOP % (name.encode(), name.encode())


def noise(size: int, seed: bytes = b"noise") -> bytes:
    """`size` octets of every value, the same for the same seed."""
    blocks = (hashlib.sha256(seed + b"%d" % n).digest() for n in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def base64_lines(octets: bytes) -> bytes:
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def text_part(text: bytes, charset: bytes = b"utf-8", encoding: bytes = b"8bit") -> bytes:
    return b"Content-Type: text/plain; charset=%b\r\nContent-Transfer-Encoding: %b\r\n\r\n%b" % (
        charset,
        encoding,
        text,
    )


def multipart(boundary: bytes, parts: list[bytes], subtype: bytes = b"mixed") -> bytes:
    """Content-Type field, empty line and body of a multipart."""
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts)
    return b'Content-Type: multipart/%b; boundary="%b"\r\n\r\nThis is MIME.\r\n%b--%b--\r\n' % (
        subtype,
        boundary,
        body,
        boundary,
    )


def plain() -> bytes:
    lines = b"The quick brown fox jumps over the lazy dog, line %d.\r\n"
    return top("plain") + text_part(b"".join(lines % n for n in range(60)), encoding=b"7bit")


def no_header() -> bytes:
    return b"Hello Bob,\r\n\r\nthis text has no header at all.\r\n"


def no_header_one_line() -> bytes:
    return b"hello\r\n"


def text_that_looks_like_fields() -> bytes:
    return b"Note: buy milk\r\nand bread, and so on.\r\n"


def begins_with_empty_line() -> bytes:
    return b"\r\nonly a body\r\n"


def alternative_with_attachment() -> bytes:
    html_type = b"Content-Type: text/html; charset=utf-8\r\n\r\n"
    html = html_type + b"<p>Gr\xc3\xbc\xc3\x9fe &amp; <b>more</b></p>"
    inner = multipart(b"inner", [text_part("Grüße".encode()), html], b"alternative")
    picture = (
        b'Content-Type: image/png; name="dot.png"\r\nContent-Transfer-Encoding: base64\r\n'
        b"Content-Disposition: attachment; filename*0*=utf-8''gr%C3%BC; filename*1=\"n.png\"\r\n"
        b"Content-ID: <dot@hostile>\r\nContent-Language: de, en\r\n\r\n" + base64_lines(noise(700))
    )
    return top("alternative") + multipart(b"outer", [inner, picture])


def attached_message() -> bytes:
    inner = top("inner") + multipart(b"b2", [text_part(b"one"), text_part(b"two")])
    attached = b"Content-Type: message/rfc822\r\nContent-Disposition: inline\r\n\r\n" + inner
    return top("attached") + multipart(b"b1", [text_part(b"see below"), attached])


def digest() -> bytes:
    messages = [b"\r\n" + top(f"digest-{n}") + b"\r\nbody %d\r\n" % n for n in range(3)]
    return top("digest") + multipart(b"d", messages, b"digest")


def latin1_body() -> bytes:
    return top("latin1") + text_part("Größe: 10 €\r\n".encode("cp1252"), b"iso-8859-1")


def encoded_subject() -> bytes:
    head = top("encoded").replace(
        b"Subject: encoded", b"Subject: =?utf-8?q?Gr=C3=BC?= =?utf-8?b?w59l?=\r\n =?x?q?odd?="
    )
    return head + text_part(b"hello\r\n", encoding=b"7bit")


def nested_multiparts(depth: int = 500) -> bytes:
    inside = text_part(b"the heart of it\r\n")
    for level in range(depth):
        inside = multipart(b"level-%d" % level, [inside])
    return top("nested") + inside


def nested_messages(depth: int = 120) -> bytes:
    head = top("russian-doll") + b"Content-Type: message/rfc822\r\n\r\n"
    return head * depth + top("heart") + b"\r\nthe heart of it\r\n"


def many_headers(count: int = 10_000) -> bytes:
    fields = b"".join(b"X-Field-%d: value %d\r\n" % (n, n) for n in range(count))
    return top("many-headers") + fields + b"\r\nbody\r\n"


def many_received(count: int = 200) -> bytes:
    field = b"Received: from a.test by b.test; Mon, 23 Nov 2026 09:00:00 +0100\r\n"
    return field * count + top("loop") + b"\r\nbody\r\n"


def many_parts(count: int = 3000) -> bytes:
    return top("many-parts") + multipart(b"p", [text_part(b"%d" % n) for n in range(count)])


def commas() -> bytes:
    pieces = (b"a," * 450 + b"\r\n " for _ in range(112))
    return b"To: " + b"".join(pieces) + b"b\r\n" + top("commas") + b"\r\nbody\r\n"


def parentheses(count: int = 20_000) -> bytes:
    folded = b"\r\n ".join(b"(" * 500 for _ in range(count // 500))
    return b"Cc: " + folded + b"\r\n" + top("parentheses") + b"\r\nbody\r\n"


def encoded_words(count: int = 8000) -> bytes:
    words = b"\r\n ".join(b"=?utf-8?q?=C3=A4?= =?iso-8859-1?b?5A==?=" for _ in range(count // 2))
    return b"Subject: " + words + b"\r\n" + top("words") + b"\r\nbody\r\n"


def empty_encoded_words() -> bytes:
    return b"Subject: " + b"=?" * 400 + b"\r\n" + top("half-words") + b"\r\nbody\r\n"


def many_semicolons() -> bytes:
    return top("semicolons") + b"Content-Type: text/plain" + b";" * 900 + b"\r\n\r\nbody\r\n"


def missing_boundary() -> bytes:
    return top("missing-boundary") + b"Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\ntext\r\n"


def wrong_boundary() -> bytes:
    return (
        top("wrong-boundary")
        + b"Content-Type: multipart/mixed; boundary=right\r\n\r\n--wrong\r\n\r\ntext\r\n"
    )


def not_closed() -> bytes:
    whole = multipart(b"open", [text_part(b"first"), text_part(b"second\r\n")])
    return top("not-closed") + whole.removesuffix(b"--open--\r\n")


def boundary_is_prefix() -> bytes:
    inner = multipart(b"ab", [text_part(b"one"), text_part(b"two")])
    return top("prefix") + multipart(b"a", [inner, text_part(b"three")])


def same_boundary_twice() -> bytes:
    inner = multipart(b"same", [text_part(b"one")])
    return top("same") + multipart(b"same", [inner, text_part(b"two")])


def false_delimiters(count: int = 30_000) -> bytes:
    return (
        top("false-delimiters")
        + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n"
        + b"--xx\r\n" * count
    )


def only_closing_delimiter() -> bytes:
    return top("closing") + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x--\r\n"


def empty_parts() -> bytes:
    return (
        top("empty-parts")
        + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
        + b"--x\r\n--x\r\n\r\n--x\r\nContent-Type: text/html\r\n--x--\r\n"
    )


def no_empty_line() -> bytes:
    return b"Subject: hand typed\r\nHello Bob,\r\nhow are you?\r\n"


def stray_line_in_header() -> bytes:
    return b"X-Broken: one\r\ntwo\r\n" + top("stray") + b"\r\nbody\r\n"


def eight_bit_header() -> bytes:
    head = top("eight").replace(b"Alice", "Zoë Müller".encode()).replace(b"eight", b"caf\xe9 noir")
    return (
        head
        + b'Content-Type: text/plain; charset=utf-8; name="\xc3\xa9t\xc3\xa9.txt"\r\n\r\n'
        + "naïve\r\n".encode()
    )


def long_lines(size: int = 5000) -> bytes:
    return top("long") + b"X-Long: " + b"x" * size + b"\r\n\r\n" + b"y" * size + b"\r\n"


def rfc2231() -> bytes:
    return (
        top("rfc2231")
        + b"Content-Type: application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20;\r\n"
        + b' title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2="isn\'t it!"\r\n'
        + b"Content-Disposition: attachment; filename*=utf-8''%e2%82%ac%20rates;\r\n"
        + b' filename="EURO rates"\r\n\r\nbody\r\n'
    )


def broken_encodings() -> bytes:
    bad_base64 = text_part(b"SGVsbG8\xff*gd29ybGQ", encoding=b"base64")
    bad_qp = text_part(b"=C3=A4=ZZ= \r\n=\r\n\xe4" + b"q" * 1500, encoding=b"quoted-printable")
    odd = text_part(b"what is this", b"x-unheard-of", b"x-invented")
    return top("broken-encodings") + multipart(b"e", [bad_base64, bad_qp, odd])


def nul_octets() -> bytes:
    return top("n\0ul") + b"\r\na\0b\r\n"


def bare_line_feeds() -> bytes:
    return alternative_with_attachment().replace(b"\r\n", b"\n")


def bare_carriage_returns() -> bytes:
    return top("bare-cr") + b"X-Odd: a\rb\r\n\r\none\rtwo\r\n"


def everything_at_once() -> bytes:
    return noise(4096)


def empty() -> bytes:
    return b""


SAMPLES = (
    *(
        Sample(build.__name__, build, is_hostile=False)
        for build in (
            plain,
            no_header,
            no_header_one_line,
            alternative_with_attachment,
            attached_message,
            digest,
            latin1_body,
            encoded_subject,
        )
    ),
    *(
        Sample(build.__name__, build)
        for build in (
            text_that_looks_like_fields,
            begins_with_empty_line,
            nested_multiparts,
            nested_messages,
            many_headers,
            many_received,
            many_parts,
            commas,
            parentheses,
            encoded_words,
            empty_encoded_words,
            many_semicolons,
            missing_boundary,
            wrong_boundary,
            not_closed,
            boundary_is_prefix,
            same_boundary_twice,
            false_delimiters,
            only_closing_delimiter,
            empty_parts,
            no_empty_line,
            stray_line_in_header,
            eight_bit_header,
            long_lines,
            rfc2231,
            broken_encodings,
            nul_octets,
            bare_line_feeds,
            bare_carriage_returns,
            everything_at_once,
            empty,
        )
    ),
)


def attachment(size: int = 50 << 20) -> Iterator[bytes]:
    """A message of about `size` octets with one attachment, in pieces of about 64 KiB."""
    head = (
        b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="large.bin"\r\n\r\n'
    )
    yield top("large") + b'Content-Type: multipart/mixed; boundary="large"\r\n\r\n'
    yield b"--large\r\n" + text_part(b"Find it attached.\r\n", encoding=b"7bit") + b"\r\n"
    yield b"--large\r\n" + head
    piece = base64_lines(noise(57 * 840))
    for _ in range(max(1, size // len(piece))):
        yield piece
    yield b"\r\n--large--\r\n"
