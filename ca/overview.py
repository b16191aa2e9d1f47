"""What there is and what is due: certificates with what they are used for, and the lists of CAs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ca.model import CertificateRecord, CertificateStatus, ProfileName

RENEWAL = timedelta(days=60)
"""A certificate of an end entity that ends within this time is due to be replaced."""

_AUTHORITIES = frozenset({ProfileName.ROOT, ProfileName.ISSUING})
_CA_SHARE = 3
"""A CA is due for a successor when one part in so many of its life is left: what it issues lives long."""


class Use(StrEnum):
    IN_USE = "in use"
    WAITS = "waits"  # certified, its key not activated yet
    LISTS_ONLY = "lists only"  # a CA with a successor
    OVERLAPS = "overlaps"  # has a successor and can still sign
    RETIRED = "retired"  # its key signs nothing any more
    ELSEWHERE = "elsewhere"  # a CA above whose key others keep, or nobody online
    LINK = "link"
    HELD = "on hold"
    REVOKED = "revoked"
    EXPIRED = "expired"


class Due(StrEnum):
    NOTHING = ""
    RENEW = "renew"
    SUCCESSOR = "successor"
    DECIDE = "decide"  # a hold that nobody ended


@dataclass(frozen=True, slots=True)
class CertificateView:
    """``due`` is what will have to be done next, from ``due_at`` on."""

    record: CertificateRecord
    use: Use
    due: Due = Due.NOTHING
    due_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        return self.due_at is not None and self.due_at <= now


@dataclass(frozen=True, slots=True)
class ListView:
    """The newest list of one name. ``due_at`` is half its life; ``brought``: it is signed elsewhere."""

    name: str
    number: int
    this_update: datetime
    next_update: datetime
    brought: bool

    @property
    def due_at(self) -> datetime:
        return self.this_update + (self.next_update - self.this_update) / 2


def overview(
    certificates: Iterable[CertificateRecord], key_states: Mapping[str, str], now: datetime
) -> list[CertificateView]:
    """In the order given. ``key_states`` by key id, as :class:`keys.model.KeyState` spells them."""
    given = list(certificates)
    current: dict[tuple[ProfileName, str], CertificateRecord] = {}
    for record in given:  # the one issued last among those whose keys are active
        signs = key_states.get(record.key_id) == "active"
        signs = signs or (record.key_is_elsewhere and record.profile in _AUTHORITIES)
        if record.status is CertificateStatus.GOOD and signs and record.not_after > now:
            use = (record.profile, record.owner)
            if use not in current or record.issued_at >= current[use].issued_at:
                current[use] = record
    in_use = {record.serial for record in current.values()}
    return [_view(record, record.serial in in_use, key_states, now) for record in given]


def _view(
    record: CertificateRecord, is_current: bool, key_states: Mapping[str, str], now: datetime
) -> CertificateView:
    use = _ended(record, now) or _use(record, is_current, key_states.get(record.key_id, ""))
    if use is Use.HELD:
        return CertificateView(record, use, Due.DECIDE, record.revoked_at)
    if is_current and record.profile in _AUTHORITIES:
        left = (record.not_after - record.not_before) / _CA_SHARE
        return CertificateView(record, use, Due.SUCCESSOR, record.not_after - left)
    if use is Use.IN_USE or (use is Use.ELSEWHERE and record.profile is ProfileName.SEAL):
        return CertificateView(record, use, Due.RENEW, record.not_after - RENEWAL)
    return CertificateView(record, use)


def _ended(record: CertificateRecord, now: datetime) -> Use | None:
    if record.status is CertificateStatus.REVOKED:
        return Use.REVOKED
    if record.not_after <= now:
        return Use.EXPIRED
    return Use.HELD if record.status is CertificateStatus.ON_HOLD else None


def _use(record: CertificateRecord, is_current: bool, key_state: str) -> Use:
    if record.profile is ProfileName.CROSS:
        return Use.LINK
    if record.key_is_elsewhere:
        return Use.ELSEWHERE
    if is_current:
        return Use.IN_USE
    if key_state == "active":
        return Use.LISTS_ONLY if record.profile in _AUTHORITIES else Use.OVERLAPS
    return Use.WAITS if key_state == "pre-activation" else Use.RETIRED
