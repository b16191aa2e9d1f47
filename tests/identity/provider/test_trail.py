"""Refreshes reach the audit trail in batches, each use once, and a changed row contradicts its batch."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from app.audit import Audit
from identity.login.model import Session
from identity.provider.grant_tables import RefreshTable
from identity.provider.model import Portal
from identity.provider.tables import refresh_tokens
from identity.provider.trail import digest_of, note_refreshes
from tests.identity.provider.house import House, at_once


def _note(house: House) -> int:
    return note_refreshes(begin=house.database.begin, audit=Audit(clock=house.clock))


def _entries(house: House) -> list[tuple[str, dict[str, str]]]:
    with house.database.read() as tx:
        return [
            (entry.subject, json.loads(entry.facts))
            for entry in Audit(clock=house.clock).entries(tx)
            if entry.action == "portal.refreshes"
        ]


def _digest(house: House, batch: str) -> str:
    with house.database.read() as tx:
        return digest_of(RefreshTable(tx).of_batch(batch))


def test_every_refresh_is_in_one_batch_of_the_trail(house: House, portal: Portal, session: Session) -> None:
    token = house.tokens(portal, session)["refresh_token"]
    assert _note(house) == 0
    for _ in range(3):
        house.clock.advance(timedelta(seconds=30))
        token = house.refresh(portal, token)["refresh_token"]
    assert _note(house) == 3
    house.refresh(portal, token)
    assert sum(outcome for outcome in at_once(4, lambda: _note(house)) if isinstance(outcome, int)) == 1
    assert _note(house) == 0
    assert [facts["count"] for _, facts in _entries(house)] == ["3", "1"]
    for batch, facts in _entries(house):
        assert _digest(house, batch) == facts["sha256"]


@pytest.mark.parametrize("what", ["a later time", "another family", "a row that is gone"])
def test_a_use_that_is_changed_afterwards_contradicts_the_trail(
    house: House, portal: Portal, session: Session, what: str
) -> None:
    other = house.tokens(portal, house.login(house.people.get(session.person_id)))["refresh_token"]
    house.refresh(portal, house.tokens(portal, session)["refresh_token"])
    house.refresh(portal, other)
    _note(house)
    ((batch, facts),) = _entries(house)
    used = refresh_tokens.c.used_at.is_not(None)
    with house.database.begin() as tx:
        first, second = RefreshTable(tx).of_batch(batch)
        one = used & (refresh_tokens.c.token_hash == first.token_hash)
        if what == "a later time":
            tx.execute(update(refresh_tokens).where(one).values(used_at=house.clock() + timedelta(days=1)))
        elif what == "another family":
            tx.execute(update(refresh_tokens).where(one).values(grant_id=second.grant_id))
        else:
            tx.execute(delete(refresh_tokens).where(one))
    assert _digest(house, batch) != facts["sha256"]
