"""When a key is due to be replaced. Pure: what is known of it in, the reason out (SP 800-57 part 1, 5.3).

Four clocks run for every key, and the first that strikes counts: its age, what remains of its cryptoperiod
or of its certificate, how often it was used, and the end of its algorithm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from keys.model import KeyAlgorithm, KeyPurpose, KeyRecord, KeyState

_WORN = 0.8
"""Of its limit of uses: the rest is for the time that custodians take."""


class Due(StrEnum):
    """Why a key is due. Values stand in requests and metrics."""

    AGE = "age"
    ENDS = "ends"
    USES = "uses"
    ALGORITHM = "algorithm"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``since`` is when the reason began to hold, None where nobody wrote that down."""

    reason: Due
    words: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class SchedulePolicy:
    """``max_age`` and ``limits`` (uses of one key) by purpose; what is missing there never strikes.

    ``notice`` is how long before an end a successor is asked for: time for custodians to meet. A key whose
    whole life is short gets a quarter of it. ``sunsets`` are the days after which an algorithm is not used.
    """

    max_age: Mapping[KeyPurpose, timedelta] = field(default_factory=lambda: MappingProxyType({}))
    limits: Mapping[KeyPurpose, int] = field(default_factory=lambda: MappingProxyType({}))
    sunsets: Mapping[KeyAlgorithm, datetime] = field(default_factory=lambda: MappingProxyType({}))
    notice: timedelta = timedelta(days=90)


def due(
    key: KeyRecord, now: datetime, policy: SchedulePolicy, *, uses: int = 0, ends: datetime | None = None
) -> Verdict | None:
    """Why an active ``key`` should be replaced now, None while it should not.

    ``uses`` are its signatures or wraps so far; ``ends`` is when its certificate does. A key that is not in
    use is never due.
    """
    if key.state is not KeyState.ACTIVE:
        return None
    return (
        _ending(key, now, policy, ends)
        or _old(key, now, policy)
        or _worn(key, policy, uses)
        or _outdated(key, now, policy)
    )


def due_from(key: KeyRecord, policy: SchedulePolicy, *, ends: datetime | None = None) -> datetime | None:
    """When ``key`` becomes due by the calendar alone: by its end, its age or its algorithm. None: never."""
    moments = []
    if (ending := _notice_of_end(key, policy, ends)) is not None:
        moments.append(ending[0])
    if (max_age := policy.max_age.get(key.purpose)) is not None:
        moments.append(key.created_at + max_age)
    if (sunset := policy.sunsets.get(key.algorithm)) is not None:
        moments.append(sunset - policy.notice)
    return min((moment for moment in moments if moment >= key.created_at), default=None)


def _notice_of_end(
    key: KeyRecord, policy: SchedulePolicy, ends: datetime | None
) -> tuple[datetime, datetime] | None:
    """When to give notice, and the end itself."""
    known = [moment for moment in (key.not_after, ends) if moment is not None]
    if not known:
        return None
    end = min(known)
    return end - min(policy.notice, max(end - key.created_at, timedelta()) / 4), end


def _ending(key: KeyRecord, now: datetime, policy: SchedulePolicy, ends: datetime | None) -> Verdict | None:
    found = _notice_of_end(key, policy, ends)
    if found is None or now < found[0]:
        return None
    return Verdict(Due.ENDS, f"it ends on {found[1]:%Y-%m-%d}", found[0])


def _old(key: KeyRecord, now: datetime, policy: SchedulePolicy) -> Verdict | None:
    max_age = policy.max_age.get(key.purpose)
    if max_age is None or now - key.created_at < max_age:
        return None
    return Verdict(Due.AGE, f"it was made on {key.created_at:%Y-%m-%d}", key.created_at + max_age)


def _worn(key: KeyRecord, policy: SchedulePolicy, uses: int) -> Verdict | None:
    limit = policy.limits.get(key.purpose)
    if limit is None or uses < limit * _WORN:
        return None
    return Verdict(Due.USES, f"it was used {uses:,} of {limit:,} times")


def _outdated(key: KeyRecord, now: datetime, policy: SchedulePolicy) -> Verdict | None:
    """Once per key: one that is made under the same algorithm in spite of the notice was a decision."""
    sunset = policy.sunsets.get(key.algorithm)
    if sunset is None or now < sunset - policy.notice or key.created_at >= sunset - policy.notice:
        return None
    return Verdict(
        Due.ALGORITHM, f"{key.algorithm} is not used after {sunset:%Y-%m-%d}", sunset - policy.notice
    )
