"""The jobs around roles: propose, confirm, end, and say what somebody may do now. All of it audited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from identity.agencies.tables import AgencyTable
from identity.errors import AgencyUnknown
from identity.factors.service import Factors
from identity.operators.errors import GrantNotOpen, GrantUnknown, OperatorUnfit
from identity.operators.model import (
    EMPOWERING,
    Grant,
    GrantState,
    OperatorPolicy,
    Powers,
    Role,
    first_state,
    new_grant_id,
    powers_of,
    require_endable,
    require_grantable,
)
from identity.operators.tables import GrantTable
from identity.operators.words import ROLE_NAMES
from identity.people.errors import PersonUnknown
from identity.people.model import Person, PersonState
from identity.people.service import People
from identity.ports import AuditTrail, Begin, Clock, Contacts, Outbox

__all__ = ["Operators"]

SERVICE: Final = "service"
"""Who ends a role when it is nobody's decision."""


class Operators:
    """Safe to share between threads and processes. ``read`` opens read-only transactions."""

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        audit: AuditTrail,
        people: People,
        factors: Factors,
        outbox: Outbox,
        contacts: Contacts,
        policy: OperatorPolicy | None = None,
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._people = people
        self._factors = factors
        self._outbox = outbox
        self._contacts = contacts
        self.policy = policy or OperatorPolicy()

    # --- what somebody may do ------------------------------------------------------------------------

    def powers(self, person_id: str) -> Powers:
        """Looked up every time: a role that has ended opens nothing from that moment."""
        with self._read() as tx:
            return powers_of(person_id, GrantTable(tx).open_of(person_id))

    def require(self, person_id: str, role: Role, agency_id: str | None = None) -> Powers:
        """Raises :class:`identity.operators.errors.RoleMissing`."""
        powers = self.powers(person_id)
        powers.require(role, agency_id)
        return powers

    def grants(self, agency_id: str | None = None) -> list[Grant]:
        """Those that have not ended, oldest first."""
        with self._read() as tx:
            return GrantTable(tx).open(agency_id)

    def grant(self, grant_id: str) -> Grant:
        """Raises :class:`identity.operators.errors.GrantUnknown`."""
        with self._read() as tx:
            return _existing(tx, grant_id)

    def is_operator(self, person_id: str) -> bool:
        """Whether any role is held or waits: then the account is worth more than its holder's own data."""
        with self._read() as tx:
            return bool(GrantTable(tx).open_of(person_id))

    # --- changing it ---------------------------------------------------------------------------------

    def propose(self, person_id: str, role: Role, agency_id: str | None = None, *, actor: str) -> Grant:
        """Give somebody a role. An empowering one opens nothing until somebody else confirms it.

        ``actor`` is the person id of an operator, or ``cli:NAME``. Raises ``OperatorUnfit``,
        :class:`identity.errors.AgencyUnknown`, ``RoleMissing``, ``ActsOnOneself``, ``RoleHeld`` or
        ``RoleConflict``.
        """
        # 1. Whom.
        self._require_fit(self._people.get(person_id))
        if role.is_of_agency != (agency_id is not None):
            raise OperatorUnfit(
                f"The role {role} is held for an agency: name it."
                if role.is_of_agency
                else f"The role {role} is held for the whole service: leave the agency out."
            )
        with self._begin() as tx:
            table = GrantTable(tx)
            if agency_id is not None and AgencyTable(tx).get(agency_id) is None:
                raise AgencyUnknown(f"There is no agency {agency_id!r}; `absah agency list` shows them.")
            # 2. The rules, with everything that the person holds held still.
            self._require_fit(self._held(tx, person_id))
            require_grantable(
                role,
                agency_id,
                person_id=person_id,
                held=table.open_of(person_id),
                grantor=_powers_of_actor(tx, actor),
            )
            # 3. The grant.
            grant = Grant(
                id=new_grant_id(),
                person_id=person_id,
                role=role,
                agency_id=agency_id,
                state=first_state(role),
                granted_by=actor,
                granted_at=self._clock(),
            )
            table.add(grant)
            self._tell(tx, grant, "role_proposed" if grant.state is GrantState.PROPOSED else "role_confirmed")
            self._note(tx, "operator.role_proposed", actor, grant, {"state": grant.state.value})
        return grant

    def confirm(self, grant_id: str, *, confirmer_id: str) -> Grant:
        """The second pair of eyes, on an account with a passkey: a role is used with nothing else.

        Otherwise whoever knows its password could set up the passkey that the role waits for. Raises
        ``GrantUnknown``, ``GrantNotOpen``, ``FourEyesNeeded``, ``RoleMissing`` or ``OperatorUnfit``.
        """
        now = self._clock()
        with self._begin() as tx:
            # 1. Whom: as they are now, which may be long after the proposal.
            table = GrantTable(tx)
            person = self._held(tx, _existing(tx, grant_id).person_id)
            grant = _existing(tx, grant_id)
            # 2. Who else looks.
            grant.require_second(powers_of(confirmer_id, table.open_of(confirmer_id)))
            self._require_fit(person)
            if not self._factors.has_passkey(tx, person.id):
                raise OperatorUnfit(
                    "This account has no passkey yet, and a role is used with nothing else. Have its holder "
                    "set one up, then confirm the role."
                )
            # 3. It counts from now on.
            if not table.confirm(grant_id, by=confirmer_id, at=now):
                raise GrantNotOpen
            self._tell(tx, grant, "role_confirmed")
            self._note(tx, "operator.role_confirmed", confirmer_id, grant)
        return replace(grant, state=GrantState.ACTIVE, confirmed_by=confirmer_id, confirmed_at=now)

    def end(self, grant_id: str, *, actor: str) -> Grant:
        """Take a role away, or turn a proposal down; counts from this moment.

        Raises ``GrantUnknown`` or ``RoleMissing``.
        """
        now = self._clock()
        with self._begin() as tx:
            self._held(tx, _existing(tx, grant_id).person_id)
            grant = _existing(tx, grant_id)
            require_endable(grant, _powers_of_actor(tx, actor))
            if not GrantTable(tx).end(grant_id, by=actor, at=now):
                raise GrantUnknown
            self._tell(tx, grant, "role_ended")
            self._note(tx, "operator.role_ended", actor, grant)
        return replace(grant, state=GrantState.ENDED, ended_by=actor, ended_at=now)

    # --- when accounts change ------------------------------------------------------------------------

    def put_back(self, tx: Connection, person_id: str, *, actor: str) -> int:
        """``actor`` gave somebody access to this account: its empowering roles wait for a confirmation again.

        Otherwise whoever restores accounts could become any operator. Returns how many. The caller's
        transaction; audited here.
        """
        table = GrantTable(tx)
        self._people.hold(tx, person_id)
        held, now = table.open_of(person_id), self._clock()
        # An auditor is who confirms: that role cannot wait for itself, so it ends.
        end = [grant for grant in held if grant.role is Role.AUDITOR]
        wait = [
            grant for grant in held if grant.role in EMPOWERING and table.put_back(grant.id, by=actor, at=now)
        ]
        for grant in wait:
            self._tell(tx, grant, "role_proposed")
        self._end_all(tx, end, actor=actor)
        for grant in wait:
            self._note(tx, "operator.role_put_back", actor, grant)
        return len(end) + len(wait)

    def proofing_lowered(self, tx: Connection, person_id: str) -> None:
        """A :data:`identity.ports.PersonHook`: roles that need somebody to be known better than that end.

        Audited here, as the last acts of the caller's transaction.
        """
        person = self._people.hold(tx, person_id)
        if person is not None and person.proofing.value < self.policy.least_proofing:
            self._end_all(tx, GrantTable(tx).open_of(person_id), actor=SERVICE)

    def forget(self, tx: Connection, person_id: str) -> None:
        """A :data:`identity.ports.PersonHook`: roles end with the account. What was done stays on record."""
        table = GrantTable(tx)
        for grant in table.open_of(person_id):
            table.end(grant.id, by=person_id, at=self._clock())

    def held(self, person_id: str) -> Mapping[str, object]:
        """:data:`identity.ports.HeldData`."""
        with self._read() as tx:
            grants = GrantTable(tx).of(person_id)
        return {
            "roles": [
                {
                    "role": grant.role.value,
                    "agency": grant.agency_id,
                    "state": grant.state.value,
                    "since": grant.granted_at.isoformat(),
                    "until": grant.ended_at.isoformat() if grant.ended_at else None,
                }
                for grant in grants
            ]
        }

    # --- inside --------------------------------------------------------------------------------------

    def _held(self, tx: Connection, person_id: str) -> Person:
        """First act of a transaction on somebody's roles: see :meth:`PersonTable.hold`."""
        person = self._people.hold(tx, person_id)
        if person is None:
            raise PersonUnknown
        return person

    def _end_all(self, tx: Connection, grants: Sequence[Grant], *, actor: str) -> None:
        """Their holder is held. The trail comes last: whoever writes it waits for nothing any more."""
        for grant in grants:
            GrantTable(tx).end(grant.id, by=actor, at=self._clock())
            self._tell(tx, grant, "role_ended")
        for grant in grants:
            self._note(tx, "operator.role_ended", actor, grant)

    def _require_fit(self, person: Person) -> None:
        if person.state not in {PersonState.ACTIVE, PersonState.INVITED, PersonState.REGISTERED}:
            raise OperatorUnfit(f"This account is {person.state}; a role needs one that can be used.")
        if person.proofing.value < self.policy.least_proofing:
            raise OperatorUnfit(
                f"Nobody has checked who this is ({person.proofing}), and a role needs "
                f"{self.policy.least_proofing}. Have the account confirmed at a counter, or open one by "
                "`absah operator invite`."
            )

    def _tell(self, tx: Connection, grant: Grant, template: str) -> None:
        """A mail to the holder, who may know nothing of it."""
        contact = self._contacts.of(tx, grant.person_id)
        if contact is None or contact.email is None:
            return
        role = ROLE_NAMES[contact.language][grant.role]
        agency = AgencyTable(tx).get(grant.agency_id) if grant.agency_id is not None else None
        self._outbox.queue(
            tx,
            to=contact.email,
            template=template,
            language=contact.language,
            values={
                "role": f"{role}, {agency.name}" if agency else role,
                "when": self._clock().isoformat(timespec="seconds"),
            },
        )

    def _note(
        self, tx: Connection, action: str, actor: str, grant: Grant, facts: dict[str, str] | None = None
    ) -> None:
        named = {"role": grant.role.value, "grant": grant.id}
        if grant.agency_id is not None:
            named["agency"] = grant.agency_id
        self._audit.append(
            tx, action=action, actor=actor, subject=grant.person_id, facts=named | (facts or {})
        )


def _powers_of_actor(tx: Connection, actor: str) -> Powers | None:
    """None is the command line: whoever has a shell on the machine and its database."""
    if actor == "cli" or actor.startswith("cli:"):
        return None
    return powers_of(actor, GrantTable(tx).open_of(actor))


def _existing(tx: Connection, grant_id: str) -> Grant:
    grant = GrantTable(tx).get(grant_id)
    if grant is None or grant.state is GrantState.ENDED:
        raise GrantUnknown
    return grant
