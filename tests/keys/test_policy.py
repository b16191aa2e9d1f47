"""When keys are due: the first of four clocks that strikes, and never for a key that is not in use."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.model import KeyAlgorithm, KeyPurpose, KeyRecord, KeyState
from keys.policy import Due, SchedulePolicy, due

MADE = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
KEY = KeyRecord(
    "seal-1", KeyPurpose.SEAL, KeyAlgorithm.EC_P256, "dinas", "software", KeyState.ACTIVE, b"", MADE
)
POLICY = SchedulePolicy(
    max_age={KeyPurpose.SEAL: YEAR},
    limits={KeyPurpose.SEAL: 1000},
    sunsets={KeyAlgorithm.EC_P256: datetime(2036, 1, 1, tzinfo=UTC)},
    notice=timedelta(days=90),
)
SECOND = timedelta(seconds=1)

moments = st.integers(0, 34 * 365 * 24 * 3600).map(lambda seconds: MADE + timedelta(seconds=seconds))
keys = st.builds(
    replace,
    st.just(KEY),
    state=st.sampled_from(KeyState),
    algorithm=st.sampled_from(KeyAlgorithm),
    purpose=st.sampled_from(KeyPurpose),
    created_at=moments,
    not_after=st.none() | moments,
)


@pytest.mark.parametrize(
    ("now", "uses", "ends", "reason"),
    [
        (MADE + YEAR - SECOND, 799, MADE + 3 * YEAR, None),
        (MADE + YEAR, 0, None, Due.AGE),
        (MADE, 800, None, Due.USES),
        (MADE + timedelta(days=310), 0, MADE + timedelta(days=400), Due.ENDS),
        (MADE + timedelta(days=310) - SECOND, 0, MADE + timedelta(days=400), None),
        # A key whose whole life is short is asked for in its last quarter.
        (MADE + timedelta(days=6), 0, MADE + timedelta(days=8), Due.ENDS),
        (MADE + timedelta(days=6) - SECOND, 0, MADE + timedelta(days=8), None),
        (MADE + YEAR, 999, MADE + YEAR, Due.ENDS),
    ],
)
def test_the_first_clock_that_strikes_is_the_reason(
    now: datetime, uses: int, ends: datetime | None, reason: Due | None
) -> None:
    verdict = due(KEY, now, POLICY, uses=uses, ends=ends)
    assert (verdict and verdict.reason) is reason


def test_the_end_of_an_algorithm_is_a_reason_once() -> None:
    policy = replace(POLICY, max_age={})
    notice = datetime(2036, 1, 1, tzinfo=UTC) - policy.notice
    assert due(KEY, notice - SECOND, policy) is None
    verdict = due(KEY, notice, policy)
    assert verdict is not None
    assert verdict.reason is Due.ALGORITHM
    assert due(replace(KEY, created_at=notice), notice + YEAR, policy) is None


@given(keys, moments, st.integers(0, 2000), st.none() | moments)
def test_only_keys_in_use_are_ever_due(
    key: KeyRecord, now: datetime, uses: int, ends: datetime | None
) -> None:
    if due(key, now, POLICY, uses=uses, ends=ends) is not None:
        assert key.state is KeyState.ACTIVE


@given(keys, moments, st.timedeltas(timedelta(), 30 * YEAR), st.integers(0, 2000), st.none() | moments)
def test_what_is_due_stays_due_until_it_is_replaced(
    key: KeyRecord, now: datetime, later: timedelta, uses: int, ends: datetime | None
) -> None:
    if due(key, now, POLICY, uses=uses, ends=ends) is not None:
        assert due(key, now + later, POLICY, uses=uses + 1, ends=ends) is not None


@given(keys, moments, st.integers(0, 2000))
def test_no_key_reaches_its_end_without_being_due_before(key: KeyRecord, ends: datetime, uses: int) -> None:
    key = replace(key, state=KeyState.ACTIVE)
    if ends > key.created_at:
        assert due(key, ends - SECOND, POLICY, uses=uses, ends=ends) is not None or (
            ends - key.created_at < 4 * SECOND
        )


@given(keys, moments)
def test_a_successor_made_now_is_not_due_at_once(key: KeyRecord, now: datetime) -> None:
    successor = replace(key, state=KeyState.ACTIVE, created_at=now, not_after=None)
    assert due(successor, now, POLICY, ends=now + YEAR) is None
