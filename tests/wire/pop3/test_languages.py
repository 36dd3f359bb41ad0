"""Languages of replies: every text of ours has its Spanish, and no number is lost in it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocols.wire.pop3.languages import _SPANISH, NAMES, find_language, in_language, listing

TOP = Path(__file__).resolve().parents[3] / "protocols"
SAID = {"Ok", "Err", "Listing", "Message", "BadCommand", "_refuse"}
# Said before anybody can have chosen a language.
NOT_TRANSLATED = {"# POP3 ready"}


def texts(path: Path) -> Iterator[str]:
    """What a module says to clients, with # for what is filled in."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        text = node.args[0]
        if name not in SAID:
            continue
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            yield text.value
        elif isinstance(text, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "#" for part in text.values
            )


@pytest.mark.parametrize(
    "path",
    [TOP / "servers/pop3.py", TOP / "wire/pop3/server.py", TOP / "wire/pop3/commands.py"],
    ids=lambda path: path.name,
)
def test_every_text_has_its_spanish(path: Path) -> None:
    found = set(texts(path))
    assert found
    said = {text.replace("1", "#") for text in found if any(map(str.isalpha, text))}
    assert said - NOT_TRANSLATED - _SPANISH.keys() == set()


def test_numbers_stay() -> None:
    for english, spanish in _SPANISH.items():
        assert english.count("#") == spanish.count("#")
    assert in_language("12 messages", "es") == "12 mensajes"
    assert in_language("2 320", "es") == "2 320"
    assert in_language("12 messages", "en") == "12 messages"


@pytest.mark.parametrize(
    ("language_range", "tag"),
    [
        ("en", "en"),
        ("ES", "es"),
        ("es-419", "es"),
        ("es-x-private", "es"),
        ("*", "en"),
        ("fr", None),
        ("fr-es", None),
        ("-", None),
        ("\ufffd", None),
    ],
)
def test_a_range_finds_its_language(language_range: str, tag: str | None) -> None:
    assert find_language(language_range) == tag


def test_the_list_names_them_all() -> None:
    assert listing().count(b"\r\n") == len(NAMES)
