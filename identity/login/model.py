"""Sessions, what stands before and around them, and their rules. Pure."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self

from identity.factors.model import FactorKind
from identity.login.errors import StepUpNeeded


class Acr(StrEnum):
    """How strongly a person proved who they are, weakest first. There is nothing below two factors."""

    AAL2 = "aal2"
    PHR = "phr"  # OpenID EAP ACR Values 1.0: phishing-resistant

    def reaches(self, wanted: Acr) -> bool:
        order = list(Acr)
        return order.index(self) >= order.index(wanted)


SECOND_FACTORS: Final = (FactorKind.PASSKEY, FactorKind.TOTP, FactorKind.RECOVERY_CODE)
"""What may answer after the password, or prove freshness within a session; the best one first."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody answered with: digits, a recovery code, or an authenticator's JSON to ``challenge_id``.

    ``kind`` is one of :data:`SECOND_FACTORS`.
    """

    kind: FactorKind
    value: str = field(repr=False)
    challenge_id: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """Where a request comes from, and what its browser brought along.

    ``known`` is the value of the known-device cookie; ``session`` that of a session which a login replaces.
    """

    address: str
    user_agent: str
    known: str | None = field(default=None, repr=False)
    session: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class DeviceName:
    """``Chrome`` and ``Android``; empty what a User-Agent does not say (:mod:`identity.login.devices`)."""

    browser: str
    system: str

    def in_words(self, language: str) -> str:
        """``Chrome di Android``; at least ``Perangkat yang tidak dikenal``."""
        if language == "id":
            unknown, joiner = "Perangkat yang tidak dikenal", "di"
        else:
            unknown, joiner = "Unknown device", "on"
        if self.browser and self.system:
            return f"{self.browser} {joiner} {self.system}"
        return self.browser or self.system or unknown


@dataclass(frozen=True, slots=True)
class Place:
    """``name`` from the operator's own table, else empty; ``network`` is all that is kept of the address."""

    name: str
    network: str

    def in_words(self, language: str) -> str:
        """``Bandung, Jawa Barat``, or ``Jaringan 103.10.66.*``."""
        if self.name:
            return self.name
        if not self.network:
            return "Tempat yang tidak dikenal" if language == "id" else "Unknown place"
        return f"{'Jaringan' if language == 'id' else 'Network'} {self.network}"


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """NIST SP 800-63B-4, 2.2.3: at most an hour without activity and a day in all.

    ``idle`` without a request ends a session, ``absolute`` ends it whatever happens. The time of the last
    request is written at most once per ``touch``.
    """

    idle: timedelta = timedelta(hours=1)
    absolute: timedelta = timedelta(hours=12)
    touch: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class LoginPolicy:
    """``half_lifetime`` for the second factor, ``setup_lifetime`` for setting up factors for the first time.

    A device is known for ``device_lifetime`` after its last login. The link "this wasn't me" works for
    ``repudiation_lifetime``.
    """

    half_lifetime: timedelta = timedelta(minutes=10)
    setup_lifetime: timedelta = timedelta(hours=1)
    device_lifetime: timedelta = timedelta(days=180)
    repudiation_lifetime: timedelta = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class RecoveryPolicy:
    """The mailed code works for ``code_lifetime``. Whoever lost both factors waits ``waiting``, hears of it
    every ``reminder``, and has ``ready_lifetime`` to finish. At the ``officer_only`` proofing levels (values
    of ``ial``) losing both takes an officer. Closed recoveries are kept for ``keep``.
    """

    code_lifetime: timedelta = timedelta(hours=1)
    proving_lifetime: timedelta = timedelta(minutes=30)
    waiting: timedelta = timedelta(hours=72)
    reminder: timedelta = timedelta(hours=24)
    ready_lifetime: timedelta = timedelta(days=7)
    officer_only: frozenset[str] = frozenset({"ial2"})
    keep: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody logged in. ``id`` names it in lists and in ``sid``; it opens nothing.

    The secret in the cookie is replaced at step-up, the id stays. ``auth_time``, ``acr`` and ``amr`` belong
    together: they tell of the last time that the person proved who they are.
    """

    id: str
    person_id: str
    auth_time: datetime
    acr: Acr
    amr: tuple[str, ...]
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    device: DeviceName
    place: Place

    def is_over(self, now: datetime, policy: SessionPolicy) -> bool:
        return now >= self.expires_at or now >= self.last_seen_at + policy.idle


def require_fresh(
    session: Session, *, now: datetime, acr: Acr = Acr.AAL2, max_age: timedelta | None = None
) -> None:
    """Raises :class:`identity.login.errors.StepUpNeeded` (RFC 9470, 3)."""
    if not session.acr.reaches(acr) or (max_age is not None and now - session.auth_time > max_age):
        raise StepUpNeeded(acr=acr, max_age=max_age)


class Purpose(StrEnum):
    """What a half session may go on to. It opens nothing else."""

    SECOND_FACTOR = "second_factor"  # the password was right
    SETUP = "setup"  # activation or recovery proved the person: factors may be set up
    RECOVERY = "recovery"  # the mail was confirmed


@dataclass(frozen=True, slots=True)
class HalfSession:
    """Somebody on the way. ``recovery_id`` where ``purpose`` is RECOVERY."""

    id: str
    person_id: str
    purpose: Purpose
    created_at: datetime
    expires_at: datetime
    recovery_id: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session. ``secret`` goes into the session cookie; the half session's cookie is dead.

    ``device_secret`` goes into the known-device cookie unless it is None: then that cookie stays as it is.
    """

    secret: str = field(repr=False)
    session: Session
    device_secret: str | None = field(repr=False, default=None)


class RecoveryState(StrEnum):
    """MAILED → CONFIRMED → (WAITING → READY →) DONE, and from each of them but the last CANCELLED."""

    MAILED = "mailed"
    CONFIRMED = "confirmed"
    WAITING = "waiting"
    READY = "ready"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Recovery:
    """One attempt to get access back, begun on ``device`` at ``place``.

    ``person_id`` is None where somebody asked for an account that does not exist: such a row leads nowhere.
    ``ready_at`` is set once a recovery code began the waiting time.
    """

    id: str
    person_id: str | None
    state: RecoveryState
    device: DeviceName
    place: Place
    created_at: datetime
    expires_at: datetime
    ready_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Recovering:
    """A recovery goes on: the purpose of ``half`` says where (RECOVERY or SETUP), ``secret`` its cookie."""

    secret: str = field(repr=False)
    half: HalfSession


_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Secret:
    """256 random bits that open something, and the hash that is all we keep (see ``identity.clients``)."""

    text: str = field(repr=False)
    hash: bytes

    @classmethod
    def new(cls) -> Self:
        text = secrets.token_urlsafe(32)
        return cls(text, hashlib.sha256(text.encode()).digest())


def secret_hash(text: str | None) -> bytes | None:
    """The hash to look up, or None for what :meth:`Secret.new` cannot have made."""
    if text is None or not _SECRET.fullmatch(text):
        return None
    return hashlib.sha256(text.encode()).digest()


def new_id() -> str:
    """128 random bits in 22 characters."""
    return secrets.token_urlsafe(16)
