"""Puts together what changes keys and ends them: asked for by people or the schedule, done by workflows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from app.audit import Audit
from app.clock import Clock
from app.custody import token_key_policy
from app.database import Database
from app.rotation.endings import KeyEndings, StillPublished
from app.rotation.schedule import Schedule, schedule_policy
from app.rotation.service import Canary, Rotations, RotationTimes
from app.settings import Settings
from ca.hierarchy import Hierarchy
from ca.revocation import Revocation
from keys.dual_control import DualControl
from keys.envelope import Envelope
from keys.service import KeyService


@dataclass(frozen=True, slots=True)
class KeyChanges:
    rotations: Rotations
    schedule: Schedule
    endings: KeyEndings


def build_rotation(
    settings: Settings,
    *,
    database: Database,
    clock: Clock,
    audit: Audit,
    keys: KeyService,
    envelope: Envelope,
    hierarchy: Hierarchy,
    revocation: Revocation,
    dual_control: DualControl,
    canary: Canary,
) -> KeyChanges:
    """Opens no key and asks no database."""
    rotations = Rotations(
        begin=database.begin,
        read=database.read,
        exclusively=database.exclusively,
        clock=clock,
        audit=audit,
        keys=keys,
        envelope=envelope,
        hierarchy=hierarchy,
        revocation=revocation,
        dual_control=dual_control,
        canary=canary,
        times=RotationTimes(
            overlap=timedelta(minutes=settings.keys.overlap_minutes),
            publish=timedelta(minutes=settings.identity.key_publish_minutes),
        ),
    )
    schedule = Schedule(
        read=database.read,
        clock=clock,
        keys=keys,
        rotations=rotations,
        dual_control=dual_control,
        policy=schedule_policy(settings, keys.usage.limits),
        tokens=token_key_policy(settings),
    )
    endings = KeyEndings(
        begin=database.begin,
        read=database.read,
        clock=clock,
        audit=audit,
        keys=keys,
        hierarchy=hierarchy,
        dual_control=dual_control,
        tokens=StillPublished(timedelta(minutes=settings.identity.key_keep_minutes)),
    )
    return KeyChanges(rotations, schedule, endings)
