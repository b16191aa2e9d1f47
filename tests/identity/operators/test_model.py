"""Which duties exclude each other, who grants what, and where two have to agree."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

import pytest

from identity.operators.errors import (
    ActsOnOneself,
    FourEyesNeeded,
    GrantNotOpen,
    OperatorError,
    RoleConflict,
    RoleHeld,
    RoleMissing,
)
from identity.operators.model import (
    EMPOWERING,
    Grant,
    GrantState,
    Powers,
    Role,
    excludes,
    first_state,
    powers_of,
    require_endable,
    require_grantable,
)

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
R = Role
ANA, BUDI, CITRA = "person-ana", "person-budi", "person-citra"


def given(
    role: Role,
    person_id: str = ANA,
    agency: str | None = None,
    state: GrantState = GrantState.ACTIVE,
    by: str = "cli:root",
) -> Grant:
    if role.is_of_agency and agency is None:
        agency = "dinas"
    return Grant(f"grant-{role}-{agency}", person_id, role, agency, state, by, NOW)


def holding(*grants: Grant, person_id: str = BUDI) -> Powers:
    return powers_of(person_id, grants)


# The whole table of two duties in one person: x is refused, . is allowed. Read it as the rule.
TOGETHER = """
                      officer agency_administrator key_custodian ca_administrator auditor help_desk signatory
officer               .       x                    x             x                x       .         x
agency_administrator  x       .                    x             x                x       x         x
key_custodian         x       x                    .             x                x       x         x
ca_administrator      x       x                    x             .                x       x         x
auditor               x       x                    x             x                .       x         x
help_desk             .       x                    x             x                x       .         x
signatory             x       x                    x             x                x       x         .
"""
_HEAD, *_ROWS = [line.split() for line in TOGETHER.strip().splitlines()]
CASES = [
    (Role(row[0]), Role(other), mark == "x")
    for row in _ROWS
    for other, mark in zip(_HEAD, row[1:], strict=True)
]


def test_the_table_names_every_pair_of_roles() -> None:
    assert {(one, other) for one, other, _ in CASES} == set(product(Role, Role))


@pytest.mark.parametrize(("held", "wanted", "refused"), CASES)
def test_no_person_unites_duties_that_check_each_other(held: Role, wanted: Role, refused: bool) -> None:
    assert excludes(held, wanted) is refused
    agency = "other" if wanted.is_of_agency else None

    def grant() -> None:
        require_grantable(wanted, agency, person_id=ANA, held=[given(held)], grantor=None)

    if refused:
        with pytest.raises(RoleConflict):
            grant()
    elif held is wanted and not wanted.is_of_agency:
        with pytest.raises(RoleHeld):
            grant()
    else:
        grant()


def test_a_proposed_role_already_excludes_others() -> None:
    proposed = given(R.KEY_CUSTODIAN, state=GrantState.PROPOSED)
    with pytest.raises(RoleConflict):
        require_grantable(R.AUDITOR, None, person_id=ANA, held=[proposed], grantor=None)


@pytest.mark.parametrize("role", Role)
def test_only_roles_that_cannot_gain_more_begin_without_a_second_pair_of_eyes(role: Role) -> None:
    at_once = first_state(role) is GrantState.ACTIVE
    assert at_once is (role in {R.AUDITOR, R.HELP_DESK})
    assert at_once is (role not in EMPOWERING)


# grantor's role, for which agency, role that is given, its agency, may it be
GRANTORS = [
    *[(held, "dinas", role, "dinas" if role.is_of_agency else None, False)
      for held in Role for role in Role
      if (held, role) != (R.AGENCY_ADMINISTRATOR, R.SIGNATORY)],
    (R.AGENCY_ADMINISTRATOR, "dinas", R.SIGNATORY, "dinas", True),
    (R.AGENCY_ADMINISTRATOR, "dinas", R.SIGNATORY, "other", False),
]  # fmt: skip


@pytest.mark.parametrize(("held", "of", "role", "agency", "allowed"), GRANTORS)
def test_operators_grant_nothing_but_signatories_of_the_agency_that_they_administer(
    held: Role, of: str, role: Role, agency: str | None, allowed: bool
) -> None:
    grantor = holding(given(held, BUDI, of if held.is_of_agency else None))
    if allowed:
        require_grantable(role, agency, person_id=ANA, held=[], grantor=grantor)
    else:
        with pytest.raises(RoleMissing):
            require_grantable(role, agency, person_id=ANA, held=[], grantor=grantor)


def test_nobody_proposes_themselves() -> None:
    grantor = holding(given(R.AGENCY_ADMINISTRATOR, BUDI))
    with pytest.raises(ActsOnOneself):
        require_grantable(R.SIGNATORY, "dinas", person_id=BUDI, held=[], grantor=grantor)


# who confirms (id, roles), what came before, the refusal or None
SECONDS: list[tuple[str, list[Grant], Grant, type[OperatorError] | None]] = [
    (CITRA, [given(R.AUDITOR, CITRA)], given(R.OFFICER, state=GrantState.PROPOSED), None),
    (CITRA, [given(R.AUDITOR, CITRA)], given(R.SIGNATORY, state=GrantState.PROPOSED, by=BUDI), None),
    (ANA, [given(R.AUDITOR)], given(R.OFFICER, state=GrantState.PROPOSED), FourEyesNeeded),
    (BUDI, [given(R.AGENCY_ADMINISTRATOR, BUDI)], given(R.SIGNATORY, state=GrantState.PROPOSED, by=BUDI),
     FourEyesNeeded),
    (CITRA, [given(R.AGENCY_ADMINISTRATOR, CITRA)], given(R.SIGNATORY, state=GrantState.PROPOSED, by=BUDI),
     None),
    (CITRA, [given(R.AGENCY_ADMINISTRATOR, CITRA, "other")],
     given(R.SIGNATORY, state=GrantState.PROPOSED, by=BUDI), RoleMissing),
    (CITRA, [given(R.AGENCY_ADMINISTRATOR, CITRA)], given(R.AGENCY_ADMINISTRATOR, state=GrantState.PROPOSED),
     RoleMissing),
    (CITRA, [given(R.OFFICER, CITRA)], given(R.KEY_CUSTODIAN, state=GrantState.PROPOSED), RoleMissing),
    (CITRA, [given(R.AUDITOR, CITRA, state=GrantState.PROPOSED)],
     given(R.OFFICER, state=GrantState.PROPOSED), RoleMissing),
    (CITRA, [given(R.AUDITOR, CITRA)], given(R.OFFICER), GrantNotOpen),
    (CITRA, [given(R.AUDITOR, CITRA)], given(R.OFFICER, state=GrantState.ENDED), GrantNotOpen),
]  # fmt: skip


@pytest.mark.parametrize(("confirmer", "roles", "grant", "refusal"), SECONDS)
def test_the_second_pair_of_eyes_is_somebody_elses(
    confirmer: str, roles: list[Grant], grant: Grant, refusal: type[OperatorError] | None
) -> None:
    if refusal is None:
        grant.require_second(powers_of(confirmer, roles))
    else:
        with pytest.raises(refusal):
            grant.require_second(powers_of(confirmer, roles))


ENDERS = [
    (None, R.OFFICER, True),
    (Powers(ANA), R.OFFICER, True),  # its holder
    (holding(given(R.AUDITOR, BUDI)), R.KEY_CUSTODIAN, True),
    (holding(given(R.AGENCY_ADMINISTRATOR, BUDI)), R.SIGNATORY, True),
    (holding(given(R.AGENCY_ADMINISTRATOR, BUDI, "other")), R.SIGNATORY, False),
    (holding(given(R.AGENCY_ADMINISTRATOR, BUDI)), R.AGENCY_ADMINISTRATOR, False),
    (holding(given(R.OFFICER, BUDI)), R.HELP_DESK, False),
    (Powers(BUDI), R.OFFICER, False),
]


@pytest.mark.parametrize(("ender", "role", "allowed"), ENDERS)
def test_a_role_is_ended_by_its_holder_an_auditor_or_whoever_names_its_holders(
    ender: Powers | None, role: Role, allowed: bool
) -> None:
    if allowed:
        require_endable(given(role), ender)
    else:
        with pytest.raises(RoleMissing):
            require_endable(given(role), ender)


def test_only_active_grants_are_powers_and_agencies_are_told_apart() -> None:
    powers = powers_of(
        ANA,
        [
            given(R.SIGNATORY, agency="a"),
            given(R.SIGNATORY, agency="b", state=GrantState.PROPOSED),
            given(R.SIGNATORY, agency="c", state=GrantState.ENDED),
        ],
    )
    assert powers.agencies(R.SIGNATORY) == ("a",)
    assert powers.has(R.SIGNATORY)
    assert powers.has(R.SIGNATORY, "a")
    assert not powers.has(R.SIGNATORY, "b")
    assert not powers.has(R.AGENCY_ADMINISTRATOR)
    assert not powers.has(R.OFFICER)
