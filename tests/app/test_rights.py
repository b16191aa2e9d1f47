"""In the whole service: whoever holds something about a person says so in the export, and forgets it."""

from __future__ import annotations

import json
import secrets
from datetime import timedelta
from typing import Any, Final

import pyotp
import pytest
from sqlalchemy import Boolean, Connection, DateTime, Integer, LargeBinary, Table, func, insert, select

from app import upkeep
from app.audit import Audit
from app.migrations.tables import all_metadata
from app.wiring import Core
from identity.factors.model import FactorKind
from identity.login.model import Answer, Device
from identity.people.errors import PersonUnknown
from identity.people.model import Person
from identity.people.registry import SAMPLE_RESIDENTS
from tests.support.clock import FrozenClock

BIMA = SAMPLE_RESIDENTS[0]
BUDI: Final = "budi@contoh.id"
PASSWORD: Final = "belalang kupu-kupu siang makan nasi"
PHONE: Final = Device(
    "103.10.66.7", "Mozilla/5.0 (Linux; Android 10; K) Chrome/142.0.0.0 Mobile Safari/537.36"
)

KEPT: Final = {
    "people": "the id and the times of somebody who was here",
    "privacy_requests": "that the law's clock was kept, without details",
    "operator_grants": "who had which power when",
    "portal_grants": "revoked, without a sub that leads anywhere",
    "portal_logins": "so that portals are told of the logout",
    "compromise_notices": "that somebody was told of a lost key, and when",
}
"""Tables that still know the id of somebody who was erased, and why."""


@pytest.fixture
def bima(core: Core, clock: FrozenClock) -> Person:
    """Proofed at a counter, with every factor that needs no browser, logged in, and once more half."""
    citizens = core.citizens
    opened = citizens.people.open_proofed(
        officer_id="officer",
        nik=BIMA.nik.reveal(),
        name=BIMA.name,
        birth_date=BIMA.birth_date,
        email=BUDI,
        language="id",
    )
    assert opened.activation_code is not None
    person = citizens.people.activate(opened.activation_code)
    half = citizens.login.begin_setup(person.id)
    citizens.factors.set_password(person.id, PASSWORD)
    setup = citizens.factors.begin_totp(person.id)
    totp = pyotp.TOTP(setup.secret_text.replace(" ", ""))
    citizens.factors.confirm_totp(person.id, setup.id, totp.at(clock()))
    citizens.factors.renew_recovery_codes(person.id)
    citizens.login.finish_setup(half)
    clock.advance(timedelta(seconds=30))
    half = citizens.login.start(BIMA.nik.reveal(), PASSWORD, PHONE)
    citizens.login.second(half, Answer(FactorKind.TOTP, totp.at(clock())), PHONE)
    citizens.login.start(BIMA.nik.reveal(), PASSWORD, PHONE)
    return citizens.people.get(person.id)


def test_the_export_names_every_part_that_holds_something(core: Core, bima: Person) -> None:
    exported: dict[str, Any] = json.loads(json.dumps(core.rights.export(bima.id)))
    assert exported["account"]["nik"] == BIMA.nik.reveal()
    assert {factor["kind"] for factor in exported["login"]["ways_to_log_in"]} >= {"password", "totp"}
    assert "103.10.66" in json.dumps(exported["sessions"])
    text = json.dumps(exported)
    assert PASSWORD not in text
    assert "argon2" not in text


def test_after_an_erasure_no_table_knows_anything_but_that_somebody_was_here(
    core: Core, bima: Person, clock: FrozenClock
) -> None:
    with core.database.begin() as tx:
        before = Audit(clock=clock).verify(tx)
        for table in _about_people():
            if not _rows(tx, table, bima.id):
                _fill(tx, table, bima.id)
            assert _rows(tx, table, bima.id)
    core.rights.request_erasure(bima.id)
    clock.advance(timedelta(hours=24))
    assert upkeep.run_once(core) == 0
    with pytest.raises(PersonUnknown):
        core.citizens.people.get(bima.id)
    assert core.citizens.people.find(BIMA.nik.reveal()) is None
    with core.database.read() as tx:
        left = {table.name for table in _about_people() if _rows(tx, table, bima.id)}
        Audit(clock=clock).verify(tx, since=before)
    assert left <= KEPT.keys()


def test_a_request_is_said_in_time_then_loudly_and_names_nobody(
    core: Core,
    bima: Person,
    clock: FrozenClock,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    core.rights.request_correction(bima.id, "Nama saya salah.")
    said = []
    for hours in (47, 2, 24):
        clock.advance(timedelta(hours=hours))
        late = upkeep.report_privacy_requests(core)
        # Where a line goes depends on whether a test before this one has set up logging.
        said.append((late, caplog.text + "".join(capfd.readouterr())))
        caplog.clear()
    assert [late for late, _ in said] == [0, 0, 1]
    assert "privacy_requests" not in said[0][1]
    assert "privacy_requests_due_soon" in said[1][1]
    assert "privacy_requests_overdue" in said[2][1]
    shown = "".join(text for _, text in said)
    assert not any(personal in shown for personal in (bima.id, BIMA.name, BUDI))


def _about_people() -> list[Table]:
    return [
        table
        for schema in all_metadata()
        for table in schema.sorted_tables
        if table.name == "people" or "person_id" in table.columns
    ]


def _rows(tx: Connection, table: Table, person_id: str) -> int:
    column = table.c.id if table.name == "people" else table.c.person_id
    return tx.execute(select(func.count()).select_from(table).where(column == person_id)).scalar_one()


def _fill(tx: Connection, table: Table, person_id: str) -> None:
    """One row of somebody's in a table that the fixture's life did not touch."""
    values: dict[str, object] = {"person_id": person_id}
    for column in table.columns:
        if column.name in values or (column.nullable and not column.primary_key):
            continue
        foreign = next(iter(column.foreign_keys), None)
        if foreign is not None:
            found = tx.execute(select(foreign.column)).scalars().first()
            values[column.name] = found if found is not None else _fill_parent(tx, foreign.column.table)
        else:
            values[column.name] = _value(column.type)
    tx.execute(insert(table).values(**values))


def _fill_parent(tx: Connection, table: Table) -> object:
    values = {
        column.name: next(
            (tx.execute(select(key.column)).scalars().first() for key in column.foreign_keys),
            _value(column.type),
        )
        for column in table.columns
        if not column.nullable or column.primary_key
    }
    tx.execute(insert(table).values(**values))
    return values[next(iter(table.primary_key)).name]


def _value(kind: object) -> object:
    match kind:
        case LargeBinary():
            return secrets.token_bytes(32)
        case Boolean():
            return False
        case Integer():
            return 1
        case DateTime():
            return FrozenClock()()
        case _:
            return secrets.token_hex(1)
