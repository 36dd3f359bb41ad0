"""Every word of ours has its Spanish, and what is compiled is what was written."""

import ast
import gettext
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
OURS = ("mailhost", "accounts", "delivery", "protocols")
SPANISH = TOP / "locale" / "es" / "LC_MESSAGES" / "django.po"
CATALOGUES = sorted((TOP / "locale").rglob("*.po"))
CALLS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy"}
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
TRANSLATE = re.compile(r'{% translate "([^"]+)"')
BLOCK = re.compile(r"{% blocktranslate[^%]*%}(.*?){% endblocktranslate %}", re.DOTALL)
PLACE = re.compile(r"%(?:\(\w+\))?[sd]")


def entries(path: Path) -> Iterator[tuple[str, list[str]]]:
    """(msgid, its translations, one a plural form) of a .po file, its header left out."""
    for block in path.read_text().split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if line.startswith("#"):
                assert not re.match("#, .*fuzzy", line), f"{path}: {block}"
                continue
            if line.startswith("msg"):
                name = line.split(" ", 1)[0]
            fields[name] = fields.get(name, "") + "".join(
                ast.literal_eval(text) for text in QUOTED.findall(line)
            )
        if fields.get("msgid"):
            forms = [text for key, text in sorted(fields.items()) if key.startswith("msgstr")]
            yield fields["msgid"], forms


@cache
def spanish() -> dict[str, list[str]]:
    return dict(entries(SPANISH))


def said_in_code(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation":
            # Who gathers the words (`make messages`, and we here) knows no other name.
            names = {each.asname for each in node.names if each.asname}
            assert names <= {"_"}, f"{path}: {names}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            first = node.args[0] if node.args else None
            if node.func.id in CALLS and isinstance(first, ast.Constant):
                yield str(first.value)


def said_on_page(path: Path) -> Iterator[str]:
    text = path.read_text()
    yield from TRANSLATE.findall(text)
    for block in BLOCK.findall(text):
        yield re.sub(r"{{ *(\w+) *}}", r"%(\1)s", block)


def said() -> set[str]:
    words: set[str] = set()
    for room in OURS:
        for path in (TOP / room).rglob("*.py"):
            words.update(said_in_code(path))
        for path in (TOP / room).rglob("*.html"):
            words.update(said_on_page(path))
    return words


def test_every_word_of_ours_has_its_spanish() -> None:
    # `make messages` adds what is new to the .po file.
    assert len(said()) > 150
    assert sorted(said() - {words for words, forms in spanish().items() if all(forms)}) == []


def test_no_spanish_is_left_of_what_nobody_says() -> None:
    assert sorted(spanish().keys() - said()) == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: str(path.relative_to(TOP)))
def test_what_is_compiled_is_what_was_written(path: Path) -> None:
    with path.with_suffix(".mo").open("rb") as compiled:
        catalogue = gettext.GNUTranslations(compiled)
    written = dict(entries(path))
    assert written
    for words, forms in written.items():
        if len(forms) == 1:
            assert catalogue.gettext(words) == forms[0]
        else:
            assert [catalogue.ngettext(words, "", n) for n in (1, 2)] == forms


def test_what_is_filled_in_stays_the_same() -> None:
    for words, forms in spanish().items():
        for form in forms:
            assert sorted(PLACE.findall(form)) == sorted(PLACE.findall(words)), words


def test_the_reader_is_usted() -> None:
    familiar = re.compile(r"\b(tú|tu|tus|eres|puedes|tienes|quieres|escribe tu)\b", re.IGNORECASE)
    assert [form for forms in spanish().values() for form in forms if familiar.search(form)] == []


def test_a_tenant_is_an_organisation() -> None:
    tenants = [forms for words, forms in spanish().items() if re.search(r"\btenants?\b", words)]
    assert len(tenants) > 5
    said = [form for forms in tenants for form in forms]
    assert [form for form in said if not re.search("organizaci[oó]n", form)] == []
