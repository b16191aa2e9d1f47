"""The types that settings are made of, and what every section has in common."""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated, Final
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


STORES: Final = ("software", "pkcs11")
KEY_PURPOSES: Final = (
    "root-ca", "issuing-ca", "seal", "timestamping", "ocsp", "receipt", "token", "wrapping", "ceremony",
)  # fmt: skip
"""Spelt out, not imported: the public process reads these settings and must not load `keys`."""


KEY_ALGORITHMS: Final = ("ec-p256", "ec-p384", "rsa-3072", "aes-256")
"""Spelt out for the same reason."""

MOST_DAYS: Final = 36_500
MOST_USES: Final = 2**62
"""Fits the database's column whatever is added to it."""


def _key_stores(value: str) -> str:
    stores_by_purpose(value)
    return value


def stores_by_purpose(value: str) -> dict[str, str]:
    """``pkcs11 wrapping=software``: a store for all purposes, then exceptions. Raises ``ValueError``."""
    store, *exceptions = value.split() or [""]
    if store not in STORES:
        raise ValueError("must begin with software or pkcs11, the store of all purposes that are not named")
    chosen = dict.fromkeys(KEY_PURPOSES, store)
    for exception in exceptions:
        purpose, _, named = exception.partition("=")
        if purpose not in chosen or named not in STORES:
            raise ValueError(
                f"holds {exception!r}; an exception is PURPOSE=STORE, the purpose one of "
                f"{', '.join(KEY_PURPOSES)}, the store software or pkcs11"
            )
        chosen[purpose] = named
    return chosen


def _key_limits(value: str) -> str:
    limits_by_purpose(value)
    return value


def limits_by_purpose(value: str) -> dict[str, int]:
    """``seal=10000000 token=50000000``: uses per key, by purpose. Raises ``ValueError``."""
    limits = {}
    for limit in value.split():
        purpose, _, uses = limit.partition("=")
        if purpose not in KEY_PURPOSES or not uses.isdecimal() or not 1 <= int(uses) <= MOST_USES:
            raise ValueError(
                f"holds {limit!r}; a limit is PURPOSE=USES, the purpose one of {', '.join(KEY_PURPOSES)}, "
                f"the uses a number from 1 to {MOST_USES}"
            )
        limits[purpose] = int(uses)
    return limits


def _key_days(value: str) -> str:
    days_by_purpose(value)
    return value


def days_by_purpose(value: str) -> dict[str, int]:
    """``seal=365 receipt=730``: days, by purpose. Raises ``ValueError``."""
    found = {}
    for entry in value.split():
        purpose, _, days = entry.partition("=")
        if purpose not in KEY_PURPOSES or not days.isdecimal() or not 1 <= int(days) <= MOST_DAYS:
            raise ValueError(
                f"holds {entry!r}; an entry is PURPOSE=DAYS, the purpose one of {', '.join(KEY_PURPOSES)}, "
                f"the days a number from 1 to {MOST_DAYS}"
            )
        found[purpose] = int(days)
    return found


def _sunsets(value: str) -> str:
    days_by_algorithm(value)
    return value


def days_by_algorithm(value: str) -> dict[str, date]:
    """``ec-p256=2036-01-01``: the first day without it, by algorithm. Raises ``ValueError``."""
    found = {}
    for entry in value.split():
        algorithm, _, day = entry.partition("=")
        try:
            if algorithm not in KEY_ALGORITHMS:
                raise ValueError
            found[algorithm] = date.fromisoformat(day)
        except ValueError:
            raise ValueError(
                f"holds {entry!r}; an entry is ALGORITHM=YYYY-MM-DD, the algorithm one of "
                f"{', '.join(KEY_ALGORITHMS)}"
            ) from None
    return found


_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")


def _time_servers(value: str) -> str:
    for server in value.split():
        host, _, port = server.rpartition(":") if re.search(r":\d+$", server) else (server, "", "")
        if not _HOST.fullmatch(host) or int(port or 123) > 65535:
            raise ValueError("must hold servers of time such as time.example.go.id or 192.0.2.1:123")
    return " ".join(value.split())


def _order(value: str) -> str:
    named = value.split()
    if not named or len(set(named)) != len(named):
        raise ValueError("must name at least one, and none twice")
    for one in named:
        parts = urlsplit(one)
        is_address = parts.scheme in {"http", "https"} and parts.hostname and not parts.fragment
        if one != "own" and not is_address:
            raise ValueError(f"holds {one!r}; name own, or an address such as https://tsa.example/tsr")
        if parts.username is not None:
            raise ValueError("must not hold a password; put it into the file of ABSAH_TSA_NETRC_FILE")
    return " ".join(named)


Networks = Annotated[str, AfterValidator(_networks)]
Origin = Annotated[str, AfterValidator(_origin)]
KeyDays = Annotated[str, AfterValidator(_key_days)]
AlgorithmSunsets = Annotated[str, AfterValidator(_sunsets)]
KeyLimits = Annotated[str, AfterValidator(_key_limits)]
TimeStamperOrder = Annotated[str, AfterValidator(_order)]
TimeServers = Annotated[str, AfterValidator(_time_servers)]
KeyStores = Annotated[str, AfterValidator(_key_stores)]
PlainOrigin = Annotated[Origin, AfterValidator(_plain_http)]


class Section(BaseModel):
    """One section of the settings. Frozen, and refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
