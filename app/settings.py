"""Every setting, parsed once into frozen, typed sections: one per slice, all with the prefix ``ABSAH_``.

``Settings.load()`` is called by the processes' entry points only. Everything else receives the section, or
the single value, that it needs; nothing reads the environment later. Secrets are file paths, never values.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Final, Self, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.errors import SettingsInvalid, UnsafeForProduction

PREFIX: Final = "ABSAH_"
NOT_OURS: Final = ("ABSAH_REQUIRE", "ABSAH_TEST_", "ABSAH_BENCH_")
"""Read by the tests and benchmarks, not by the service: names, or prefixes that end in an underscore."""


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


Origin = Annotated[str, AfterValidator(_origin)]
PlainOrigin = Annotated[Origin, AfterValidator(_plain_http)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class KeysSettings(_Section):
    """Custody."""

    kek_file: Path | None = Field(
        default=None, description="File with the 32-byte key-encryption key of the software store, mode 0600."
    )
    passphrase_file: Path | None = Field(
        default=None,
        description="File with the passphrase that the key-encryption key is derived from, mode 0600.",
    )


class CaSettings(_Section):
    """Certification and time."""

    organisation: str = Field(
        default="Absah Development", max_length=64, description="Organisation in the names of the CAs."
    )
    organization_identifier: str = Field(
        default="NTRID-0000000000001",
        description="Its organizationIdentifier by EN 319 412-1, 5.1.4, such as NTRID-1234567890.",
    )
    country: str = Field(
        default="ID", pattern="^[A-Z]{2}$", description="Country in the names of the CAs, ISO 3166."
    )
    arc: str = Field(
        default="2.999.360",
        pattern=r"^[0-2](\.[0-9]{1,10})+$",
        description="Object identifier under which the deployment's policies are numbered.",
    )
    crl_hours: PositiveInt = Field(
        default=72, description="Validity of the issuing CA's CRL in hours; the worker renews it at half."
    )
    ocsp_hours: PositiveInt = Field(default=12, description="Validity of an OCSP answer in hours.")


class SigningSettings(_Section):
    """Sealing."""

    max_pages: PositiveInt = Field(default=2_000, description="A PDF with more pages is refused.")
    max_bytes: PositiveInt = Field(default=256 * 1024**2, description="A PDF with more bytes is refused.")
    lease_seconds: PositiveInt = Field(
        default=120,
        description="After this long another worker takes over a document; more than the slowest one needs.",
    )


class VerifySettings(_Section):
    """Verification."""

    max_bytes: PositiveInt = Field(
        default=256 * 1024**2, description="An uploaded file with more bytes is refused."
    )


class IdentitySettings(_Section):
    """Clients and tokens."""

    issuer: Origin | None = Field(
        default=None, description="Issuer of access tokens; the public URL when unset."
    )
    token_seconds: int = Field(default=600, ge=60, le=3600, description="Life of an access token in seconds.")


class ServerSettings(_Section):
    """The HTTP server of `absah serve`."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    workers: PositiveInt = Field(default=1, description="Processes. One per core is a good start.")
    upkeep: bool = Field(
        default=True,
        description="Finish abandoned documents and renew lists in this process; off where a worker does.",
    )
    threads: PositiveInt = Field(
        default=16, description="Requests that one process works on at the same time."
    )


class LimitsSettings(_Section):
    """What a request may cost."""

    body_bytes: PositiveInt = Field(
        default=1024**2, description="Largest request body where no file is expected."
    )
    upload_overhead_bytes: PositiveInt = Field(
        default=64 * 1024, description="Room for metadata and multipart framing above the largest file."
    )
    body_seconds: PositiveInt = Field(
        default=120, description="Time for a request's body to arrive, in seconds."
    )


class DatabaseSettings(_Section):
    """The connection pool (PostgreSQL) and waiting (both)."""

    url: str | None = Field(
        default=None,
        description="sqlite:///PATH or postgresql://USER@HOST/NAME; SQLite in the data directory when unset.",
    )
    password_file: Path | None = Field(
        default=None, description="File with the password of the database's user."
    )
    pool_size: PositiveInt = Field(
        default=20,
        description="Connections that one process keeps open (PostgreSQL), half of them for reading only.",
    )
    busy_seconds: PositiveInt = Field(
        default=30, description="How long to wait for a lock or a free connection."
    )


class StorageSettings(_Section):
    """Documents at rest."""

    url: str | None = Field(
        default=None,
        description="file:///PATH or s3://BUCKET/PREFIX; a folder in the data directory when unset.",
    )
    endpoint: Origin | None = Field(
        default=None,
        description="Origin of an S3 server, such as https://s3.example; Amazon's when unset.",
    )
    region: str | None = Field(
        default=None, description="Region of the bucket; us-east-1 or the platform's when unset."
    )
    credentials_file: Path | None = Field(
        default=None,
        description="File whose [default] section has aws_access_key_id and aws_secret_access_key; "
        "the platform's own identity (instance, container, pod) when unset.",
    )
    ca_file: Path | None = Field(
        default=None,
        description="File with the certificates (PEM) of the private authority behind the endpoint's TLS.",
    )


class WorkerSettings(_Section):
    """Upkeep: abandoned documents, revocation lists, service certificates."""

    interval_seconds: PositiveInt = Field(default=30, description="Time between two rounds of upkeep.")


class LogSettings(_Section):
    """Structured logs on standard error."""

    level: LogLevel = Field(default=LogLevel.INFO, description="Least severity that is written.")
    format: LogFormat = Field(
        default=LogFormat.AUTO, description="json, console, or auto: console on a terminal."
    )


class Settings(BaseSettings):
    """All settings. Frozen; :meth:`load` is the way to get one."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        case_sensitive=False,
    )

    env: Environment = Field(default=Environment.DEVELOPMENT, description="development or production.")
    data_dir: Path = Field(
        default=Path("var"), description="Folder of everything that the service keeps on this machine."
    )
    public_url: Origin = Field(
        default="http://127.0.0.1:8000", description="Origin in links, QR codes and token issuers."
    )
    pki_url: PlainOrigin | None = Field(
        default=None,
        description="Plain-http origin of certificates, CRLs and OCSP; the public URL when unset.",
    )
    database: DatabaseSettings = DatabaseSettings()
    storage: StorageSettings = StorageSettings()
    server: ServerSettings = ServerSettings()
    limits: LimitsSettings = LimitsSettings()
    log: LogSettings = LogSettings()
    worker: WorkerSettings = WorkerSettings()
    keys: KeysSettings = KeysSettings()
    ca: CaSettings = CaSettings()
    signing: SigningSettings = SigningSettings()
    verify: VerifySettings = VerifySettings()
    identity: IdentitySettings = IdentitySettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment; no hidden files."""
        return (init_settings, env_settings)

    @classmethod
    def load(cls, *, keyless: bool = False, **overrides: Any) -> Self:
        """Parse the environment. Raises :class:`SettingsInvalid`, naming the variable and what it wants.

        ``keyless`` is for the public process, which has no use for a key-encryption key and must be able to
        start in production without one. ``overrides`` stand above the environment: options of the command
        line, or a test's own values.
        """
        refuse_unknown(os.environ)
        try:
            settings = cls(**overrides)
        except ValidationError as cause:
            problems = "; ".join(
                f"{variable_name(str(part) for part in error['loc'])} {_reason(error['msg'])}"
                for error in cause.errors(include_input=False, include_context=False, include_url=False)
            )
            raise SettingsInvalid(f"{problems}. `absah doctor --settings` lists every setting.") from None
        settings._refuse_unsafe(keyless=keyless)
        return settings

    @property
    def production(self) -> bool:
        return self.env is Environment.PRODUCTION

    @property
    def home(self) -> Path:
        """The data directory, absolute."""
        return self.data_dir.expanduser().absolute()

    @property
    def database_url(self) -> str:
        return self.database.url or f"sqlite:///{self.home / 'absah.sqlite3'}"

    @property
    def storage_url(self) -> str:
        return self.storage.url or (self.home / "documents").as_uri()

    @property
    def pki_origin(self) -> str:
        """Plain-http origin that certificates point to."""
        return self.pki_url or self.public_url

    @property
    def issuer(self) -> str:
        return self.identity.issuer or self.public_url

    @property
    def trust_dir(self) -> Path:
        """Anchors, intermediates and CRLs: what `absah verify` needs with the service stopped."""
        return self.home / "trust"

    @property
    def kek_path(self) -> Path:
        """The key-encryption key, or where development generates one."""
        return self.keys.kek_file or self.home / "keys" / "kek"

    def unsafe(self, *, keyless: bool = False) -> list[str]:
        """Development stand-ins in use, each with its remedy. Empty when nothing is unsafe."""
        found = []
        if not keyless and self.keys.kek_file is None and self.keys.passphrase_file is None:
            found.append(
                "the key-encryption key is generated beside the keys that it protects; "
                "set ABSAH_KEYS_KEK_FILE or ABSAH_KEYS_PASSPHRASE_FILE"
            )
        if self.database_url.startswith("sqlite"):
            found.append("the database is SQLite on this machine; set ABSAH_DATABASE_URL to PostgreSQL")
        if not self.public_url.startswith("https://"):
            found.append("the public address is plain http; set ABSAH_PUBLIC_URL to an https address")
        if self.issuer.startswith("http://"):
            found.append(
                "access tokens name a plain-http issuer; set ABSAH_IDENTITY_ISSUER to an https address"
            )
        if (self.storage.endpoint or "").startswith("http://"):
            found.append(
                "documents travel to the storage unencrypted; set ABSAH_STORAGE_ENDPOINT to an https address"
            )
        return found

    def _refuse_unsafe(self, *, keyless: bool) -> None:
        if self.keys.kek_file is not None and self.keys.passphrase_file is not None:
            raise SettingsInvalid(
                "ABSAH_KEYS_KEK_FILE and ABSAH_KEYS_PASSPHRASE_FILE exclude each other. Unset one of them."
            )
        if not self.pki_origin.startswith("http://"):
            raise SettingsInvalid(
                "ABSAH_PKI_URL is needed when ABSAH_PUBLIC_URL is https: certificates, CRLs and OCSP are "
                "fetched over plain http (RFC 5280, 8). Set it, for example, to http://pki.absah.example."
            )
        if self.production and (found := self.unsafe(keyless=keyless)):
            raise UnsafeForProduction(f"ABSAH_ENV=production refuses to start: {'; '.join(found)}.")


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """One line of the reference: environment variable, type, default as text, meaning."""

    variable: str
    type: str
    default: str
    doc: str


def describe() -> tuple[SettingDescription, ...]:
    """Every setting there is, in the order of this file."""
    return tuple(_describe(Settings, ()))


def _describe(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[SettingDescription]:
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, _Section):
            yield from _describe(kind, (*path, name))
            continue
        default = "" if info.default is None else str(info.default)
        yield SettingDescription(variable_name((*path, name)), _kind(kind), default, info.description or "")


def _kind(annotation: Any) -> str:
    """The type in words of an operator."""
    if isinstance(annotation, type):
        if issubclass(annotation, StrEnum):
            return " | ".join(annotation)
        return {int: "number", bool: "true | false", str: "text", Path: "path"}[annotation]
    inner = [argument for argument in get_args(annotation) if argument is not NoneType]
    return _kind(inner[0])


def variable_name(path: Iterator[str] | tuple[str, ...]) -> str:
    """``("keys", "kek_file")`` as ``ABSAH_KEYS_KEK_FILE``."""
    return PREFIX + "_".join(path).upper()


def refuse_unknown(environ: Mapping[str, str]) -> None:
    """A misspelt setting must not be a setting silently ignored. Raises :class:`SettingsInvalid`."""
    known = [setting.variable for setting in describe()]
    for name in sorted(environ):
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper in known or _belongs_elsewhere(upper):
            continue
        near = difflib.get_close_matches(upper, known, n=1, cutoff=0)
        raise SettingsInvalid(
            f"{name} is not a setting. Did you mean {near[0]}? `absah doctor --settings` lists every setting."
        )


def _belongs_elsewhere(name: str) -> bool:
    return any(name == other or (other.endswith("_") and name.startswith(other)) for other in NOT_OURS)


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ").removesuffix(".").replace("Input should", "should")
