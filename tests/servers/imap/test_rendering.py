"""Lines with long octets in them: joined, and nothing in the octets is taken for a template."""

from protocols.servers.imap import rendering


def test_octets_stand_between_the_parts_of_their_line() -> None:
    parts = [
        (b"* %d FETCH (BODY[1] {%d}\r\n", [[1, 2], [2, 0]]),
        (b" FLAGS () BODY[%%] {%d}\r\n", [[1, 4]]),
        (b")\r\n", []),
    ]
    octets = [[b"%d", b""], [b"a", b"%%%b"]]
    assert b"".join(rendering.pieces_around(parts, octets)) == (
        b"* 1 FETCH (BODY[1] {2}\r\n%d FLAGS () BODY[%] {1}\r\na)\r\n"
        b"* 2 FETCH (BODY[1] {0}\r\n FLAGS () BODY[%] {4}\r\n%%%b)\r\n"
    )
