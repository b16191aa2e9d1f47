"""When keys that sign for relying parties change. Pure: the register and the time in, the next steps out.

Whoever verifies our tokens keeps our published keys for a while, and our own processes remember for a moment
which key is in use. So a key lives in five phases, none of which may be left out (SP 800-57 part 1, 5.3.4):

1. PRE_ACTIVATION: published, not used yet
2. ACTIVE: in use
3. ACTIVE beside a newer one: in use no more, still able to sign for whoever did not notice
4. DEACTIVATED: retired, still published
5. DEACTIVATED: gone from what is published
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from keys.model import KeyRecord, KeyState


@dataclass(frozen=True, slots=True)
class RotationPolicy:
    """``max_age`` is counted from the first use of a key.

    ``publish`` is longer than anybody keeps our key set; ``keep`` longer than anything lives that was signed
    with a key; ``overlap`` longer than any process of ours remembers which key is in use.
    """

    max_age: timedelta
    publish: timedelta
    keep: timedelta
    overlap: timedelta = timedelta(minutes=1)

    def __post_init__(self) -> None:
        if self.publish >= self.max_age:
            raise ValueError("a key cannot be published for longer than its predecessor is used")


class Step(StrEnum):
    GENERATE = "generate"
    ACTIVATE = "activate"
    DEACTIVATE = "deactivate"


@dataclass(frozen=True, slots=True)
class Act:
    """One step; ``key_id`` is empty where it makes a key."""

    step: Step
    key_id: str = ""


def next_acts(keys: Iterable[KeyRecord], now: datetime, policy: RotationPolicy) -> list[Act]:
    """What is to be done now with the keys of one purpose, owner and algorithm. Empty: nothing.

    To ask for a rotation ahead of time is to generate a key: it takes over once it was published for long
    enough. A service that has no key in use at all does not wait for that.
    """
    ordered = sorted(keys, key=lambda key: (key.created_at, key.id))
    waiting = [key for key in ordered if key.state is KeyState.PRE_ACTIVATION]
    active = [key for key in ordered if key.state is KeyState.ACTIVE]
    if not active:
        return [Act(Step.ACTIVATE, waiting[-1].id) if waiting else Act(Step.GENERATE)]
    current = active[-1]
    acts = []
    # 1. Who came before goes, once nobody can still be using it.
    if now - current.since >= policy.overlap:
        acts += [Act(Step.DEACTIVATE, key.id) for key in active[:-1]]
    # 2. Who is next takes over, or is made in time to take over.
    successors = [key for key in waiting if key.created_at > current.created_at]
    if successors:
        if now - successors[-1].created_at >= policy.publish:
            acts.append(Act(Step.ACTIVATE, successors[-1].id))
    elif now - current.since >= policy.max_age - policy.publish:
        acts.append(Act(Step.GENERATE))
    return acts


def is_published(key: KeyRecord, now: datetime, policy: RotationPolicy) -> bool:
    """Whether others are told of the key, and what it signed is honoured.

    A suspended or compromised key is withdrawn at once, and everything that it signed with it.
    """
    if key.state is KeyState.DEACTIVATED:
        return now - key.since < policy.keep
    return key.state in {KeyState.PRE_ACTIVATION, KeyState.ACTIVE}


def takes_over_at(key: KeyRecord, policy: RotationPolicy) -> datetime:
    """When a key that waits will be used."""
    return key.created_at + policy.publish
