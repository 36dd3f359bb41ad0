"""Lines of columns, and of long octets: nothing in the octets is taken for a template."""

from collections.abc import Sequence

import pytest

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


@pytest.mark.parametrize("rows", [0, 1, 99, 100, 101, 250, 300])
def test_every_row_has_a_line(rows: int) -> None:
    numbers, texts = range(7, 7 + rows), [b"%%d%d" % at for at in range(rows)]
    expected = [b"* %d 100%% %b\r\n" % pair for pair in zip(numbers, texts, strict=True)]
    assert rendering.lines(b"* %d 100%% %b\r\n", [numbers, texts]) == b"".join(expected)
    assert rendering.lines(b"%d,", [numbers]) == b"".join(b"%d," % each for each in numbers)


def test_a_column_that_is_too_short_is_an_error() -> None:
    with pytest.raises(ValueError, match="size"):
        rendering.lines(b"%d %d", [[1, 2], [1]])


@pytest.mark.parametrize("numbers", [range(9, 12), range(1), [7], [5, 6, 2**63], [1, 9, 3]])
def test_digits_are_those_of_each_number(numbers: Sequence[int]) -> None:
    assert rendering.digits(numbers) == [b"%d" % each for each in numbers]
