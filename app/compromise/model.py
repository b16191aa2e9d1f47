"""A case of a lost key as facts: its steps and their order, and how documents are sorted. Pure.

The first step needs nobody's consent, because it can be undone; everything after ``DECIDE`` cannot. What is
still good is made safe before the key is revoked, what is worthless is replaced afterwards:

- a **seal**: revoke, renew, seal anew;
- a **CA**, with everything under it: the same; what only its time-stamping units stamped is stamped again;
- a **time-stamping unit**: renew, stamp again what it stamped, revoke. What it stamped is good as long as the
  seals are, and must not depend on that for ever.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from ca.doubts import Doubt, SealStanding, Stamp, proven_time, standing_of
from keys.model import KeyPurpose
from signing.model import DocumentState, SealRecord
from verify.verdict import is_past


class Step(StrEnum):
    """What is to be done next in a case. Values are stored."""

    SUSPEND = "suspend"  # the key stops, its certificates are on hold
    DECIDE = "decide"  # wait for the custodians
    REVOKE = "revoke"  # for good, and told to the world
    RENEW = "renew"  # another key takes over
    RESTAMP = "restamp"  # a time from elsewhere for what the unit stamped
    RESEAL = "reseal"  # the documents that nobody can believe any more
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"  # it was a false alarm


PLANS: Final[Mapping[KeyPurpose, tuple[Step, ...]]] = MappingProxyType(
    {
        KeyPurpose.SEAL: (Step.SUSPEND, Step.DECIDE, Step.REVOKE, Step.RENEW, Step.RESEAL, Step.CLOSED),
        KeyPurpose.ISSUING_CA: (
            Step.SUSPEND,
            Step.DECIDE,
            Step.REVOKE,
            Step.RENEW,
            Step.RESTAMP,
            Step.RESEAL,
            Step.CLOSED,
        ),
        KeyPurpose.TIMESTAMPING: (
            Step.SUSPEND,
            Step.DECIDE,
            Step.RENEW,
            Step.RESTAMP,
            Step.REVOKE,
            Step.RESEAL,
            Step.CLOSED,
        ),
        KeyPurpose.OCSP: (Step.SUSPEND, Step.DECIDE, Step.REVOKE, Step.RENEW, Step.CLOSED),
        KeyPurpose.RECEIPT: (Step.SUSPEND, Step.DECIDE, Step.REVOKE, Step.RENEW, Step.CLOSED),
        KeyPurpose.TOKEN: (Step.SUSPEND, Step.DECIDE, Step.REVOKE, Step.RENEW, Step.CLOSED),
        KeyPurpose.WRAPPING: (Step.SUSPEND, Step.DECIDE, Step.REVOKE, Step.RENEW, Step.CLOSED),
    }
)
"""By purpose. A root is missing: it is not revoked but taken out of trust lists, and that is a ceremony."""

OPEN: Final = frozenset(Step) - {Step.CLOSED, Step.WITHDRAWN}
REVERSIBLE: Final = frozenset({Step.SUSPEND, Step.DECIDE})


@dataclass(frozen=True, slots=True)
class Case:
    """One lost key. ``step`` is what is to be done next; times are aware UTC.

    ``since`` is from when somebody else may have had the key. ``request_id`` is the request that custodians
    decide on, empty where nobody has to. ``reseals`` says whether documents are sealed anew by themselves.
    ``done`` and ``failed`` count documents that the last round sealed anew, and could not seal anew.
    """

    id: str
    key_id: str
    purpose: KeyPurpose
    owner: str
    since: datetime
    opened_at: datetime
    opened_by: str
    step: Step = Step.SUSPEND
    reseals: bool = True
    request_id: str = ""
    moved_at: datetime | None = None
    done: int = 0
    failed: int = 0

    @property
    def is_open(self) -> bool:
        return self.step in OPEN

    @property
    def next_step(self) -> Step:
        """What comes after :attr:`step`."""
        plan = PLANS[self.purpose]
        return plan[plan.index(self.step) + 1]


def new_case_id() -> str:
    return f"case-{secrets.token_hex(6)}"


class TimeClass(StrEnum):
    """How a document's proven time lies to the loss of the key."""

    BEFORE = "before"
    AFTER = "after"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Affected:
    """A document that stands on the key: what is proven about its time, how that lies to the loss, and what
    its seal is worth.
    """

    record: SealRecord
    proven_at: datetime | None
    sorted_as: TimeClass
    seal: SealStanding

    def needs_new_seal(self, now: datetime) -> bool:
        """Whether it is in force and nobody can tell it from a thief's. What is over need not be replaced."""
        in_force = self.record.state is DocumentState.ISSUED and not is_past(self.record.valid_until, now)
        return in_force and self.seal is SealStanding.LOST

    @property
    def is_replaced(self) -> bool:
        return self.seal is SealStanding.LOST and self.record.state is DocumentState.SUPERSEDED

    @property
    def needs_stamp(self) -> bool:
        """Whether its seal is good and nothing proves its time: one day its certificate ends."""
        return self.seal is SealStanding.UNPROVEN and self.record.state is not DocumentState.REVOKED


def sort_out(record: SealRecord, since: datetime, doubts: Mapping[bytes, Doubt | None]) -> Affected:
    """Sort a document by a loss ``since`` some time. ``doubts`` is what stands against its certificate and
    those of the units that stamped it. A unit on hold proves nothing for now.
    """
    by = record.sealed_by
    stamps = [Stamp(by.stamped_at, doubts[by.unit])]
    stamps += [Stamp(at, doubts[certificate]) for at, certificate in record.archived]
    proven_at = proven_time(stamps)
    if proven_at is None:
        sorted_as = TimeClass.NONE
    else:
        sorted_as = TimeClass.BEFORE if proven_at < since else TimeClass.AFTER
    return Affected(record, proven_at, sorted_as, standing_of(doubts[by.certificate], stamps))


@dataclass(frozen=True, slots=True)
class Counts:
    """Documents of a case: by class; how many were sealed anew, and how many wait for a seal or a stamp.
    Samples are counted too.
    """

    before: int = 0
    after: int = 0
    none: int = 0
    replaced: int = 0
    waiting: int = 0
    unstamped: int = 0

    @property
    def total(self) -> int:
        return self.before + self.after + self.none

    def plus(self, one: Affected, now: datetime) -> Counts:
        """With one more document."""
        name = one.sorted_as.value
        counted = replace(self, **{name: getattr(self, name) + 1})
        if one.needs_stamp:
            counted = replace(counted, unstamped=counted.unstamped + 1)
        if one.needs_new_seal(now):
            return replace(counted, waiting=counted.waiting + 1)
        return replace(counted, replaced=counted.replaced + 1) if one.is_replaced else counted
