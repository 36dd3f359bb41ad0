"""What an operator may set, typed, from `MAILHOST_…` variables and an optional TOML file.

Order: environment, then the file named by `MAILHOST_CONFIG`, then the default. Unknown keys are
refused. Any secret may come from a file: `MAILHOST_SECRET_KEY_FILE`.
"""

import os
import re
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from accounts.limits import parse_size

Network = IPv4Network | IPv6Network

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_span(text: str) -> timedelta:
    """A span such as `30m` or `2s`; ValueError when it is none."""
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no span of time; write for example 30m, 2h or 5d")
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


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


def _size(value: Any) -> Any:
    return parse_size(value) if isinstance(value, str) else value


Words = Annotated[list[str], NoDecode, BeforeValidator(_split)]
Networks = Annotated[list[Network], NoDecode, BeforeValidator(_networks)]
Spans = Annotated[list[timedelta], NoDecode, BeforeValidator(_spans)]
Size = Annotated[int, BeforeValidator(_size)]


class Config(BaseSettings):
    """Every setting of the platform. `docs/operating.md` tells what each is for."""

    model_config = SettingsConfigDict(
        env_prefix="MAILHOST_", extra="forbid", env_ignore_empty=True, frozen=True
    )

    home: Path = Path("var")
    hostname: str = "mail.example.test"
    bind: str = "127.0.0.1"
    debug: bool = False
    demo: bool = True
    postmaster: str = ""

    secret_key: str = ""
    database_url: str = ""
    redis_url: str = ""
    blobs_url: str = ""

    web_port: int = 8080
    webs_port: int = 8443
    smtp_port: int = 2525
    submission_port: int = 2587
    submissions_port: int = 2465
    imap_port: int = 2143
    imaps_port: int = 2993
    pop3_port: int = 2110
    pop3s_port: int = 2995

    dns_servers: Words = Field(default_factory=list)
    dns_trust_ad: bool = False
    outbound_port: int = 25
    outbound_bind: str = ""
    outbound_allow_nets: Networks = Field(default_factory=list)
    relayhost: str = ""
    retry_schedule: Spans = Field(default_factory=list)
    max_message_size: Size = 100 << 20
    proxy_networks: Networks = Field(default_factory=list)
    allow_plaintext_loopback: bool = False

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

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name in ("secret_key", "database_url", "redis_url"):
            path = os.environ.get(f"MAILHOST_{name.upper()}_FILE")
            if path and not values.get(name):
                values[name] = Path(path).read_text().strip()
        return values

    @property
    def is_embedded(self) -> bool:
        """True while the database is the SQLite file under `home`."""
        return not self.database_url or self.database_url.startswith("sqlite")

    @property
    def blobs_directory(self) -> Path:
        return (
            Path(self.blobs_url.removeprefix("file://"))
            if self.blobs_url
            else (self.home / "blobs")
        )
