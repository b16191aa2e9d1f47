"""Who asks whether somebody has an account is written down, told to that person, and slowed down."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta

import pytest

from app.settings import Settings
from app.wiring import Core
from identity.factors.model import FactorKind
from identity.operators.model import Role
from tests.app.walker import Walker, appoint, facts_of, log_in, person
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock

UNKNOWN = "3273015702560001"
FREE = 4
SEARCHES = {
    Role.OFFICER: ("/counter", "nik", {}),
    Role.HELP_DESK: ("/help-desk", "identifier", {}),
    Role.AGENCY_ADMINISTRATOR: ("/agency/dinas/signatories", "identifier", {"act": "propose"}),
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With so few free tries that a test can use them up."""
    throttle = settings.throttle.model_copy(update={"search_free": FREE, "challenge_free": FREE})
    return settings.model_copy(update={"throttle": throttle})


@pytest.fixture
def auditor(core: Core, api: InProcess, clock: FrozenClock) -> Walker:
    made = person(core, api, clock, 1)
    appoint(core, made, Role.AUDITOR)
    return made


def operator(core: Core, api: InProcess, clock: FrozenClock, role: Role, serial: int = 2) -> Walker:
    made = person(core, api, clock, serial)
    appoint(core, made, role, "dinas" if role.is_of_agency else None)
    log_in(core, made, (FactorKind.PASSKEY,))
    return made


@pytest.mark.parametrize("role", SEARCHES)
def test_a_search_is_told_to_whom_it_found_and_stands_in_the_trail(
    core: Core, api: InProcess, clock: FrozenClock, auditor: Walker, role: Role
) -> None:
    searcher, citizen = operator(core, api, clock, role), person(core, api, clock, 3)
    path, field, fields = SEARCHES[role]
    searcher.get(path)
    assert searcher.post(path, **fields | {field: citizen.nik}).status_code == 303
    log_in(core, citizen)
    assert "Searched whether you have an account" in citizen.get("/account/lookups?lang=en").text
    ((actor, subject, facts),) = facts_of(core, "account.searched")
    assert (actor, subject) == (searcher.person_id, citizen.person_id)
    assert json.loads(facts) == {"role": role.value, "by": "nik"}


def test_a_search_for_nobody_is_found_by_whoever_is_that_later(
    core: Core, api: InProcess, clock: FrozenClock, auditor: Walker
) -> None:
    officer = operator(core, api, clock, Role.OFFICER)
    officer.get("/counter")
    officer.post("/counter", nik=UNKNOWN)
    ((actor, subject, facts),) = facts_of(core, "account.searched")
    assert (actor, subject) == (officer.person_id, "nobody")
    assert UNKNOWN not in facts
    opened = core.citizens.people.open_proofed(
        officer_id=officer.person_id,
        nik=UNKNOWN,
        name="Siti",
        birth_date=date(1956, 2, 17),
        email=None,
        language="id",
    )
    assert [line.kind for line in core.office.lookups.about(opened.person.id)] == ["account_searched"]


@pytest.mark.parametrize("role", SEARCHES)
def test_an_operator_cannot_read_people_off_a_list(
    core: Core, api: InProcess, clock: FrozenClock, auditor: Walker, role: Role
) -> None:
    searcher, colleague = operator(core, api, clock, role), operator(core, api, clock, role, 4)
    path, field, fields = SEARCHES[role]
    searcher.get(path)
    fields = fields | {field: UNKNOWN}
    answers = [searcher.post(path, **fields) for _ in range(FREE + 2)]
    assert [answer.status_code == 429 for answer in answers].count(True) == 1
    assert int(answers[-1].headers["retry-after"]) > 0
    assert "Terlalu banyak pencarian" in answers[-1].text
    colleague.get(path)
    assert colleague.post(path, **fields).status_code != 429
    clock.advance(timedelta(minutes=2))
    log_in(core, searcher, (FactorKind.PASSKEY,))
    searcher.get(path)
    assert searcher.post(path, **fields).status_code != 429


def test_an_administrator_learns_the_same_of_nobody_and_of_whoever_cannot_be_proposed(
    core: Core, api: InProcess, clock: FrozenClock, auditor: Walker
) -> None:
    admin, officer = operator(core, api, clock, Role.AGENCY_ADMINISTRATOR), person(core, api, clock, 5)
    appoint(core, officer, Role.OFFICER)
    path = "/agency/dinas/signatories"
    admin.get(path)
    pages = set()
    for identifier in (UNKNOWN, "nobody@contoh.id", officer.nik):
        answer = admin.post(path, act="propose", identifier=identifier)
        assert answer.status_code == 422
        pages.add(re.sub(r'name="csrf" value="[^"]+"', "", answer.text).replace(identifier, ""))
    assert len(pages) == 1


def test_challenges_for_passkeys_run_out_for_one_address_and_come_back(
    core: Core, api: InProcess, clock: FrozenClock
) -> None:
    visitor = person(core, api, clock, 1)
    visitor.get("/login")
    answers = [visitor.post("/login/passkey/options") for _ in range(FREE + 2)]
    assert [answer.status_code for answer in answers] == [200] * (FREE + 1) + [429]
    assert answers[-1].headers["retry-after"] == "1"
    clock.advance(timedelta(seconds=5))
    assert visitor.post("/login/passkey/options").status_code == 200
