"""What officers and the help desk do with accounts of others. Looking is an act too, and is written down.

Two rules hold for all of it: nobody acts on their own account, and whoever gives somebody access to an
operator's account makes that operator's roles wait for a confirmation by others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from identity.factors.model import Factor
from identity.factors.service import Factors
from identity.login.errors import LoginDelayed
from identity.login.model import Recovery
from identity.login.recovery import Recoveries
from identity.login.sessions import Sessions
from identity.login.throttle import Charge, Key, Throttle
from identity.lookups.model import Actor, LookupKind
from identity.lookups.service import Lookups
from identity.operators.errors import ActsOnOneself, SearchesDelayed
from identity.operators.model import Role
from identity.operators.service import Operators
from identity.people.errors import NikInvalid
from identity.people.model import Person, PersonState
from identity.people.nik import Nik
from identity.people.service import Opened, People, SuspensionReason
from identity.ports import AuditTrail, Begin


@dataclass(frozen=True, slots=True)
class Viewed:
    """An account as those see it who help its holder. Nothing of what the person did with it."""

    person: Person
    factors: tuple[Factor, ...]
    sessions: int
    recovery: Recovery | None
    is_operator: bool
    is_own: bool


class Desk:
    """Safe to share between threads. That the operator holds the role is for the pages to have asked."""

    def __init__(
        self,
        *,
        begin: Begin,
        audit: AuditTrail,
        people: People,
        factors: Factors,
        sessions: Sessions,
        recoveries: Recoveries,
        lookups: Lookups,
        operators: Operators,
        throttle: Throttle,
        sample_niks: bool = False,
    ) -> None:
        self._begin = begin
        self._audit = audit
        self._people = people
        self._factors = factors
        self._sessions = sessions
        self._recoveries = recoveries
        self._lookups = lookups
        self._operators = operators
        self._throttle = throttle
        self._sample_niks = sample_niks

    # --- looking -------------------------------------------------------------------------------------

    def by_nik(self, nik: str, *, operator_id: str, role: Role) -> Person | None:
        """Raises :class:`identity.people.errors.NikInvalid` or ``SearchesDelayed``."""
        parsed = Nik.typed(nik, samples=self._sample_niks)
        self._pay(operator_id)
        return self._noted(self._people.by_nik(parsed), parsed, operator_id, role)

    def find(self, identifier: str, *, operator_id: str, role: Role) -> Person | None:
        """By NIK or confirmed email address. Raises ``SearchesDelayed``."""
        try:
            return self.by_nik(identifier, operator_id=operator_id, role=role)
        except NikInvalid:
            self._pay(operator_id)
            return self._noted(self._people.find(identifier), None, operator_id, role)

    def _pay(self, operator_id: str) -> None:
        """Whether somebody has an account is worth something to others: no operator reads it off a list."""
        try:
            self._throttle.take(Charge(Key.SEARCH, operator_id))
        except LoginDelayed as cause:
            raise SearchesDelayed(retry_after=cause.retry_after) from cause

    def _noted(self, found: Person | None, nik: Nik | None, operator_id: str, role: Role) -> Person | None:
        """Written down before it is answered, for whom it is about and in the trail, found or not."""
        with self._begin() as tx:
            person_id = found.id if found else None
            self._lookups.search_within(tx, Actor.operator(operator_id, role), person_id=person_id, nik=nik)
            self._audit.append(
                tx,
                action="account.searched",
                actor=operator_id,
                subject=person_id or "nobody",
                facts={"role": role.value, "by": "nik" if nik else "email"},
            )
        return found

    def view(self, person_id: str, *, operator_id: str, role: Role) -> Viewed:
        """Look at an account: the audit trail and its holder get to know. Raises ``PersonUnknown``."""
        person = self._people.get(person_id)
        with self._begin() as tx:
            self._lookups.note_within(
                tx, Actor.operator(operator_id, role), LookupKind.ACCOUNT_VIEWED, person_id, "account"
            )
            self._audit.append(
                tx, action="account.viewed", actor=operator_id, subject=person_id, facts={"role": role.value}
            )
        return Viewed(
            person=person,
            factors=self._factors.of(person_id),
            sessions=len(self._sessions.of(person_id)),
            recovery=self._recoveries.pending(person_id),
            is_operator=self._operators.is_operator(person_id),
            is_own=person_id == operator_id,
        )

    # --- at the counter ------------------------------------------------------------------------------

    def open(
        self,
        *,
        officer_id: str,
        nik: str,
        name: str,
        birth_date: date,
        email: str | None,
        language: str,
        send: bool = False,
        displace: bool = False,
    ) -> Opened:
        """Open a proofed account; see :meth:`identity.people.service.People.open_proofed`.

        Raises ``PersonDataInvalid``, ``NikTaken``, or ``ActsOnOneself`` for one's own number.
        """
        held = self._people.get(officer_id).nik
        if held is not None and held == Nik.typed(nik, samples=self._sample_niks):
            raise ActsOnOneself
        return self._people.open_proofed(
            officer_id=officer_id,
            nik=nik,
            name=name,
            birth_date=birth_date,
            email=email,
            language=language,
            send=send,
            displace=displace,
        )

    def give_code(self, person_id: str, *, officer_id: str, send: bool = False) -> Opened:
        """A new activation code for the person at the counter. An account that was open is set up anew: its
        factors go, and an operator's roles wait for a confirmation.

        Raises ``ActsOnOneself``, ``PersonUnknown``, ``PersonStateForbids`` or ``PersonDataInvalid``.
        """
        _require_other(person_id, officer_id)
        person = self._people.get(person_id)
        # The roles first: a crash in between leaves an operator without a task, never a task without
        # its operator.
        with self._begin() as tx:
            self._operators.put_back(tx, person_id, actor=officer_id)
        if person.state is PersonState.INVITED:
            return self._people.invite_again(officer_id=officer_id, person_id=person_id, send=send)
        return self._recoveries.by_officer(officer_id=officer_id, person_id=person_id, send=send)

    # --- at the help desk ----------------------------------------------------------------------------

    def suspend(self, person_id: str, *, operator_id: str, reason: SuspensionReason) -> Person:
        """Raises ``ActsOnOneself``, ``PersonUnknown`` or ``PersonStateForbids``."""
        _require_other(person_id, operator_id)
        return self._people.suspend(person_id, actor=operator_id, reason=reason)

    def resume(self, person_id: str, *, operator_id: str) -> Person:
        """Raises ``ActsOnOneself``, ``PersonUnknown`` or ``PersonStateForbids``."""
        _require_other(person_id, operator_id)
        return self._people.resume(person_id, actor=operator_id)

    def end_sessions(self, person_id: str, *, operator_id: str) -> int:
        """Log somebody out everywhere, at their word. Raises ``ActsOnOneself``. Returns how many."""
        _require_other(person_id, operator_id)
        return self._sessions.end_all(person_id, actor=operator_id)


def _require_other(person_id: str, operator_id: str) -> None:
    if person_id == operator_id:
        raise ActsOnOneself
