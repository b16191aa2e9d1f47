"""A key's state is held against the audit trail: by who signs, by what is measured, by the doctor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from app import doctor
from app.key_uses import REASONS
from app.readings import KeyStateReadings
from app.settings import Settings
from app.wiring import Core, build_core
from keys.errors import KeyStateUnexplained
from keys.model import KeyPurpose, KeyState
from keys.tables import keys as key_rows
from tests.support.clock import FrozenClock


@pytest.fixture
def other(settings: Settings, clock: FrozenClock) -> Iterator[Core]:
    """Another process over the same database, which remembers nothing of it."""
    with ExitStack() as closing:
        yield build_core(settings, closing=closing, clock=clock)


class Refusals:
    def __init__(self) -> None:
        self.reasons: list[str] = []

    def used(self, key: object) -> None:
        del key

    def refused(self, key: object, reason: str) -> None:
        del key
        self.reasons.append(reason)


def _write(core: Core, key_id: str, state: KeyState, since: datetime | None = None) -> None:
    with core.database.begin() as tx:
        values: dict[str, object] = {"state": state.value}
        if since is not None:
            values["state_since"] = since
        tx.execute(update(key_rows).where(key_rows.c.id == key_id).values(values))


def _count(core: Core) -> float:
    (reading,) = KeyStateReadings(core.keys)()
    return reading.value


@pytest.mark.parametrize("purpose", [KeyPurpose.SEAL, KeyPurpose.TIMESTAMPING, KeyPurpose.WRAPPING])
@pytest.mark.parametrize("stopped", [KeyState.SUSPENDED, KeyState.DEACTIVATED, KeyState.COMPROMISED])
def test_a_stopped_key_that_somebody_wrote_active_does_nothing_and_is_told(
    core: Core, other: Core, purpose: KeyPurpose, stopped: KeyState
) -> None:
    owner = "dinas" if purpose is KeyPurpose.SEAL else ""
    (key,) = core.keys.in_use(purpose, owner)
    {
        KeyState.SUSPENDED: core.keys.suspend,
        KeyState.DEACTIVATED: core.keys.deactivate,
        KeyState.COMPROMISED: core.keys.mark_compromised,
    }[stopped](key.id)
    assert _count(core) == 0
    _write(core, key.id, KeyState.ACTIVE, key.since)
    told = Refusals()
    other.keys.watch(told)
    if purpose is KeyPurpose.WRAPPING:
        with pytest.raises(KeyStateUnexplained, match="absah doctor"):
            other.keys.wrap(bytes(32), associated_data=b"")
    else:
        for use in (lambda: other.keys.handle(key.id), lambda: other.keys.active(purpose, owner)):
            with pytest.raises(KeyStateUnexplained, match="absah doctor"):
                use()
    assert set(told.reasons) == {"unexplained"} <= set(REASONS)
    assert _count(core) == 1
    found = doctor._key_states(core)
    assert (found.health, key.id in found.found) == (doctor.Health.BROKEN, True)


def test_a_process_that_used_the_key_before_notices_when_the_row_changed(
    core: Core, other: Core, clock: FrozenClock
) -> None:
    (key,) = core.keys.in_use(KeyPurpose.SEAL, "dinas")
    handle = other.keys.handle(key.id)
    handle.sign(b"x")
    clock.advance(timedelta(seconds=5))
    core.keys.suspend(key.id)
    _write(core, key.id, KeyState.ACTIVE)  # state_since is still that of the suspension
    other.keys._max_staleness = 0.0
    with pytest.raises(KeyStateUnexplained):
        handle.sign(b"x")
    _write(core, key.id, KeyState.SUSPENDED)
    core.keys.reinstate(key.id)
    assert other.keys.handle(key.id).sign(b"x")
    assert _count(core) == 0


def test_the_trail_is_not_asked_again_while_the_row_stays_as_it_was(
    core: Core, other: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,) = core.keys.in_use(KeyPurpose.SEAL, "dinas")
    asked, now = [], [0.0]
    answer = other.audit.last_action
    monkeypatch.setattr(
        other.audit, "last_action", lambda tx, **what: asked.append(what) or answer(tx, **what)
    )
    history = other.keys._history
    assert history is not None
    monkeypatch.setattr(history, "_monotonic", lambda: now[0])
    other.keys._max_staleness = 0.0  # every use asks for the record
    for _ in range(5):
        other.keys.handle(key.id).sign(b"x")
    assert len(asked) == 1
    now[0] = 31.0
    other.keys.handle(key.id).sign(b"x")
    assert len(asked) == 2


def test_a_key_made_to_look_new_or_planted_is_found(core: Core) -> None:
    (key,) = core.keys.in_use(KeyPurpose.SEAL, "dinas")
    _write(core, key.id, KeyState.PRE_ACTIVATION)
    assert [(found.id, act) for found, act in core.keys.unexplained()] == [(key.id, "key.activated")]
