"""Read what `prepare` writes, strictly by the grammar of RFC 9051 §9; for tests only."""

import re

_TOKEN = re.compile(
    rb'( )|(\()|(\))|(NIL)(?=[ )]|\Z)|(\d+)(?=[ )]|\Z)|"((?:[^"\\\r\n\0\x80-\xff]|\\["\\])*)"'
    rb"|\{(\d+)\}\r\n"
)


def read_list(wire: bytes) -> list:
    """Nested lists of bytes, int and None. Raises AssertionError where the syntax is wrong."""
    stack: list[list] = [[]]
    at = 0
    while at < len(wire):
        token = _TOKEN.match(wire, at)
        assert token, f"no token at {at}: {wire[at : at + 40]!r}"
        at = token.end()
        space, opening, closing, nil, number, quoted, literal = token.groups()
        if space:
            assert wire[at : at + 1] not in (b" ", b")", b""), "a space before nothing"
        elif opening:
            stack.append([])
        elif closing:
            done = stack.pop()
            assert stack, "closes what was not opened"
            assert done, "an empty list"
            stack[-1].append(done)
        elif nil:
            stack[-1].append(None)
        elif number:
            stack[-1].append(int(number))
        elif literal:
            value = wire[at : at + int(literal)]
            assert len(value) == int(literal)
            assert b"\0" not in value
            stack[-1].append(value)
            at += len(value)
        else:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", quoted))
    assert len(stack) == 1, "not closed"
    assert len(stack[0]) == 1, "more than one list"
    return stack[0][0]


def check_envelope(envelope: list) -> None:
    assert len(envelope) == 10
    for text in (envelope[0], envelope[1], envelope[8], envelope[9]):
        assert text is None or isinstance(text, bytes)
    for addresses in envelope[2:8]:
        for address in addresses or ():
            assert len(address) == 4
            assert all(item is None or isinstance(item, bytes) for item in address)


def check_body(body: list, *, is_extended: bool) -> None:
    """BODY, or BODYSTRUCTURE with all extension data."""
    if isinstance(body[0], list):
        children = [item for item in body if isinstance(item, list)]
        count = next(n for n, item in enumerate(body) if not isinstance(item, list))
        rest = body[count:]
        assert isinstance(rest[0], bytes)
        assert len(rest) == (5 if is_extended else 1)
        if is_extended:
            _check_params(rest[1])
            _check_extension(rest[2:])
        for child in children[:count]:
            check_body(child, is_extended=is_extended)
        return
    kind, subtype, params, content_id, description, encoding, octets = body[:7]
    assert isinstance(kind, bytes)
    assert isinstance(subtype, bytes)
    assert isinstance(encoding, bytes)
    assert isinstance(octets, int)
    assert kind.lower() != b"multipart"
    _check_params(params)
    assert all(item is None or isinstance(item, bytes) for item in (content_id, description))
    rest = body[7:]
    if (kind.lower(), subtype.lower()) in ((b"message", b"rfc822"), (b"message", b"global")):
        check_envelope(rest[0])
        check_body(rest[1], is_extended=is_extended)
        assert isinstance(rest[2], int)
        rest = rest[3:]
    elif kind.lower() == b"text":
        assert isinstance(rest[0], int)
        rest = rest[1:]
    if not is_extended:
        assert rest == []
        return
    assert rest[0] is None or isinstance(rest[0], bytes)
    _check_extension(rest[1:])


def _check_extension(items: list) -> None:
    disposition, language, location = items
    if disposition is not None:
        assert isinstance(disposition[0], bytes)
        assert len(disposition) == 2
        _check_params(disposition[1])
    assert language is None or isinstance(language, bytes | list)
    assert location is None or isinstance(location, bytes)


def _check_params(params: list | None) -> None:
    if params is not None:
        assert len(params) % 2 == 0
        assert all(isinstance(item, bytes) for item in params)
