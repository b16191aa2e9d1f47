"""What proves who somebody is, which sets of proofs suffice, and what may be taken away. Pure.

The rules, all in one place:

1. Nobody is logged in by less than two factors. A passkey is two by itself: possession of the device and
   its PIN, finger or face, which the authenticator vouches for (user verification).
2. A password needs a companion: an authenticator app (TOTP), a passkey, or a recovery code.
3. A recovery code stands in for one factor, never for two: no set without a password or a passkey suffices,
   however many codes there are.
4. A person can log in on ordinary days, that is without recovery codes, or the enrolment is not complete.
5. Nothing may be removed if rule 4 held before and would not hold afterwards.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class FactorKind(StrEnum):
    """The values are stored, audited and used in URLs and in the templates of mails."""

    PASSWORD = "password"  # noqa: S105 - a word, not a secret
    TOTP = "totp"
    PASSKEY = "passkey"
    RECOVERY_CODE = "recovery_code"


PASSWORD_ID: Final = "password"  # noqa: S105 - a word, not a secret
RECOVERY_CODES_ID: Final = "recovery-codes"
"""Of these a person has one each (the codes as a set), so that their kind is id enough."""


@dataclass(frozen=True, slots=True)
class Factor:
    """One way in which a person proves who they are. Times are aware UTC.

    ``id`` is unique for the person. ``name`` is the person's own word for a passkey or an app, else empty.
    ``left`` counts unused recovery codes. ``suspected_at`` is when a passkey last counted backwards.
    """

    id: str
    kind: FactorKind
    name: str
    created_at: datetime
    last_used_at: datetime | None = None
    left: int | None = None
    suspected_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Strength:
    """How a person was authenticated: ``acr``, and ``amr`` with the values of RFC 8176."""

    acr: str
    amr: tuple[str, ...]


AAL2: Final = "aal2"
PHISHING_RESISTANT: Final = "phr"
"""OpenID Connect Extended Authentication Profile ACR Values 1.0."""

_METHODS: Final = {
    FactorKind.PASSWORD: ("pwd",),
    FactorKind.TOTP: ("otp",),
    FactorKind.RECOVERY_CODE: ("otp",),
    FactorKind.PASSKEY: ("pop", "user"),
}


def strength_of(used: Collection[FactorKind]) -> Strength | None:
    """What the factors that were just used amount to; None when they do not suffice (rules 1 to 3)."""
    kinds = frozenset(used)
    if FactorKind.PASSKEY not in kinds and not (
        FactorKind.PASSWORD in kinds and kinds & {FactorKind.TOTP, FactorKind.RECOVERY_CODE}
    ):
        return None
    acr = PHISHING_RESISTANT if FactorKind.PASSKEY in kinds else AAL2
    methods = dict.fromkeys(word for kind in FactorKind if kind in kinds for word in _METHODS[kind])
    return Strength(acr, (*methods, "mfa"))


def is_complete(held: Collection[FactorKind]) -> bool:
    """Rule 4: these suffice to log in on an ordinary day."""
    return strength_of(frozenset(held) - {FactorKind.RECOVERY_CODE}) is not None


def may_remove(factor_id: str, held: Collection[Factor]) -> bool:
    """Rule 5. A set that is not complete yet may shrink: its owner is still enrolling."""
    kept = [factor.kind for factor in held if factor.id != factor_id]
    return is_complete(kept) or not is_complete([factor.kind for factor in held])


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """A password as it is kept: ``hash`` is Argon2id as a PHC string, with its parameters and salt."""

    person_id: str
    hash: str
    created_at: datetime
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Totp:
    """An authenticator app. ``sealed_secret`` opens with the row's id as context (purpose ``totp``).

    ``last_step`` is the last time step (RFC 6238, 4.2) whose code was accepted: only later ones are.
    """

    id: str
    person_id: str
    sealed_secret: bytes
    last_step: int
    created_at: datetime
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PendingTotp:
    """A set-up whose code was not entered yet. It opens nothing."""

    id: str
    person_id: str
    sealed_secret: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Passkey:
    """A credential record (WebAuthn Level 3, 4). ``public_key`` is the COSE_Key as it was sent."""

    id: str
    person_id: str
    credential_id: bytes
    public_key: bytes
    sign_count: int
    backup_eligible: bool
    transports: tuple[str, ...]
    name: str
    created_at: datetime
    last_used_at: datetime | None = None
    suspected_at: datetime | None = None


class Ceremony(StrEnum):
    """What a passkey challenge was made for."""

    REGISTRATION = "registration"
    AUTHENTICATION = "authentication"


@dataclass(frozen=True, slots=True)
class Challenge:
    """32 random bytes that one answer may use once. ``person_id`` None: whoever answers says who it is."""

    id: str
    ceremony: Ceremony
    person_id: str | None
    challenge: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RecoveryCode:
    """``label`` is the public part of a code, which finds the row; ``hash`` is Argon2id over all of it."""

    id: str
    person_id: str
    label: str
    hash: str
    created_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CodeSet:
    """A person's recovery codes as a whole; ``left`` were not used yet."""

    created_at: datetime
    last_used_at: datetime | None
    left: int


@dataclass(frozen=True, slots=True)
class PasswordCost:
    """What one Argon2id hash takes, and so one guess. The defaults are OWASP's for one lane."""

    memory_kib: int = 19 * 1024
    passes: int = 2


@dataclass(frozen=True, slots=True)
class FactorPolicy:
    """Limits and waiting times; settings may change them.

    ``passwords_at_once`` hashes run at the same time, each at ``password_cost``, and up to
    ``passwords_waiting`` wait for one of them. ``setup_lifetime`` is how long the set-up of an authenticator
    app may take, ``challenge_lifetime`` how long a browser may take to answer for a passkey.
    """

    passwords_at_once: int = 2
    passwords_waiting: int = 64
    password_cost: PasswordCost = PasswordCost()
    setup_lifetime: timedelta = timedelta(minutes=20)
    challenge_lifetime: timedelta = timedelta(minutes=10)
    most_passkeys: int = 10
    most_open_setups: int = 5
