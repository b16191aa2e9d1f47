"""Roles, which of them nobody may unite, who grants which, and when two have to agree. Pure.

The duties are separated by one idea: **whoever can make something cannot also vouch for it.**

* Auditors see everything that operators did, and confirm roles; they do nothing else.
* Custody (keys), certification (CA) and issuing (agencies) are three hands: a false document needs all three.
* Officers say who somebody is. They could invent people, so they hold no role in which people of their own
  making would be of use: they administer no agency, sign nothing and keep no keys.
* Agency administrators name the signatories of their agency, and are none themselves.
* The help desk closes accounts and opens again what was open: less than an officer does, so one person may be
  both.

One person, one hand (:data:`HAND`). A role that can be used to gain more takes two people
(:data:`EMPOWERING`): one proposes, another confirms.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from identity.operators.errors import (
    ActsOnOneself,
    FourEyesNeeded,
    GrantNotOpen,
    RoleConflict,
    RoleHeld,
    RoleMissing,
)


class Role(StrEnum):
    """Values are stored, audited and typed on the command line."""

    OFFICER = "officer"
    AGENCY_ADMINISTRATOR = "agency_administrator"
    KEY_CUSTODIAN = "key_custodian"
    CA_ADMINISTRATOR = "ca_administrator"
    AUDITOR = "auditor"
    HELP_DESK = "help_desk"
    SIGNATORY = "signatory"

    @property
    def is_of_agency(self) -> bool:
        """Whether it is held for one agency, rather than for the service."""
        return self in {Role.AGENCY_ADMINISTRATOR, Role.SIGNATORY}


class Hand(StrEnum):
    """What roles are about. Whoever holds roles of one hand holds none of another."""

    IDENTITY = "identity"  # who somebody is, and whether they get in
    CUSTODY = "custody"
    CERTIFICATION = "certification"
    ADMINISTRATION = "administration"  # who may issue for an agency
    ISSUING = "issuing"
    AUDIT = "audit"


HAND: Final[Mapping[Role, Hand]] = {
    Role.OFFICER: Hand.IDENTITY,
    Role.HELP_DESK: Hand.IDENTITY,
    Role.KEY_CUSTODIAN: Hand.CUSTODY,
    Role.CA_ADMINISTRATOR: Hand.CERTIFICATION,
    Role.AGENCY_ADMINISTRATOR: Hand.ADMINISTRATION,
    Role.SIGNATORY: Hand.ISSUING,
    Role.AUDITOR: Hand.AUDIT,
}


def excludes(one: Role, other: Role) -> bool:
    """Whether one person cannot hold both. Symmetric.

    The same role for several agencies is no conflict: small districts share their staff.
    """
    return HAND[one] is not HAND[other]


EMPOWERING: Final = frozenset(Role) - {Role.AUDITOR, Role.HELP_DESK}
"""Roles that could be used to gain more, by oneself or through people of one's own making: they take two.

An auditor changes nothing but the state of what others proposed; the help desk opens nothing that was not
open before.
"""


class GrantState(StrEnum):
    """PROPOSED → ACTIVE → ENDED; a grant whose holder's account was restored goes back to PROPOSED."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role given to a person. ``granted_by`` is an operator's person id, or ``cli:NAME``.

    ``agency_id`` is there exactly for the roles of agencies.
    """

    id: str
    person_id: str
    role: Role
    agency_id: str | None
    state: GrantState
    granted_by: str
    granted_at: datetime
    confirmed_by: str | None = None
    confirmed_at: datetime | None = None
    ended_by: str | None = None
    ended_at: datetime | None = None

    def require_second(self, confirmer: Powers) -> None:
        """Whether these are the second pair of eyes that the grant waits for: an auditor, or for a signatory
        also another administrator of the agency.

        Raises :class:`GrantNotOpen`, :class:`FourEyesNeeded` or :class:`RoleMissing`.
        """
        if self.state is not GrantState.PROPOSED:
            raise GrantNotOpen
        if confirmer.person_id in {self.person_id, self.granted_by}:
            raise FourEyesNeeded
        if confirmer.has(Role.AUDITOR):
            return
        if self.role is Role.SIGNATORY and confirmer.has(Role.AGENCY_ADMINISTRATOR, self.agency_id):
            return
        raise RoleMissing


@dataclass(frozen=True, slots=True)
class Powers:
    """What somebody may do now: roles that are active, each with the agencies it is held for."""

    person_id: str
    held: frozenset[tuple[Role, str | None]] = frozenset()

    def has(self, role: Role, agency_id: str | None = None) -> bool:
        """Roles of agencies are asked for with the agency, or without for any."""
        if role.is_of_agency and agency_id is None:
            return any(held is role for held, _ in self.held)
        return (role, agency_id if role.is_of_agency else None) in self.held

    def agencies(self, role: Role) -> tuple[str, ...]:
        """The agencies that ``role`` is held for, in order."""
        return tuple(sorted(agency for held, agency in self.held if held is role and agency is not None))

    def require(self, role: Role, agency_id: str | None = None) -> None:
        """Raises :class:`identity.operators.errors.RoleMissing`."""
        if not self.has(role, agency_id):
            raise RoleMissing

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset(role for role, _ in self.held)


def powers_of(person_id: str, grants: Iterable[Grant]) -> Powers:
    """Only what is active counts."""
    return Powers(
        person_id,
        frozenset((grant.role, grant.agency_id) for grant in grants if grant.state is GrantState.ACTIVE),
    )


def first_state(role: Role) -> GrantState:
    """In which state a grant begins."""
    return GrantState.PROPOSED if role in EMPOWERING else GrantState.ACTIVE


def require_grantable(
    role: Role, agency_id: str | None, *, person_id: str, held: Collection[Grant], grantor: Powers | None
) -> None:
    """Whether this person may be given this role by that grantor.

    ``held`` are the person's grants that have not ended. ``grantor`` None is the command line, which may
    propose every role; an agency's administrator may propose signatories of that agency, and nobody else may
    grant anything. Raises :class:`RoleMissing`, :class:`ActsOnOneself`, :class:`RoleHeld` or
    :class:`RoleConflict`.
    """
    if grantor is not None:
        if role is not Role.SIGNATORY or not grantor.has(Role.AGENCY_ADMINISTRATOR, agency_id):
            raise RoleMissing
        if grantor.person_id == person_id:
            raise ActsOnOneself
    for grant in held:
        if (grant.role, grant.agency_id) == (role, agency_id):
            raise RoleHeld
        if excludes(grant.role, role):
            raise RoleConflict(grant.role.value, role.value)


def require_endable(grant: Grant, ender: Powers | None) -> None:
    """Who may end a role: its holder, the command line, an auditor, and for a signatory the administrator of
    the agency. Ending needs no second pair of eyes. Raises :class:`RoleMissing`.
    """
    if ender is None or ender.person_id == grant.person_id or ender.has(Role.AUDITOR):
        return
    if grant.role is Role.SIGNATORY and ender.has(Role.AGENCY_ADMINISTRATOR, grant.agency_id):
        return
    raise RoleMissing


@dataclass(frozen=True, slots=True)
class OperatorPolicy:
    """How lately operators must have used their passkey: ``shift`` for looking, ``act`` for changing."""

    shift: timedelta = timedelta(hours=4)
    act: timedelta = timedelta(minutes=15)
    least_proofing: str = "ial1"
    """Roles go to people who are known at least this well (values of ``ial``)."""


def new_grant_id() -> str:
    return f"grant-{secrets.token_hex(12)}"
