"""The files in deploy/ fit the code, as far as that can be seen without a second machine."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from django.core.management import load_command_class

from tests.partners.presence import need, program

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
# The root zone's key signing key of 2017, as IANA publishes it.
ROOT_KEY = "20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
UNITS = sorted((DEPLOY / "systemd").iterdir())


def config(**environment: str) -> subprocess.CompletedProcess[str]:
    """Load the settings in a process of their own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MAILHOST_")}
    return subprocess.run(
        [sys.executable, "-c", "from mailhost.config import Config; print(Config().hostname)"],
        env={**kept, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def serve_accepts(services: list[str]) -> None:
    parser = load_command_class("protocols", "serve").create_parser("manage.py", "serve")
    parser.parse_args(services)


def check_command(words: list[str]) -> None:
    """A command line of ours names a command and options that exist."""
    if "celery" in words[0]:
        assert words[1:3] == ["-A", "mailhost"]
        assert words[3] in ("worker", "beat")
        return
    command = next(word for word in words if word in ("serve", "migrate", "check"))
    if command == "serve":
        serve_accepts(words[words.index("serve") + 1 :])


def test_the_image_is_made_with_the_uv_of_the_makefile() -> None:
    found = re.search(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found
    assert f" uv=={found[1]} " in (DEPLOY / "Dockerfile").read_text()


def test_the_example_settings_load() -> None:
    loaded = config(MAILHOST_CONFIG=str(DEPLOY / "mailhost.toml"))
    assert loaded.stdout.strip() == "mail.example.org", loaded.stderr


def test_a_key_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mailhost.toml").write_text('hostnaem = "mail.example.org"\n')
    loaded = config(MAILHOST_CONFIG=str(tmp_path / "mailhost.toml"))
    assert loaded.returncode != 0
    assert "hostnaem" in loaded.stderr


def test_compose_names_every_process_kind() -> None:
    names = "postgres redis unbound migrate mx access worker beat web manage"
    assert set(COMPOSE["services"]) == set(names.split())
    for name in ("mx", "access", "web", "worker", "beat"):
        service = COMPOSE["services"][name]
        entry = service.get("entrypoint", ["python", "manage.py"])
        check_command([*entry, *service["command"]])


def test_compose_sets_only_settings_that_exist() -> None:
    from mailhost.config import Config

    for service in COMPOSE["services"].values():
        for key in service.get("environment", {}):
            if key.startswith("MAILHOST_"):
                name = key.removeprefix("MAILHOST_").removesuffix("_FILE").lower()
                assert name in Config.model_fields, key


def test_compose_mounts_files_that_exist() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (DEPLOY / source).exists(), source
        build = service.get("build")
        if build:
            assert (DEPLOY / build["context"] / build["dockerfile"]).exists()


def test_only_what_has_no_port_of_the_host_is_scaled() -> None:
    scaled = re.findall(r"--scale (\w+)=", (DEPLOY / "README.md").read_text())
    assert scaled
    assert [name for name in scaled if "ports" in COMPOSE["services"][name]] == []


def test_secrets_get_into_no_image_and_no_commit() -> None:
    for secret in COMPOSE["secrets"].values():
        directory = (DEPLOY / secret["file"]).parent.relative_to(ROOT)
        assert str(directory) in (ROOT / ".dockerignore").read_text().splitlines()
        assert f"/{directory}/" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_user_of_the_image_can_read_its_secrets() -> None:
    """Compose shows the files with the owner and the mode that they have outside."""
    [user] = re.findall(r"useradd .*--uid (\d+) ", (DEPLOY / "Dockerfile").read_text())
    owned = re.findall(rf"^    chown {user} (.*?) *#", (DEPLOY / "README.md").read_text(), re.M)
    for service in ("mx", "access", "worker", "beat", "web", "migrate"):
        for secret in COMPOSE["services"][service]["secrets"]:
            assert COMPOSE["secrets"][secret]["file"].removeprefix("./") in owned[0].split()


@pytest.mark.parametrize("name", ["mx", "access", "worker", "web"])
def test_containers_take_no_mark_of_life_for_their_own(name: str) -> None:
    """Each has a process 1, and all of them share the home."""
    assert any(
        each.startswith("/var/lib/mailhost/run") for each in COMPOSE["services"][name]["tmpfs"]
    )


def test_when_tasks_ran_last_outlives_beat() -> None:
    """Or what is done each day waits for a day in which beat was not started anew."""
    home = "/var/lib/mailhost"
    unit = (DEPLOY / "systemd" / "mailhost-beat.service").read_text()
    assert COMPOSE["services"]["beat"]["volumes"] == [f"mail:{home}"]
    assert "StateDirectory=mailhost\n" in unit
    for words in (COMPOSE["services"]["beat"]["command"], unit.split()):
        assert f"--schedule={home}/beat-schedule" in words


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_units_run_commands_that_exist(unit: Path) -> None:
    for line in unit.read_text().splitlines():
        if match := re.match(r"ExecStart(?:Post)?=(.*)", line):
            check_command(shlex.split(match[1]))


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_units_write_for_their_user_alone(unit: Path) -> None:
    text = unit.read_text()
    assert ("UMask=0077" in text) is ("StateDirectoryMode=0700" in text) is ("User=" in text)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_restart_of_the_target_is_one_of_every_unit(unit: Path) -> None:
    """Of the migrations too, which stay "active" and would be left out after an upgrade."""
    assert ("PartOf=mailhost.target" in unit.read_text()) is (unit.suffix == ".service")


def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    """The units are verified with their programs replaced by one that exists everywhere."""
    need("systemd-analyze")
    analyze = str(program("systemd-analyze"))
    for unit in UNITS:
        text = re.sub(r"(?m)^(ExecStart(?:Post)?=)\S+", r"\1/bin/true", unit.read_text())
        (tmp_path / unit.name).write_text(text)
    result = subprocess.run(
        [analyze, "verify", "--man=no", *(str(tmp_path / unit.name) for unit in UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in result.stderr.splitlines() if "mailhost" in line]
    assert ours == []


def test_unbound_accepts_its_configuration(tmp_path: Path) -> None:
    need("unbound-checkconf")
    checker = str(program("unbound-checkconf"))
    # The trust anchor's directory is unbound's own on the target machine.
    text = (DEPLOY / "unbound" / "unbound.conf").read_text()
    (tmp_path / "root.key").write_text(f". IN DS {ROOT_KEY}\n")
    (tmp_path / "unbound.conf").write_text(text.replace("/var/lib/unbound/", f"{tmp_path}/"))
    result = subprocess.run(
        [checker, str(tmp_path / "unbound.conf")], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
