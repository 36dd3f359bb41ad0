"""Settings: what is read from where, and one sentence for whatever is wrong."""

import os
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from django.test import override_settings

from delivery import outbound
from mailhost import settings
from mailhost.config import Config, ConfigError, load


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MAILHOST_")]:
        monkeypatch.delenv(name)


def test_the_embedded_default() -> None:
    config = load()
    assert config.is_embedded
    assert config.bind == "127.0.0.1"
    assert config.allow_plaintext_loopback
    assert config.outbound_allow_nets == [ip_network("127.0.0.0/8")]
    assert config.ports == {
        "web_port": 8080,
        "webs_port": 8443,
        "smtp_port": 2525,
        "submission_port": 2587,
        "submissions_port": 2465,
        "imap_port": 2143,
        "imaps_port": 2993,
        "pop3_port": 2110,
        "pop3s_port": 2995,
    }
    assert config.max_message_size == 100 << 20
    assert config.outbound_port == 25


def test_an_operator_may_forbid_private_networks_on_the_embedded_database(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "mailhost.toml"
    path.write_text("outbound_allow_nets = []\n")
    monkeypatch.setenv("MAILHOST_CONFIG", str(path))
    with override_settings(MAILHOST=load()):
        assert outbound.setting().routing.allowed_networks == ()


@pytest.mark.parametrize("is_in_a_file", [False, True])
def test_with_a_database_server_nothing_is_allowed_unasked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_in_a_file: bool
) -> None:
    if is_in_a_file:
        path = tmp_path / "url"
        path.write_text("postgres://u@h/db\n")
        monkeypatch.setenv("MAILHOST_DATABASE_URL_FILE", str(path))
    else:
        monkeypatch.setenv("MAILHOST_DATABASE_URL", "postgres://u@h/db")
    config = load()
    assert not config.is_embedded
    assert not config.allow_plaintext_loopback
    assert config.outbound_allow_nets == []


def test_values_are_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILHOST_RETRY_SCHEDULE", "2s, 30m,1.5h")
    monkeypatch.setenv("MAILHOST_DNS_SERVERS", "127.0.0.1:5353,::1")
    monkeypatch.setenv("MAILHOST_MAX_MESSAGE_SIZE", "10M")
    monkeypatch.setenv("MAILHOST_DEMO", "0")
    config = load()
    spans = [timedelta(seconds=2), timedelta(minutes=30), timedelta(minutes=90)]
    assert config.retry_schedule == spans
    assert config.dns_servers == ["127.0.0.1:5353", "::1"]
    assert config.max_message_size == 10 << 20
    assert not config.demo


def test_the_environment_wins_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "mailhost.toml"
    path.write_text('hostname = "mx.file.test"\nsmtp_port = 25\nretry_schedule = ["2s", "4s"]\n')
    monkeypatch.setenv("MAILHOST_CONFIG", str(path))
    monkeypatch.setenv("MAILHOST_SMTP_PORT", "26")
    config = load()
    assert (config.hostname, config.smtp_port) == ("mx.file.test", 26)
    assert config.retry_schedule == [timedelta(seconds=2), timedelta(seconds=4)]


def test_secrets_come_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("a secret from a file\n")
    monkeypatch.setenv("MAILHOST_SECRET_KEY_FILE", str(path))
    assert load().secret_key == "a secret from a file"


def test_a_file_that_the_environment_names_wins_over_the_settings_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret, config = tmp_path / "url", tmp_path / "mailhost.toml"
    secret.write_text("postgres://u:secret@h/db\n")
    config.write_text('database_url = "postgres://u@h/db"\n')
    monkeypatch.setenv("MAILHOST_CONFIG", str(config))
    monkeypatch.setenv("MAILHOST_DATABASE_URL_FILE", str(secret))
    assert load().database_url == "postgres://u:secret@h/db"
    monkeypatch.setenv("MAILHOST_DATABASE_URL", "postgres://v@h/db")
    assert load().database_url == "postgres://v@h/db"


def test_options_of_the_database_url_are_for_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgres://u@h/db?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem"
    monkeypatch.setenv("MAILHOST_DATABASE_URL", url)
    options = settings._database(load().database_url)["OPTIONS"]
    assert options["sslmode"] == "verify-full"
    assert options["sslrootcert"] == "/etc/ca.pem"
    assert options["connect_timeout"] == 5


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SMTP_PORT", "abc", "MAILHOST_SMTP_PORT is “abc”: write a whole number."),
        ("DEMO", "maybe", "MAILHOST_DEMO is “maybe”: write 1 or 0."),
        ("STALL_TIMEOUT", "0s", "“0s”: it has to be longer than nothing; write for example 60s."),
        ("SMTP_PORT", "70000", "less than or equal to 65535"),
        ("BIND", "everywhere", "MAILHOST_BIND is “everywhere”"),
        ("RETRY_SCHEDULE", "2x", "write for example 30m, 2h or 5d"),
        ("MAX_MESSAGE_SIZE", "big", "write for example 500M or 5G"),
        ("OUTBOUND_ALLOW_NETS", "home", "does not appear to be an IPv4 or IPv6 network"),
        ("SMTPPORT", "25", "MAILHOST_SMTPPORT is no setting; MAILHOST_SMTP_PORT is one."),
        ("LMTP_PORT", "24", "MAILHOST_LMTP_PORT is no setting"),
        ("CONFIG", "/nonexistent", "MAILHOST_CONFIG names /nonexistent, which cannot be read."),
        ("SECRET_KEY_FILE", "/nonexistent", "MAILHOST_SECRET_KEY_FILE names /nonexistent"),
        ("CONFIG", "/tmp", "MAILHOST_CONFIG names /tmp, which cannot be read."),
        (
            "SECRET_KEY_FILE",
            "/dev/null",
            "MAILHOST_SECRET_KEY_FILE names /dev/null, which is empty",
        ),
        ("DATABASE_URL_FILE", "/dev/null", "names /dev/null, which is empty."),
        ("RETRY_SCHEDULE", "30m,999999999d", "'999999999d' is too long; the most is 3650d."),
        ("STALL_TIMEOUT", "9" * 30 + "d", "is no span of time"),
        ("MAX_MESSAGE_SIZE", "0", "MAILHOST_MAX_MESSAGE_SIZE is “0”: input should be greater"),
        ("DATABASE_URL", "mail.db", "write postgres://USER:PASSWORD@HOST/NAME."),
        ("DATABASE_URL", "mysql://u@h/db", "write postgres://USER:PASSWORD@HOST/NAME."),
        ("DATABASE_URL", "postgres://u:secret@h:port/db", "MAILHOST_DATABASE_URL: write postgres:"),
        ("DATABASE_URL", "postgres://u@h", "MAILHOST_DATABASE_URL: it names no database"),
        ("DATABASE_URL", "postgres://u@h/db?ssl=on", 'invalid connection option "ssl"'),
        ("DATABASE_URL", "postgres://u@h/db?sslmode", "what stands after ? is nothing for libpq"),
        ("DATABASE_URL", "postgres://u:a#b@h/db", "write postgres://USER:PASSWORD@HOST/NAME."),
        ("REDIS_URL", "localhost", "MAILHOST_REDIS_URL: write redis://HOST:6379/0."),
        ("REDIS_URL", "redis://h:port/0", "MAILHOST_REDIS_URL: write redis://HOST:6379/0."),
        ("REDIS_URL", "redis://h:6379/abc", "what stands after the host is a number"),
        ("REDIS_URL", "redis://h:6379/-1", "what stands after the host is a number"),
        ("LOG_FORMAT", "xml", "MAILHOST_LOG_FORMAT is “xml”"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"MAILHOST_{name}", value)
    with pytest.raises(ConfigError) as error:
        load()
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(".")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shoe = 1\n", "“shoe” in"),
        ("= nonsense\n", "is not TOML"),
        ("[a\n", "is not TOML"),
        ("hostname = '\udcff'\n", "is not TOML"),
    ],
)
def test_what_is_wrong_in_the_file_is_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "mailhost.toml"
    path.write_text(text, errors="surrogateescape")
    monkeypatch.setenv("MAILHOST_CONFIG", str(path))
    with pytest.raises(ConfigError) as error:
        load()
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_every_setting_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    names = [f"MAILHOST_{name.upper()}" for name in Config.model_fields]
    assert [name for name in names if f"`{name}`" not in text] == []
