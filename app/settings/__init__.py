"""Every setting, parsed once into frozen, typed sections, all with the prefix ``ABSAH_``.

``Settings.load()`` is called by the processes' entry points only. Everything else receives the section, or
the single value, that it needs; nothing reads the environment later. Secrets are file paths, never values.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.errors import SettingsInvalid, UnsafeForProduction
from app.settings.login import (
    AccountSettings,
    FactorsSettings,
    LoginSettings,
    LookupsSettings,
    OperatorsSettings,
    PeopleSettings,
    PrivacySettings,
    RecoverySettings,
    SessionSettings,
    ThrottleSettings,
)
from app.settings.people import (
    AgenciesSettings,
    IdentitySettings,
    MailSecurity,
    MailSettings,
    ProviderSettings,
)
from app.settings.reference import (
    PREFIX,
    SettingDescription,
    described,
    reason,
    refuse_unknown,
    variable_name,
)
from app.settings.sections import (
    AuditSettings,
    CaSettings,
    ClockSettings,
    CompromiseSettings,
    DatabaseSettings,
    KeysSettings,
    LimitsSettings,
    LogSettings,
    ServerSettings,
    SigningSettings,
    StorageSettings,
    TsaSettings,
    VerifySettings,
    WorkerSettings,
)
from app.settings.values import Environment, LogFormat, LogLevel, Origin, PlainOrigin

__all__ = [
    "Environment",
    "LogFormat",
    "LogLevel",
    "LogSettings",
    "MailSecurity",
    "MailSettings",
    "SettingDescription",
    "Settings",
    "StorageSettings",
    "describe",
]


LEAST_APPROVALS: Final = 2
"""In production no single person can act on a key."""

_LOOPBACK: Final = ("127.0.0.1", "localhost")


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
    compromise: CompromiseSettings = CompromiseSettings()
    audit: AuditSettings = AuditSettings()
    keys: KeysSettings = KeysSettings()
    ca: CaSettings = CaSettings()
    tsa: TsaSettings = TsaSettings()
    clock: ClockSettings = ClockSettings()
    signing: SigningSettings = SigningSettings()
    verify: VerifySettings = VerifySettings()
    identity: IdentitySettings = IdentitySettings()
    people: PeopleSettings = PeopleSettings()
    privacy: PrivacySettings = PrivacySettings()
    lookups: LookupsSettings = LookupsSettings()
    factors: FactorsSettings = FactorsSettings()
    session: SessionSettings = SessionSettings()
    login: LoginSettings = LoginSettings()
    recovery: RecoverySettings = RecoverySettings()
    throttle: ThrottleSettings = ThrottleSettings()
    account: AccountSettings = AccountSettings()
    operators: OperatorsSettings = OperatorsSettings()
    provider: ProviderSettings = ProviderSettings()
    agencies: AgenciesSettings = AgenciesSettings()
    mail: MailSettings = MailSettings()

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
        refuse_unknown(os.environ, cls)
        try:
            settings = cls(**overrides)
        except ValidationError as cause:
            problems = "; ".join(
                f"{variable_name(str(part) for part in error['loc'])} {reason(error['msg'])}"
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
    def page_origins(self) -> tuple[str, ...]:
        """Where pages are read and forms sent from. A service on a plain-http loopback address answers under
        each of its names: browsers know passkeys for ``localhost`` only, and people type either.
        """
        parts = urlsplit(self.public_url)
        if parts.scheme != "http" or parts.hostname not in _LOOPBACK:
            return (self.public_url,)
        port = f":{parts.port}" if parts.port else ""
        others = (f"http://{name}{port}" for name in _LOOPBACK if name != parts.hostname)
        return (self.public_url, *others)

    @property
    def passkey_origin(self) -> str:
        """A name, never a bare address (WebAuthn Level 3, 5.1.2)."""
        return next((origin for origin in self.page_origins if "localhost" in origin), self.public_url)

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

    @property
    def mail_dir(self) -> Path:
        """Where mails land while no mail server is set."""
        return self.home / "mail"

    def unsafe(self, *, keyless: bool = False) -> list[str]:
        """Development stand-ins in use, each with its remedy. Empty when nothing is unsafe."""
        found = []
        no_secret = self.keys.kek_file is None and self.keys.passphrase_file is None
        if not keyless and no_secret and self.keys.in_software:
            found.append(
                "the key-encryption key is generated beside the keys that it protects; "
                "set ABSAH_KEYS_KEK_FILE or ABSAH_KEYS_PASSPHRASE_FILE"
            )
        if not keyless and self.keys.approvals < LEAST_APPROVALS:
            found.append(
                f"{'one person' if self.keys.approvals else 'nobody'} has to agree to acts on keys; set "
                "ABSAH_KEYS_APPROVALS to 2 or more"
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
        if not keyless and not self.clock.is_watched:
            found.append(
                "nothing watches the clock that time-stamps are taken from; "
                "set ABSAH_CLOCK_SERVERS to servers of time"
            )
        if not keyless and self.mail.host is None:
            found.append("mails land in a folder; set ABSAH_MAIL_HOST to a mail server")
        if not keyless and self.mail.host is not None and self.mail.security is MailSecurity.NONE:
            found.append("mails travel unencrypted; set ABSAH_MAIL_SECURITY to starttls or tls")
        return found

    def _refuse_unsafe(self, *, keyless: bool) -> None:
        if self.keys.kek_file is not None and self.keys.passphrase_file is not None:
            raise SettingsInvalid(
                "ABSAH_KEYS_KEK_FILE and ABSAH_KEYS_PASSPHRASE_FILE exclude each other. Unset one of them."
            )
        if (self.keys.pkcs11_module is None) != (self.keys.pkcs11_pin_file is None):
            raise SettingsInvalid(
                "ABSAH_KEYS_PKCS11_MODULE and ABSAH_KEYS_PKCS11_PIN_FILE belong together. "
                "Set both, or neither."
            )
        if self.keys.pkcs11_module is None and "pkcs11" in self.keys.store_of.values():
            raise SettingsInvalid(
                "ABSAH_KEYS_STORES names pkcs11, so the token has to be named, too. "
                "Set ABSAH_KEYS_PKCS11_MODULE, ABSAH_KEYS_PKCS11_TOKEN and ABSAH_KEYS_PKCS11_PIN_FILE."
            )
        if (self.mail.user is None) != (self.mail.password_file is None):
            raise SettingsInvalid(
                "ABSAH_MAIL_USER and ABSAH_MAIL_PASSWORD_FILE belong together. Set both, or neither."
            )
        if self.clock.database and self.database_url.startswith("sqlite"):
            raise SettingsInvalid(
                "ABSAH_CLOCK_DATABASE asks PostgreSQL for the time, and the database is SQLite. "
                "Set ABSAH_CLOCK_SERVERS instead."
            )
        if not self.pki_origin.startswith("http://"):
            raise SettingsInvalid(
                "ABSAH_PKI_URL is needed when ABSAH_PUBLIC_URL is https: certificates, CRLs and OCSP are "
                "fetched over plain http (RFC 5280, 8). Set it, for example, to http://pki.absah.example."
            )
        if self.production and (found := self.unsafe(keyless=keyless)):
            raise UnsafeForProduction(f"ABSAH_ENV=production refuses to start: {'; '.join(found)}.")


def describe() -> tuple[SettingDescription, ...]:
    """Every setting there is, in the order in which they are declared."""
    return tuple(described(Settings, ()))
