"""Roles are vouched for on the account as it is, and end with what they rest on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from identity.errors import IdentityError
from identity.operators.errors import OperatorUnfit
from identity.operators.model import Grant, GrantState, Role
from identity.operators.service import Operators
from identity.people.model import PersonState, ProofingLevel
from identity.people.policy import PeoplePolicy
from identity.people.registry import SAMPLE_RESIDENTS
from identity.people.service import People, SuspensionReason
from tests.identity.login.conftest import ORIGIN, Holder, House
from tests.support.authenticator import SoftwareAuthenticator
from tests.support.meanwhile import slowly

SITI = SAMPLE_RESIDENTS[0]


@pytest.fixture
def operators(house: House) -> Operators:
    names = ("begin", "read", "clock", "audit", "people", "factors", "outbox", "contacts")
    return Operators(**{name: house.parts[name] for name in names})


@pytest.fixture
def people(house: House, operators: Operators) -> People:
    """As the composition root wires them: whoever loses the proofing loses the roles."""
    ports: dict[str, Any] = {
        name: house.parts[name] for name in ("begin", "read", "clock", "audit", "vault", "outbox")
    }
    return People(
        **ports,
        endings=[house.sessions.end_access],
        lowered=[operators.proofing_lowered],
        policy=PeoplePolicy(sample_niks=True),
    )


@pytest.fixture
def auditor(house: House, operators: Operators) -> str:
    holder = house.person(email="auditor@contoh.id", proofing=ProofingLevel.IAL2, passkey=True)
    operators.propose(holder.person_id, Role.AUDITOR, actor="cli:test")
    return holder.person_id


def _official(house: House, **changes: Any) -> Holder:
    known: dict[str, Any] = {"nik": SITI.nik.reveal(), "proofing": ProofingLevel.IAL1, "passkey": True}
    return house.person(**known | changes)


def _state(operators: Operators, grant: Grant) -> GrantState:
    return next((one.state for one in operators.grants() if one.id == grant.id), GrantState.ENDED)


def test_a_role_is_not_confirmed_before_its_holder_has_a_passkey(
    house: House, operators: Operators, auditor: str
) -> None:
    siti = _official(house, passkey=False)
    grant = operators.propose(siti.person_id, Role.OFFICER, actor="cli:test")
    with pytest.raises(OperatorUnfit, match="passkey"):
        operators.confirm(grant.id, confirmer_id=auditor)
    assert _state(operators, grant) is GrantState.PROPOSED
    assert not operators.powers(siti.person_id).roles
    phone = SoftwareAuthenticator(ORIGIN)
    challenge = house.factors.begin_passkey(siti.person_id)
    house.factors.confirm_passkey(siti.person_id, challenge.id, phone.create(challenge.options_json))
    operators.confirm(grant.id, confirmer_id=auditor)
    assert operators.powers(siti.person_id).has(Role.OFFICER)


def test_a_role_is_not_confirmed_for_somebody_who_became_unfit_since_it_was_proposed(
    house: House, operators: Operators, people: People, auditor: str
) -> None:
    siti = _official(house)
    grant = operators.propose(siti.person_id, Role.OFFICER, actor="cli:test")
    people.suspend(siti.person_id, actor="operator", reason=SuspensionReason.REPORTED)
    with pytest.raises(OperatorUnfit, match="suspended"):
        operators.confirm(grant.id, confirmer_id=auditor)
    people.resume(siti.person_id, actor="operator")
    operators.confirm(grant.id, confirmer_id=auditor)


def test_roles_end_when_a_visit_to_a_counter_takes_the_proofing_away(
    house: House, operators: Operators, people: People, auditor: str
) -> None:
    siti = _official(house)
    active = operators.propose(siti.person_id, Role.OFFICER, actor="cli:test")
    operators.confirm(active.id, confirmer_id=auditor)
    waiting = operators.propose(siti.person_id, Role.HELP_DESK, actor="cli:test")
    people.open_proofed(
        officer_id="officer",
        nik=SITI.nik.reveal(),
        name=SITI.name,
        birth_date=SITI.birth_date,
        email=None,
        language="id",
        displace=True,
    )
    assert house.people.get(siti.person_id).proofing is ProofingLevel.IAL0
    assert {_state(operators, grant) for grant in (active, waiting)} == {GrantState.ENDED}
    assert not operators.powers(siti.person_id).roles
    assert house.audited().count("operator.role_ended") == 2
    assert len(house.mails.of("role_ended")) == 2


def test_nobody_is_put_back_confirmed_and_ended_in_a_circle(
    house: House, operators: Operators, auditor: str
) -> None:
    """Several roles of one person, changed by several people at the same moment."""
    siti = _official(house)
    grants = [
        operators.propose(siti.person_id, role, actor="cli:test") for role in (Role.OFFICER, Role.HELP_DESK)
    ]

    def put_back() -> None:
        with house.database.begin() as tx:
            operators.put_back(tx, siti.person_id, actor="officer")

    acts: list[Callable[[], object]] = [
        put_back,
        partial(operators.confirm, grants[0].id, confirmer_id=auditor),
        partial(operators.end, grants[1].id, actor="cli:test"),
        partial(operators.end, grants[0].id, actor="cli:test"),
        partial(house.people.suspend, siti.person_id, actor="o", reason=SuspensionReason.REPORTED),
    ]
    with slowly(house.database.engine), ThreadPoolExecutor(len(acts)) as pool:
        outcomes = [done.exception() for done in [pool.submit(act) for act in acts]]
    assert [error for error in outcomes if error and not isinstance(error, IdentityError)] == []
    assert house.people.get(siti.person_id).state is PersonState.SUSPENDED
