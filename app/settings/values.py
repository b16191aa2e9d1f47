"""The types that settings are made of, and what every section has in common."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class LogFormat(StrEnum):
    AUTO = "auto"  # console on a terminal, JSON elsewhere
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _origin(value: str) -> str:
    """An http(s) origin without path: everything that we print is built by appending a path to it."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is not a web address such as https://absah.example")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username:
        raise ValueError("must be scheme, host and port only, without a path")
    return f"{parts.scheme}://{parts.netloc}"


def _plain_http(value: str) -> str:
    """AIA, CRL and OCSP addresses are plain http: checking TLS would need the very answer (RFC 5280, 8)."""
    if not value.startswith("http://"):
        raise ValueError(
            "must start with http://, because a client fetches these files to be able to trust https"
        )
    return value


def _networks(value: str) -> str:
    for network in value.split():
        try:
            ip_network(network)
        except ValueError:
            raise ValueError("must hold networks such as 10.0.0.0/8, separated by spaces") from None
    return value


Networks = Annotated[str, AfterValidator(_networks)]
Origin = Annotated[str, AfterValidator(_origin)]
PlainOrigin = Annotated[Origin, AfterValidator(_plain_http)]


class Section(BaseModel):
    """One section of the settings. Frozen, and refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
