"""The sections of tokens, portals, agencies' systems and mail. Those of accounts: :mod:`app.settings.login`.

Where a section has a policy of the slice behind it, their names agree: ``idle_minutes`` here is ``idle``
there (:mod:`app.policies`). Defaults are the policy's own.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import Field, PositiveInt

from app.settings.values import Networks, Origin, Section


class IdentitySettings(Section):
    """Clients and tokens."""

    issuer: Origin | None = Field(
        default=None, description="Issuer of access tokens; the public URL when unset."
    )
    token_seconds: int = Field(default=600, ge=60, le=3600, description="Life of an access token in seconds.")
    signatory_acr: str = Field(
        default="aal2",
        pattern="^(aal2|phr)$",
        description="How strongly signatories prove who they are: aal2 (two factors) or phr (a passkey).",
    )
    signatory_max_age_seconds: int = Field(
        default=300,
        ge=30,
        le=3600,
        description="How many seconds ago a signatory may have shown a factor when a document is issued in "
        "their name; after that a fresh login is demanded.",
    )
    certificate_header: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9-]{1,64}$",
        description="Header in which the TLS proxy hands on client certificates (RFC 9440), such as "
        "Client-Cert.",
    )
    trusted_proxies: Networks = Field(
        default="127.0.0.1/32 ::1/128",
        description="Networks, separated by spaces, whose X-Forwarded-For and certificate header are "
        "believed.",
    )
    places_file: Path | None = Field(
        default=None,
        description="CSV table of network and place, such as 103.10.64.0/22,Bandung, which names the places "
        "that people log in from; when unset, they read the network itself.",
    )
    breached_passwords_file: Path | None = Field(
        default=None,
        description="Passwords known from breaches, which nobody may choose: SHA-1 hashes in ascending "
        'order, one to a line, as "Pwned Passwords, ordered by hash" is. Looked up on disk, never loaded.',
    )
    key_days: int = Field(
        default=90, ge=8, description="Age in days at which a key that signs tokens is replaced."
    )
    key_publish_minutes: int = Field(
        default=1440,
        ge=10,
        le=7 * 1440,
        description="Minutes that a new key of tokens is published before it signs; longer than anyone keeps "
        "our key set.",
    )
    key_keep_minutes: int = Field(
        default=1440,
        ge=120,
        description="Minutes that a replaced key of tokens stays published; longer than any token lives.",
    )


class MailSecurity(StrEnum):
    """How the way to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class MailSettings(Section):
    """Mail to people."""

    host: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9.:-]{1,253}$",
        description="SMTP server; when unset, mails land in a folder of the data directory (development).",
    )
    port: int = Field(default=587, ge=1, le=65535, description="Its port: 587 with starttls, 465 with tls.")
    security: MailSecurity = Field(
        default=MailSecurity.STARTTLS,
        description="starttls (RFC 3207, demanded), tls from the first byte (RFC 8314), or none.",
    )
    ca_file: Path | None = Field(
        default=None, description="Certificates (PEM) of a private authority behind the server's TLS."
    )
    user: str | None = Field(default=None, description="User at the mail server; no login when unset.")
    password_file: Path | None = Field(default=None, description="File with that user's password, mode 0600.")
    sender: str = Field(
        default="absah@localhost.localdomain",
        pattern=r"^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$",
        description="Address that mails come from; its domain's SPF and DKIM must cover the server.",
    )
    sender_name: str = Field(
        default="Absah", max_length=64, pattern=r"^[^\x00-\x1f]*$", description="Name beside that address."
    )
    poll_seconds: PositiveInt = Field(default=2, description="Time between two looks into the outbox.")
    connect_seconds: PositiveInt = Field(default=10, description="Time for the mail server to answer at all.")
    attempts: PositiveInt = Field(default=12, description="Attempts after which a mail is given up.")
    first_pause_seconds: PositiveInt = Field(
        default=30, description="Time until the second attempt; it doubles with each."
    )
    longest_pause_minutes: PositiveInt = Field(default=360, description="Longest time between two attempts.")
    keep_sent_days: PositiveInt = Field(
        default=7, description="How long it is kept that a mail was sent; its content goes at once."
    )
    keep_dead_days: PositiveInt = Field(
        default=30, description="How long mails are kept that could not be sent, to send them again."
    )


class ProviderSettings(Section):
    """Portals (OpenID Connect)."""

    code_life_seconds: int = Field(
        default=60, ge=10, le=600, description="Life of an authorization code (OAuth 2.1, 4.1.2)."
    )
    pushed_life_seconds: PositiveInt = Field(
        default=90, description="Life of a pushed authorization request (RFC 9126, 2.2)."
    )
    flow_life_minutes: PositiveInt = Field(
        default=30, description="How long a person may take to log in and agree."
    )
    refresh_idle_days: PositiveInt = Field(
        default=30, description="A refresh token that is not used for so long has ended."
    )
    offline_life_days: PositiveInt = Field(
        default=180, description="A family of refresh tokens ends after so long, whatever its use."
    )
    refresh_grace_seconds: int = Field(
        default=10, ge=0, le=60, description="A repeated refresh within this time gets the same successor."
    )
    id_token_life_minutes: int = Field(default=10, ge=1, le=60, description="Life of an ID token.")
    logout_token_life_minutes: int = Field(
        default=2, ge=1, le=60, description="Life of a token that tells a portal of a logout."
    )
    logout_timeout_seconds: PositiveInt = Field(
        default=5, description="Time for a portal to answer when it is told of a logout."
    )
    logout_poll_seconds: PositiveInt = Field(
        default=1, description="Time between two looks for portals that are to be told of a logout."
    )
    logout_gives_up_hours: PositiveInt = Field(
        default=24, description="How long a portal that does not answer is told again."
    )
    keeps_ended_days: PositiveInt = Field(
        default=90, description="How long grants, withdrawn consents and notices are kept after their end."
    )


class AgenciesSettings(Section):
    """Agencies' systems (FAPI 2.0)."""

    assertion_life_seconds: int = Field(
        default=300, ge=30, le=3600, description="Longest life of a client assertion that is accepted."
    )
    ahead_seconds: int = Field(
        default=10, ge=0, le=60, description="How far the clock of a client may run ahead of ours."
    )
    proof_life_seconds: int = Field(default=60, ge=10, le=600, description="How old a DPoP proof may be.")
    nonce_life_seconds: int = Field(
        default=300,
        ge=30,
        le=3600,
        description="How long a DPoP nonce is handed out; accepted as long again.",
    )
    key_overlap_hours: int = Field(
        default=24, ge=0, description="How long a key goes on authenticating that a new key set leaves out."
    )
    proposal_life_days: int = Field(
        default=7, ge=1, le=90, description="How long a change to a system waits for a second person."
    )
