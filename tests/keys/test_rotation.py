"""Rotation as a table of named scenarios: the register and the time in, the steps out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.model import KeyAlgorithm, KeyPurpose, KeyRecord, KeyState, may_move
from keys.rotation import Act, RotationPolicy, Step, is_published, next_acts, takes_over_at

NOW = datetime(2026, 11, 22, tzinfo=UTC)
POLICY = RotationPolicy(
    max_age=timedelta(days=90),
    publish=timedelta(days=1),
    keep=timedelta(hours=2),
    overlap=timedelta(minutes=1),
)
GENERATE = Act(Step.GENERATE)


def key(name: str, state: KeyState, *, made: timedelta, since: timedelta | None = None) -> KeyRecord:
    """A key that was made ``made`` ago and has been in its state for ``since``."""
    return KeyRecord(
        id=name,
        purpose=KeyPurpose.TOKEN,
        algorithm=KeyAlgorithm.EC_P256,
        owner="",
        store="software",
        state=state,
        public_key=b"",
        created_at=NOW - made,
        state_since=None if since is None else NOW - since,
    )


def active(name: str, *, made: timedelta, since: timedelta | None = None) -> KeyRecord:
    return key(name, KeyState.ACTIVE, made=made, since=since)


def waiting(name: str, *, made: timedelta) -> KeyRecord:
    return key(name, KeyState.PRE_ACTIVATION, made=made)


DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
SCENARIOS: dict[str, tuple[list[KeyRecord], list[Act]]] = {
    "nothing is there": ([], [GENERATE]),
    "a first key was made and the process died": (
        [waiting("a", made=MINUTE)],
        [Act(Step.ACTIVATE, "a")],
    ),
    "the only key was withdrawn": (
        [key("a", KeyState.COMPROMISED, made=9 * DAY)],
        [GENERATE],
    ),
    "the key in use was withdrawn while another waits": (
        [key("a", KeyState.SUSPENDED, made=9 * DAY), waiting("b", made=MINUTE)],
        [Act(Step.ACTIVATE, "b")],
    ),
    "one key, young": ([active("a", made=9 * DAY)], []),
    "one key, a moment before its successor is due": (
        [active("a", made=200 * DAY, since=89 * DAY - timedelta(seconds=1))],
        [],
    ),
    "one key, its successor is due": ([active("a", made=200 * DAY, since=89 * DAY)], [GENERATE]),
    "one key from before states had times": ([active("a", made=89 * DAY)], [GENERATE]),
    "the successor is not known long enough": (
        [active("a", made=90 * DAY), waiting("b", made=DAY - timedelta(seconds=1))],
        [],
    ),
    "the successor takes over": (
        [active("a", made=90 * DAY), waiting("b", made=DAY)],
        [Act(Step.ACTIVATE, "b")],
    ),
    "a rotation that was asked for early": (
        [active("a", made=9 * DAY), waiting("b", made=DAY)],
        [Act(Step.ACTIVATE, "b")],
    ),
    "the successor has just taken over": (
        [active("a", made=91 * DAY), active("b", made=DAY, since=MINUTE - timedelta(seconds=1))],
        [],
    ),
    "everybody has noticed the successor": (
        [active("a", made=91 * DAY), active("b", made=DAY, since=MINUTE)],
        [Act(Step.DEACTIVATE, "a")],
    ),
    "several predecessors": (
        [active("a", made=91 * DAY), active("b", made=8 * DAY), active("c", made=2 * DAY, since=HOUR)],
        [Act(Step.DEACTIVATE, "a"), Act(Step.DEACTIVATE, "b")],
    ),
    "a key that waited and was passed over stays where it is": (
        [waiting("a", made=9 * DAY), active("b", made=2 * DAY, since=HOUR)],
        [],
    ),
    "retired keys need nothing": (
        [key("a", KeyState.DEACTIVATED, made=99 * DAY, since=DAY), active("b", made=9 * DAY)],
        [],
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    keys, acts = SCENARIOS[name]
    assert next_acts(keys, NOW, POLICY) == acts
    assert next_acts(reversed(keys), NOW, POLICY) == acts, "the order of the register means nothing"


@pytest.mark.parametrize(
    ("state", "since", "published"),
    [
        (KeyState.PRE_ACTIVATION, DAY, True),
        (KeyState.ACTIVE, 400 * DAY, True),
        (KeyState.DEACTIVATED, 2 * HOUR - timedelta(seconds=1), True),
        (KeyState.DEACTIVATED, 2 * HOUR, False),
        (KeyState.SUSPENDED, MINUTE, False),
        (KeyState.COMPROMISED, MINUTE, False),
        (KeyState.DESTROYED, MINUTE, False),
    ],
)
def test_what_is_published(state: KeyState, since: timedelta, published: bool) -> None:
    assert is_published(key("a", state, made=500 * DAY, since=since), NOW, POLICY) is published


def test_a_key_cannot_be_published_for_longer_than_its_predecessor_is_used() -> None:
    with pytest.raises(ValueError, match="longer"):
        RotationPolicy(max_age=DAY, publish=DAY, keep=DAY)


@given(st.lists(st.integers(min_value=1, max_value=7 * 24 * 60), min_size=5, max_size=60))
def test_over_years_of_irregular_rounds_no_key_signs_unannounced_and_one_always_signs(
    rounds: list[int],
) -> None:
    """``rounds`` are minutes between one look at the register and the next."""
    now, made = NOW, 0
    register: dict[str, KeyRecord] = {}
    for minutes in rounds * 20:
        now += timedelta(minutes=minutes)
        while acts := next_acts(register.values(), now, POLICY):
            for act in acts:
                if act.step is Step.GENERATE:
                    made += 1
                    register[f"k{made}"] = key(f"k{made}", KeyState.PRE_ACTIVATION, made=NOW - now)
                    continue
                target = KeyState.ACTIVE if act.step is Step.ACTIVATE else KeyState.DEACTIVATED
                old = register[act.key_id]
                assert may_move(old.state, target)
                if target is KeyState.ACTIVE and made > 1:
                    assert now >= takes_over_at(old, POLICY)
                if target is KeyState.DEACTIVATED:
                    newer = [one for one in register.values() if one.state is KeyState.ACTIVE and one != old]
                    assert any(now - one.since >= POLICY.overlap for one in newer)
                register[act.key_id] = key(old.id, target, made=NOW - old.created_at, since=NOW - now)
        assert any(one.state is KeyState.ACTIVE for one in register.values())
        assert sum(one.state is KeyState.PRE_ACTIVATION for one in register.values()) <= 1
