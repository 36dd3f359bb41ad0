"""What an operator may set, typed, from `MAILHOST_…` variables and an optional TOML file.

Order: environment, then the file named by `MAILHOST_CONFIG`, then the default. Unknown keys are
refused. Any secret may come from a file: `MAILHOST_SECRET_KEY_FILE`.
"""

import os
import re
import tomllib
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from accounts.limits import parse_size

Network = IPv4Network | IPv6Network

_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
# Nothing here waits longer, and no moment that far away is beyond the calendar.
LONGEST_SPAN = timedelta(days=3650)


def parse_span(text: str) -> timedelta:
    """A span such as `30m` or `2s`; ValueError when it is none."""
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no span of time; write for example 30m, 2h or 5d")
    span = timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
    if span > LONGEST_SPAN:
        raise ValueError(f"{text!r} is too long; the most is {LONGEST_SPAN.days}d")
    return span


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _networks(value: Any) -> Any:
    return [
        ip_network(part, strict=False) if isinstance(part, str) else part for part in _split(value)
    ]


def _spans(value: Any) -> Any:
    return [parse_span(part) if isinstance(part, str) else part for part in _split(value)]


def _span(value: Any) -> Any:
    return parse_span(value) if isinstance(value, str) else value


def _some_time(value: timedelta) -> timedelta:
    if value <= timedelta():
        raise ValueError("it has to be longer than nothing; write for example 60s")
    return value


def _address(value: str) -> str:
    return str(ip_address(value))


def _web_address(value: str) -> str:
    # Mail programs show it to people, who may click on it.
    if value and re.fullmatch(r"https?://[!-~]{1,500}", value) is None:
        raise ValueError("write an address of the web, such as https://help.example.org/")
    return value


def _database(url: str) -> str:
    if not url or url.startswith("sqlite://"):
        return url
    parts = _parts(url, ("postgres", "postgresql"), "postgres://USER:PASSWORD@HOST/NAME")
    if not parts.path.strip("/"):
        raise ValueError("it names no database; write postgres://USER:PASSWORD@HOST/NAME")
    if parts.fragment:
        raise ValueError("write # in a password as %23, and ? as %3F")
    # Not for who has no PostgreSQL: it takes a tenth of a second.
    from psycopg import ProgrammingError
    from psycopg.conninfo import make_conninfo

    try:
        # What libpq takes, such as sslmode.
        make_conninfo(**dict(parse_qsl(parts.query, strict_parsing=bool(parts.query))))
    except (ProgrammingError, ValueError) as error:
        raise ValueError(
            f"what stands after ? is nothing for libpq: {str(error).strip()}"
        ) from None
    return url


def _redis(url: str) -> str:
    if url:
        parts = _parts(url, ("redis", "rediss"), "redis://HOST:6379/0")
        if re.fullmatch(r"/?[0-9]*", parts.path) is None:
            # The worker would stop at it, and servers take it for 0.
            raise ValueError("what stands after the host is a number, as in redis://HOST:6379/0")
    return url


def _parts(url: str, schemes: tuple[str, ...], example: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        # Only who asks for the port hears that it is none.
        is_one = parts.scheme in schemes and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise ValueError(f"write {example}")
    return parts


def _size(value: Any) -> Any:
    return parse_size(value) if isinstance(value, str) else value


Words = Annotated[list[str], NoDecode, BeforeValidator(_split)]
Networks = Annotated[list[Network], NoDecode, BeforeValidator(_networks)]
Span = Annotated[timedelta, BeforeValidator(_span), AfterValidator(_some_time)]
Spans = Annotated[list[timedelta], NoDecode, BeforeValidator(_spans)]
Size = Annotated[int, BeforeValidator(_size), Field(ge=1)]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1)]

SECRETS = ("secret_key", "database_url", "redis_url")
# Names under our prefix that are no settings: they steer the tests and measurements.
_NO_SETTINGS = ("CONFIG", "TEST_", "REQUIRE_PARTNERS", "PROOF", "BENCH_")


class ConfigError(Exception):
    """A setting that cannot be used; one sentence a line, for the operator."""


class Config(BaseSettings):
    """Every setting of the platform. `docs/operating.md` tells what each is for."""

    model_config = SettingsConfigDict(
        env_prefix="MAILHOST_", extra="forbid", env_ignore_empty=True, frozen=True
    )

    # Django asks this of every value it gives out. Without an answer pydantic searches for one at
    # length, which made `settings.MAILHOST` the dearest thing in some sessions.
    _mask_wrapped: ClassVar[bool] = True

    home: Path = Path("var")
    hostname: str = "mail.example.test"
    bind: Annotated[str, AfterValidator(_address)] = "127.0.0.1"
    debug: bool = False
    log_format: Literal["auto", "json", "console"] = "auto"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    demo: bool = True
    postmaster: str = ""
    support_url: Annotated[str, AfterValidator(_web_address)] = ""

    secret_key: str = ""
    database_url: Annotated[str, AfterValidator(_database)] = ""
    redis_url: Annotated[str, AfterValidator(_redis)] = ""
    blobs_url: str = ""

    web_port: Port = 8080
    webs_port: Port = 8443
    smtp_port: Port = 2525
    submission_port: Port = 2587
    submissions_port: Port = 2465
    imap_port: Port = 2143
    imaps_port: Port = 2993
    pop3_port: Port = 2110
    pop3s_port: Port = 2995

    dns_servers: Words = Field(default_factory=list)
    dns_trust_ad: bool = False
    outbound_port: Port = 25
    outbound_bind: str = ""
    outbound_allow_nets: Networks = Field(default_factory=list)
    relayhost: str = ""
    retry_schedule: Spans = Field(default_factory=list)
    max_message_size: Size = 100 << 20
    server_processes: Count = Field(default_factory=lambda: min(2, os.cpu_count() or 1))
    max_connections: Count = 10_000
    max_connections_per_network: Count = 250
    stall_timeout: Span = timedelta(seconds=60)
    proxy_networks: Networks = Field(default_factory=list)
    metrics_networks: Networks = Field(
        default_factory=lambda: [ip_network("127.0.0.0/8"), ip_network("::1/128")]
    )
    allow_plaintext_loopback: bool = False
    offer_scram: bool = False

    tls_cert: Path | None = None
    tls_key: Path | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        sources: list[PydanticBaseSettingsSource] = [init_settings, env_settings]
        if path := os.environ.get("MAILHOST_CONFIG"):
            sources.append(TomlConfigSettingsSource(settings_cls, Path(path)))
        return tuple(sources)

    # One validator: pydantic runs several in the reverse of their order, and which defaults hold
    # depends on the database, whose URL may come from a file.
    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name in SECRETS:
            variable = f"MAILHOST_{name.upper()}"
            path = os.environ.get(f"{variable}_FILE")
            if path and not os.environ.get(variable):
                values[name] = _read_secret(name, Path(path))
        # On one machine, for trying out and for tests: mail programs of this machine may log in
        # without TLS, and another instance on a loopback address may get mail.
        if str(values.get("database_url") or "sqlite").startswith("sqlite"):
            values.setdefault("allow_plaintext_loopback", True)
            values.setdefault("outbound_allow_nets", "127.0.0.0/8")
        return values

    @property
    def is_embedded(self) -> bool:
        """Whether the database is SQLite."""
        return not self.database_url or self.database_url.startswith("sqlite")

    @property
    def own_address(self) -> str:
        """Where this machine reaches its own listeners: `bind`, or loopback where that is any."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.bind, self.bind)  # noqa: S104

    @property
    def url_host(self) -> str:
        """`own_address` as URLs have it (RFC 3986 §3.2.2)."""
        return f"[{self.own_address}]" if ":" in self.own_address else self.own_address

    @property
    def ports(self) -> dict[str, int]:
        """Every port this platform listens on, by the setting that names it."""
        names = [name for name in type(self).model_fields if name.endswith("_port")]
        return {name: getattr(self, name) for name in names if name != "outbound_port"}

    @property
    def blobs_directory(self) -> Path:
        return (
            Path(self.blobs_url.removeprefix("file://"))
            if self.blobs_url
            else (self.home / "blobs")
        )


def load() -> Config:
    """The settings of this process. Raises ConfigError, never pydantic's own."""
    _refuse_unknown_names()
    path = os.environ.get("MAILHOST_CONFIG")
    if path and not (os.path.isfile(path) and os.access(path, os.R_OK)):
        raise ConfigError(f"MAILHOST_CONFIG names {path}, which cannot be read.")
    try:
        return Config()
    except ValidationError as error:
        raise ConfigError("\n".join(_sentence(dict(each)) for each in error.errors())) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.") from None


def _read_secret(name: str, path: Path) -> str:
    setting = f"MAILHOST_{name.upper()}_FILE names {path}, which"
    try:
        secret = path.read_text().strip()
    except OSError as error:
        raise ConfigError(f"{setting} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{setting} is not UTF-8 text.") from None
    if not secret:
        # Another database than the one meant would be used, or another key.
        raise ConfigError(f"{setting} is empty.")
    return secret


def _refuse_unknown_names() -> None:
    known = {f"MAILHOST_{name.upper()}" for name in Config.model_fields}
    known |= {f"MAILHOST_{name.upper()}_FILE" for name in SECRETS}
    for name in sorted(os.environ):
        if not name.startswith("MAILHOST_") or name in known:
            continue
        if not name.removeprefix("MAILHOST_").startswith(_NO_SETTINGS):
            near = get_close_matches(name, known, 1)
            hint = f"; {near[0]} is one" if near else ""
            raise ConfigError(f"{name} is no setting{hint}.")


# Where pydantic tells what its parsers did.
_WAYS_OUT = {
    "bool_parsing": "write 1 or 0",
    "bool_type": "write true or false",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
}


def _sentence(error: dict[str, Any]) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    message = _WAYS_OUT.get(error["type"]) or error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"“{name}” in {os.environ.get('MAILHOST_CONFIG')} is no setting."
    value = "" if name in SECRETS else f" is “{error['input']}”"
    return f"MAILHOST_{name.upper()}{value}: {message[:1].lower()}{message[1:]}."
