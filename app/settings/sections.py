"""The sections of what seals, verifies, stores and serves. Those of identity: :mod:`app.settings.people`."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pydantic import Field, NonNegativeInt, PositiveInt

from app.settings.values import (
    AlgorithmSunsets,
    KeyDays,
    KeyLimits,
    KeyStores,
    LogFormat,
    LogLevel,
    Origin,
    Section,
    TimeServers,
    TimeStamperOrder,
    days_by_algorithm,
    days_by_purpose,
    limits_by_purpose,
    stores_by_purpose,
)


class KeysSettings(Section):
    """Custody."""

    kek_file: Path | None = Field(
        default=None, description="File with the 32-byte key-encryption key of the software store, mode 0600."
    )
    passphrase_file: Path | None = Field(
        default=None,
        description="File with the passphrase that the key-encryption key is derived from, mode 0600.",
    )
    stores: KeyStores = Field(
        default="software",
        description="Where new keys are made: software or pkcs11, then exceptions by purpose, such as "
        "'software root-ca=pkcs11 issuing-ca=pkcs11'. Keys that exist stay where they are.",
    )
    pkcs11_module: Path | None = Field(
        default=None,
        description="PKCS #11 library of the HSM's maker, such as /usr/lib/softhsm/libsofthsm2.so.",
    )
    pkcs11_token: str = Field(default="absah", max_length=32, description="Label of the token.")
    pkcs11_pin_file: Path | None = Field(
        default=None, description="File with the PIN of the token's user, mode 0600."
    )
    pkcs11_sessions: PositiveInt = Field(
        default=8, description="Sessions that one process opens on the token at most."
    )
    data_key_days: PositiveInt = Field(
        default=365,
        description="Age in days at which a data key is replaced; what older ones sealed goes on opening.",
    )
    approvals: NonNegativeInt = Field(
        default=0,
        description="Custodians who have to agree before a key is rotated, retired, destroyed, reinstated or "
        "given up, before an agency's seal is certified, and before the register of custodians changes. Two "
        "or more in production.",
    )
    rotate_days: KeyDays = Field(
        default="issuing-ca=1825 seal=365 receipt=730 wrapping=365",
        description="Age in days at which a key is due to be replaced, by purpose; a request is made then. "
        "Keys of tokens: ABSAH_IDENTITY_KEY_DAYS. Keys of time-stamping units: ABSAH_TSA_KEY_DAYS.",
    )
    notice_days: PositiveInt = Field(
        default=90,
        description="Days before the end of a key, a certificate or an algorithm at which a request for a "
        "successor is made. Custodians need time to meet.",
    )
    sunsets: AlgorithmSunsets = Field(
        default="ec-p256=2036-01-01 ec-p384=2036-01-01 rsa-3072=2036-01-01",
        description="The first day on which an algorithm is not to be used (NIST IR 8547: not after 2035).",
    )
    overlap_minutes: PositiveInt = Field(
        default=60,
        description="How long a replaced key may still sign beside its successor, for what was begun with "
        "it; longer than the lease of a document.",
    )
    approval_hours: PositiveInt = Field(
        default=72, description="Hours that a request waits for approvals before it lapses."
    )
    limits: KeyLimits = Field(
        default="",
        description="How often one key may sign or wrap, by purpose, such as 'seal=10000000 token=50000000'; "
        "past that it refuses. Unset, wrapping keys stop at 2^32 and others at nothing.",
    )

    @property
    def rotate_days_of(self) -> dict[str, int]:
        """Purpose to age in days."""
        return days_by_purpose(self.rotate_days)

    @property
    def sunset_of(self) -> dict[str, date]:
        """Algorithm to the first day without it."""
        return days_by_algorithm(self.sunsets)

    @property
    def limit_of(self) -> dict[str, int]:
        """Purpose to uses per key."""
        return limits_by_purpose(self.limits)

    @property
    def store_of(self) -> dict[str, str]:
        """Purpose to store."""
        return stores_by_purpose(self.stores)

    @property
    def in_software(self) -> bool:
        """Whether any new key is made in software, so that a key-encryption key is needed."""
        return "software" in self.store_of.values()


class CaSettings(Section):
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


class TsaSettings(Section):
    """Our time-stamping authority."""

    policies: str = Field(
        default="",
        description="Policies that time-stamps are issued under, as object identifiers separated by spaces; "
        "the first is used where a request names none. The deployment's own when empty.",
    )
    digests: str = Field(
        default="sha256 sha384 sha512",
        description="Digests that are stamped: sha256, sha384, sha512, sha3_256, sha3_384, sha3_512.",
    )
    accuracy_ms: PositiveInt = Field(
        default=1000, le=60_000, description="Accuracy that time-stamps state, in milliseconds."
    )
    ordering: bool = Field(
        default=False,
        description="State that time-stamps are ordered by their times alone. Only while one machine issues "
        "them all; EN 319 422 wants it false.",
    )
    order: TimeStamperOrder = Field(
        default="own",
        description="Who stamps what is sealed, in this order: own, and addresses of other authorities "
        "(RFC 3161 over http or https). Their roots belong into the folder trust/time.",
    )
    foreign_policies: str = Field(
        default="",
        description="Policies of other authorities that are accepted, separated by spaces; any when empty.",
    )
    timeout_seconds: PositiveInt = Field(
        default=5, description="How long another authority may take for an answer, in all."
    )
    tolerance_seconds: PositiveInt = Field(
        default=10, description="By how much another authority's time may differ from this machine's."
    )
    failures: PositiveInt = Field(
        default=3, description="After so many failures in a row another authority is left alone for a while."
    )
    pause_seconds: PositiveInt = Field(default=30, description="How long that is.")
    netrc_file: Path | None = Field(
        default=None, description="File in netrc form with users and passwords of other authorities."
    )
    key_days: PositiveInt = Field(
        default=365, le=3650, description="Days for which a unit's private key is used before the next one's."
    )


class ClockSettings(Section):
    """The second source that this machine's clock is watched against."""

    servers: TimeServers = Field(
        default="",
        description="Servers of time (NTP), HOST or HOST:PORT, separated by spaces; three are a good choice. "
        "Without any the clock is not watched.",
    )
    database: bool = Field(
        default=False,
        description="Ask the database's clock when no server of time answers; for PostgreSQL on another "
        "machine.",
    )
    interval_seconds: int = Field(
        default=64, ge=15, description="Time between two measurements; servers of time want 15 or more."
    )
    silence_seconds: PositiveInt = Field(
        default=600, description="No time-stamp is issued when no source was heard for so long."
    )

    @property
    def is_watched(self) -> bool:
        return bool(self.servers) or self.database


class SigningSettings(Section):
    """Sealing."""

    max_pages: PositiveInt = Field(default=2_000, description="A PDF with more pages is refused.")
    max_bytes: PositiveInt = Field(default=256 * 1024**2, description="A PDF with more bytes is refused.")
    lease_seconds: PositiveInt = Field(
        default=120,
        description="After this long another worker takes over a document; more than the slowest one needs.",
    )


class VerifySettings(Section):
    """Verification."""

    max_bytes: PositiveInt = Field(
        default=256 * 1024**2, description="An uploaded file with more bytes is refused."
    )


class ServerSettings(Section):
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


class LimitsSettings(Section):
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


class DatabaseSettings(Section):
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


class StorageSettings(Section):
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


class CompromiseSettings(Section):
    """Answering the loss of a key."""

    documents_per_second: PositiveInt = Field(
        default=20,
        description="Documents sealed anew in a second at most, so that the day's sealing is not held up.",
    )


class WorkerSettings(Section):
    """Upkeep: abandoned documents, revocation lists, service certificates."""

    interval_seconds: PositiveInt = Field(default=30, description="Time between two rounds of upkeep.")
    workflow_poll_seconds: PositiveInt = Field(
        default=2, description="Time between two looks for rotations and other workflows that may begin."
    )


class AuditSettings(Section):
    """The audit trail."""

    anchor_minutes: int = Field(
        default=60,
        ge=1,
        le=1_440,
        description="Minutes at most between two time-stamps over the head of the trail, while it grows.",
    )


class LogSettings(Section):
    """Structured logs on standard error."""

    level: LogLevel = Field(default=LogLevel.INFO, description="Least severity that is written.")
    format: LogFormat = Field(
        default=LogFormat.AUTO, description="json, console, or auto: console on a terminal."
    )
