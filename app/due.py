"""What is due with each key, said at a glance. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from app.expiries import in_use
from ca.model import CertificateRecord
from keys.model import KeyPurpose, KeyRecord, KeyState, KeyUses

_SOON: Final = timedelta(days=60)
_CA_SOON: Final = timedelta(days=365)
"""A CA cannot certify for longer than it lives, so its successor is due long before."""
_WEARING_OUT: Final = 0.9
_CAS: Final = frozenset({KeyPurpose.ROOT_CA, KeyPurpose.ISSUING_CA})


class Urgency(StrEnum):
    """Values are printed."""

    NOW = "now"
    SOON = "soon"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One key with everything that stands beside it in the table. ``ends`` is when it signs no more, by its
    certificate or its own period, whichever is first. ``limit`` is how many uses it has."""

    key: KeyRecord
    certificate: CertificateRecord | None
    uses: KeyUses
    limit: int | None
    ends: datetime | None
    urgency: Urgency
    step: str
    why: str


def key_lines(
    keys: Iterable[KeyRecord],
    certificates: Iterable[CertificateRecord],
    *,
    uses: Mapping[str, KeyUses],
    limits: Mapping[KeyPurpose, int],
    now: datetime,
) -> list[KeyLine]:
    """Most urgent first; then the hierarchy from the root down, owners by name, newest first.

    ``certificates`` are those of the keys, whatever their status.
    """
    known, certified = list(keys), list(certificates)
    active = [key for key in known if key.state is KeyState.ACTIVE]
    of_active = {key.id for key in active}
    current = in_use(active, [record for record in certified if record.key_id in of_active])
    current_keys = {record.key_id for record in current.values()}
    newest: dict[str, CertificateRecord] = {}
    for record in sorted(certified, key=lambda record: record.issued_at):
        newest[record.key_id] = record
    superseded = {key.id for key in active if key.id in newest and key.id not in current_keys}
    lines = [
        _line(
            key,
            newest.get(key.id),
            uses.get(key.id, KeyUses()),
            limits.get(key.purpose),
            is_superseded=key.id in superseded,
            now=now,
        )
        for key in known
    ]
    purposes, urgencies = list(KeyPurpose), list(Urgency)
    return sorted(
        lines,
        key=lambda line: (
            urgencies.index(line.urgency),
            purposes.index(line.key.purpose),
            line.key.owner,
            -line.key.created_at.timestamp(),
        ),
    )


def _line(
    key: KeyRecord,
    certificate: CertificateRecord | None,
    uses: KeyUses,
    limit: int | None,
    *,
    is_superseded: bool,
    now: datetime,
) -> KeyLine:
    bounds = [key.not_after] if key.not_after is not None else []
    bounds += [certificate.not_after] if certificate is not None else []
    ends = min(bounds, default=None)
    urgency, step, why = _next(key, uses.uses, limit, ends, is_superseded=is_superseded, now=now)
    return KeyLine(key, certificate, uses, limit, ends, urgency, step, why)


def _next(
    key: KeyRecord,
    uses: int,
    limit: int | None,
    ends: datetime | None,
    *,
    is_superseded: bool,
    now: datetime,
) -> tuple[Urgency, str, str]:
    match key.state:
        case KeyState.PRE_ACTIVATION:
            return Urgency.LATER, "takes over", "generated, and not in use yet"
        case KeyState.SUSPENDED:
            return Urgency.SOON, "decide", "suspended: reinstate it, or retire it"
        case KeyState.COMPROMISED:
            return Urgency.SOON, "destroy", "somebody else may have it: destroy it when nothing needs it"
        case KeyState.DEACTIVATED:
            return Urgency.LATER, "destroy", "retired: destroy it when nothing needs it any more"
        case KeyState.DESTROYED:
            return Urgency.LATER, "", ""
        case KeyState.ACTIVE:
            return _next_of_active(key, uses, limit, ends, is_superseded=is_superseded, now=now)


def _next_of_active(
    key: KeyRecord,
    uses: int,
    limit: int | None,
    ends: datetime | None,
    *,
    is_superseded: bool,
    now: datetime,
) -> tuple[Urgency, str, str]:
    if is_superseded:
        return Urgency.LATER, "retire", "has a successor that is in use"
    if ends is not None and ends <= now:
        return Urgency.NOW, "rotate", f"ended on {ends:%Y-%m-%d}: it signs nothing"
    if limit is not None and uses >= _WEARING_OUT * limit:
        urgency, rest = (Urgency.NOW, ": it signs nothing") if uses >= limit else (Urgency.SOON, "")
        return urgency, "rotate", f"made {uses / limit:.0%} of its {limit:,} uses{rest}"
    if ends is None:
        return Urgency.LATER, "by itself" if key.purpose is KeyPurpose.TOKEN else "", ""
    soon = min(_CA_SOON if key.purpose in _CAS else _SOON, (ends - key.created_at) / 10)
    if ends - now <= soon:
        return Urgency.SOON, "rotate", f"ends on {ends:%Y-%m-%d}, in {in_words(ends - now)}"
    return Urgency.LATER, f"in {in_words(ends - soon - now)}", ""


def in_words(span: timedelta) -> str:
    """Roughly, in the unit that a person would use: ``3 years``, ``5 weeks``, ``1 day``, ``4 hours``."""
    for unit, size in (("year", 365.25), ("month", 30.44), ("week", 7.0), ("day", 1.0)):
        least = 2 if unit != "day" else 1
        if (count := span / timedelta(days=size)) >= least:
            return f"{int(count)} {unit}{'' if int(count) == 1 else 's'}"
    hours = max(0, int(span / timedelta(hours=1)))
    return f"{hours} hour{'' if hours == 1 else 's'}"
