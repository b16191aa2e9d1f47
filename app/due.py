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
from keys.policy import SchedulePolicy, due, due_from


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
    policy: SchedulePolicy,
    now: datetime,
) -> list[KeyLine]:
    """Most urgent first; then the hierarchy from the root down, owners by name, newest first.

    ``certificates`` are those of the keys, whatever their status. What is due is what ``policy`` says, by
    which successors are asked for.
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
            policy,
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
    policy: SchedulePolicy,
    *,
    is_superseded: bool,
    now: datetime,
) -> KeyLine:
    bounds = [key.not_after] if key.not_after is not None else []
    bounds += [certificate.not_after] if certificate is not None else []
    ends = min(bounds, default=None)
    limit = policy.limits.get(key.purpose)
    urgency, step, why = _STEPS.get(key.state) or _of_active(
        key, uses.uses, policy, ends, is_superseded=is_superseded, now=now
    )
    return KeyLine(key, certificate, uses, limit, ends, urgency, step, why)


_DAYS: Final = timedelta(days=100)
"""For as long before a step people plan by days."""

_STEPS: Final = {
    KeyState.PRE_ACTIVATION: (Urgency.LATER, "takes over", ""),
    KeyState.SUSPENDED: (Urgency.SOON, "decide", "suspended: reinstate it, or retire it"),
    KeyState.COMPROMISED: (
        Urgency.SOON,
        "destroy",
        "somebody else may have it: destroy it when nothing needs it",
    ),
    KeyState.DEACTIVATED: (Urgency.LATER, "destroy", ""),
    KeyState.DESTROYED: (Urgency.LATER, "", ""),
}
"""What follows from the state alone; an active key has more to look at."""


def _of_active(
    key: KeyRecord,
    uses: int,
    policy: SchedulePolicy,
    ends: datetime | None,
    *,
    is_superseded: bool,
    now: datetime,
) -> tuple[Urgency, str, str]:
    limit = policy.limits.get(key.purpose)
    if is_superseded:
        return Urgency.LATER, "retire", ""
    if ends is not None and ends <= now:
        return Urgency.NOW, "rotate", f"ended on {ends:%Y-%m-%d}: it signs nothing"
    if limit is not None and uses >= limit:
        return Urgency.NOW, "rotate", f"was used {uses:,} of {limit:,} times: it signs nothing"
    verdict = due(key, now, policy, uses=uses, ends=ends)
    if verdict is not None:
        return Urgency.SOON, "rotate", verdict.words
    if key.purpose is KeyPurpose.TOKEN:
        return Urgency.LATER, "by schedule", ""
    next_due = due_from(key, policy, ends=ends)
    return Urgency.LATER, "" if next_due is None else when(next_due, now), ""


def when(moment: datetime, now: datetime) -> str:
    """When a step is to be taken: ``now``, ``in 5 hours``, ``in 40 d``, ``in 21 months``."""
    left = moment - now
    if left <= timedelta(0):
        return "now"
    return f"in {left.days} d" if timedelta(days=1) <= left < _DAYS else f"in {in_words(left)}"


def in_words(span: timedelta) -> str:
    """Roughly, in the unit that a person would use: ``3 years``, ``5 weeks``, ``1 day``, ``4 hours``."""
    for unit, size in (("year", 365.25), ("month", 30.44), ("week", 7.0), ("day", 1.0)):
        least = 2 if unit != "day" else 1
        if (count := span / timedelta(days=size)) >= least:
            return f"{int(count)} {unit}{'' if int(count) == 1 else 's'}"
    hours = max(0, int(span / timedelta(hours=1)))
    return f"{hours} hour{'' if hours == 1 else 's'}"
