"""What the README, the Makefile and the commands promise is there."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.core.management import get_commands

from mailhost.config import Config

TOP = Path(__file__).resolve().parents[2]
PAGES = sorted([TOP / "README.md", TOP / "CHANGELOG.md", *(TOP / "docs").rglob("*.md")])
OURS = ("mailhost", "accounts", "delivery", "protocols")
# ARCHITECTURE, names: what nothing may be called.
FORBIDDEN_NAMES = {
    *("utils", "helpers", "common", "core", "base", "lib", "services", "handlers", "managers"),
}
COMMANDS = {
    *("up", "serve", "check", "domain", "mailbox", "alias", "queue", "backup", "restore", "fsck"),
}


def make_targets() -> set[str]:
    text = (TOP / "Makefile").read_text()
    return set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))


def modules() -> list[Path]:
    return [path for room in OURS for path in sorted((TOP / room).rglob("*.py"))]


def test_every_target_is_there() -> None:
    wanted = {"up", "test", "partners", "check", "proof", "bench", "docs", "clean"}
    assert wanted <= make_targets()


def test_every_command_is_there() -> None:
    assert get_commands().keys() >= COMMANDS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_pages_name_only_targets_and_commands_that_exist(page: Path) -> None:
    text = page.read_text()
    named = set(re.findall(r"\bmake ([a-z]+)\b(?=[`\s#])", "\n".join(code_of(text))))
    assert named <= make_targets()
    commands = set(re.findall(r"manage\.py ([a-z]+)", text))
    assert commands <= get_commands().keys()


def code_of(text: str) -> list[str]:
    """Fenced and indented blocks, and what stands between backquotes."""
    fenced = re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL)
    return [*fenced, *re.findall(r"`([^`\n]+)`", text), *re.findall(r"^ {4}(.+)$", text, re.M)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_paths_named_in_code_spans_exist() -> None:
    for page in PAGES:
        spans = re.findall(r"`([a-z_]+/[\w./-]+)`", page.read_text())
        rooms = (*OURS, "docs", "tests", "deploy")
        ours = [span for span in spans if span.split("/")[0] in rooms]
        assert [span for span in ours if not (TOP / span).exists()] == [], page


def test_the_ports_of_the_readme_are_the_default() -> None:
    text = (TOP / "README.md").read_text()
    fields = Config.model_fields
    ports = [field.default for name, field in fields.items() if name.endswith("_port")]
    local = {port for port in ports if port not in (25, 8443)}
    assert [port for port in sorted(local) if str(port) not in text] == []


def test_the_tree_of_the_architecture_page_is_fresh() -> None:
    found = subprocess.run(
        [sys.executable, str(TOP / "docs" / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(TOP))
        for path in modules()
        if "migrations" not in path.parts
        and path.read_text().strip()
        and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_nothing_is_called_what_says_nothing() -> None:
    bad = [path for path in modules() if {path.stem, path.parent.name} & FORBIDDEN_NAMES]
    assert bad == []


def test_the_lock_names_public_hosts_only() -> None:
    text = (TOP / "uv.lock").read_text()
    hosts = set(re.findall(r"https?://([^/\"]+)", text))
    assert hosts <= {"pypi.org", "files.pythonhosted.org"}


def test_the_lock_is_the_same_on_every_python() -> None:
    packages = tomllib.loads((TOP / "uv.lock").read_text())["package"]
    names = [package["name"] for package in packages]
    assert len(names) == len(set(names))


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=TOP, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("needs a git checkout")
    return [TOP / name for name in listed.stdout.split("\0") if name]


def test_no_path_of_one_machine_is_kept() -> None:
    private = re.compile(r"(?<!\w)/(?:home/\w+/|root/|work/(?:main|shared))\w*")
    bad = [
        path
        for path in tracked()
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".service", ".txt", ""}
        and path.is_file()
        and path != Path(__file__)
        and private.search(path.read_text(errors="ignore"))
    ]
    assert bad == []


def test_todos_carry_an_issue() -> None:
    bad = [p for p in modules() if re.search(r"\b(TODO|FIXME|XXX)\b(?!.*#\d)", p.read_text())]
    assert bad == []


def test_ci_runs_everything_and_passes_the_status_on(tmp_path: Path) -> None:
    """`.ci/run` with a `make` that fails, in a copy of nothing else."""
    script = tmp_path / "project" / ".ci" / "run"
    script.parent.mkdir(parents=True)
    script.write_bytes((TOP / ".ci" / "run").read_bytes())
    script.chmod(0o755)
    fake = tmp_path / "bin" / "make"
    fake.parent.mkdir()
    fake.write_text(
        '#!/bin/sh\necho "$1 $MAILHOST_REQUIRE_PARTNERS" >> "$CALLS"\n'
        '[ "$1" = check ] && echo "1 failed, 2 passed in 3.00s" && exit 2\nexit 0\n'
    )
    fake.chmod(0o755)
    calls = tmp_path / "calls"
    found = subprocess.run(
        [str(script)],
        env={"PATH": f"{fake.parent}:/usr/bin:/bin", "CALLS": str(calls)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 2
    assert calls.read_text().splitlines() == ["partners 1", "check 1"]
    assert found.stdout.splitlines()[-1] == "1 failed, 2 passed in 3.00s"
