"""Puts together what changes keys and ends them: asked for by people or the schedule, done by workflows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from app.audit import Audit
from app.clock import Clock
from app.custody import token_key_policy
from app.database import Database
from app.rotation.cancelling import Cancellations
from app.rotation.destroying import Destructions
from app.rotation.discarding import Discarding
from app.rotation.endings import KeyEndings, StillPublished
from app.rotation.register import RotationRegister
from app.rotation.schedule import Schedule, schedule_policy
from app.rotation.service import Canary, Rotations, RotationTimes
from app.rotation.uses import KeyUses
from app.settings import Settings
from ca.hierarchy import Hierarchy
from ca.revocation import Revocation
from keys.dual_control import DualControl
from keys.envelope import Envelope
from keys.service import KeyService


@dataclass(frozen=True, slots=True)
class KeyChanges:
    rotations: Rotations
    cancellations: Cancellations
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
    uses = KeyUses(read=database.read, keys=keys, hierarchy=hierarchy)
    register = RotationRegister(begin=database.begin, read=database.read, clock=clock, audit=audit)
    discarding = Discarding(keys=keys, revocation=revocation, uses=uses)
    destructions = Destructions(begin=database.begin, read=database.read, clock=clock, audit=audit, keys=keys)
    rotations = Rotations(
        read=database.read,
        exclusively=database.exclusively,
        clock=clock,
        keys=keys,
        envelope=envelope,
        hierarchy=hierarchy,
        dual_control=dual_control,
        register=register,
        uses=uses,
        discarding=discarding,
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
    cancellations = Cancellations(
        begin=database.begin,
        clock=clock,
        audit=audit,
        keys=keys,
        dual_control=dual_control,
        register=register,
        destructions=destructions,
        discarding=discarding,
    )
    endings = KeyEndings(
        begin=database.begin,
        read=database.read,
        clock=clock,
        keys=keys,
        hierarchy=hierarchy,
        dual_control=dual_control,
        destructions=destructions,
        tokens=StillPublished(timedelta(minutes=settings.identity.key_keep_minutes)),
    )
    return KeyChanges(rotations, cancellations, schedule, endings)
