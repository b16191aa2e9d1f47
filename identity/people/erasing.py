"""How people disappear: on their own demand, or because an account was never finished.

What goes: the sealed profile, its fingerprints, codes, and through ``forget`` all that other parts hold. What
stays: the id, the times, and the audit trail, which never held personal data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from sqlalchemy import Connection

from identity.people.errors import PersonChanged, PersonError, PersonStateForbids, PrivacyRequestClosed
from identity.people.jobs import PeopleJobs
from identity.people.model import PersonState
from identity.people.policy import PeoplePolicy, PrivacyPolicy
from identity.people.privacy import PrivacyRequest, RequestState, Retained
from identity.people.request_tables import RequestTable
from identity.people.tables import AttemptTable, CodeTable, PersonRecord, PersonTable
from identity.ports import AuditTrail, Begin, Clock, HeldData, Outbox, PersonHook, Vault

SERVICE: Final = "service"
_BATCH: Final = 100

WithdrawConsent = Callable[[Connection, str, str], object]
"""End what a person (id) agreed to share with a portal (id), inside the caller's transaction."""


class Erasing(PeopleJobs):
    """A part of :class:`identity.people.rights.Rights`. Safe to share between threads.

    ``held`` are all who hold something about people, by the name that the export gives their part. ``forget``
    erases it; a hook that raises a ``PersonError`` (an operator who still has a role) leaves the decision to
    an officer.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        audit: AuditTrail,
        vault: Vault,
        outbox: Outbox,
        held: Mapping[str, HeldData],
        forget: Sequence[PersonHook] = (),
        endings: Sequence[PersonHook] = (),
        withdraw: WithdrawConsent | None = None,
        people_policy: PeoplePolicy | None = None,
        policy: PrivacyPolicy | None = None,
    ) -> None:
        super().__init__(
            begin=begin,
            read=read,
            clock=clock,
            audit=audit,
            vault=vault,
            outbox=outbox,
            policy=people_policy,
            endings=endings,
        )
        self._vault = vault
        self._held = dict(held)
        self._forget = tuple(forget)
        self._withdraw = withdraw
        self._privacy = policy or PrivacyPolicy()

    # --- what upkeep does ----------------------------------------------------------------------------

    def erase_due(self) -> int:
        """Carry out erasures whose time to think again is over; returns how many.

        May run in several processes at once: each request is carried out by one of them. Accounts that are
        suspended, or that a hook holds back, are handed to an officer, whose clock goes on running.
        """
        with self._read() as tx:
            waiting = RequestTable(tx).to_execute(self._clock(), most=_BATCH)
        return sum(self._carry_out(request) for request in waiting)

    def retain(self) -> Retained:
        """Remove what nobody needs any longer, by the periods of the policy."""
        now, policy = self._clock(), self._privacy
        with self._read() as tx:
            table = PersonTable(tx)
            unfinished = [
                *table.left_behind(PersonState.REGISTERED, now - policy.keep_unfinished, most=_BATCH),
                *table.left_behind(PersonState.INVITED, now - policy.keep_invited, most=_BATCH),
            ]
        erased = sum(
            self._settle(partial(self._erase_left_behind, person_id=person_id)) for person_id in unfinished
        )
        with self._begin() as tx:
            return Retained(
                unfinished_accounts=erased,
                codes=CodeTable(tx).discard(now - policy.keep_codes),
                proofing_attempts=AttemptTable(tx).discard(now - self._policy.proofings_window),
                requests=RequestTable(tx).discard(now - policy.keep_requests),
            )

    # --- parts of the jobs ---------------------------------------------------------------------------

    def _carry_out(self, request: PrivacyRequest) -> int:
        def job(tx: Connection) -> int:
            record, person = self._hold(tx, request.person_id)
            if person.state is PersonState.SUSPENDED:
                raise PersonStateForbids("A suspended account is not erased before an officer looked at it.")
            self._erase_person(tx, record, request=request, actor=SERVICE, among=(RequestState.WAITING,))
            return 1

        try:
            return self._settle(job)
        except PrivacyRequestClosed:  # another process did it, or it was taken back in between
            return 0
        except PersonChanged:  # the next round tries again
            return 0
        except PersonError:
            self._settle(lambda tx: self._hand_over(tx, request))
            return 0

    def _hand_over(self, tx: Connection, request: PrivacyRequest) -> None:
        if RequestTable(tx).hand_over(request.id):
            self._note(tx, "privacy.handed_over", SERVICE, request)

    def _erase_person(
        self,
        tx: Connection,
        record: PersonRecord,
        *,
        request: PrivacyRequest,
        actor: str,
        among: Sequence[RequestState] = (RequestState.OPEN, RequestState.WAITING),
    ) -> None:
        # 1. Whoever closes the request carries it out.
        now = self._clock()
        if not RequestTable(tx).close(
            request.id, RequestState.ANSWERED, at=now, decided_by=actor, among=among
        ):
            raise PrivacyRequestClosed
        RequestTable(tx).close_all(record.id, RequestState.TAKEN_BACK, at=now, decided_by=actor)
        # 2. Everything that is open, everything that others hold, then the person.
        person = self._profiles.person(record)
        self._take_everything(tx, record)
        # 3. The last mail, as the law wants people to be told, and the trail.
        self._mail(tx, person.confirmed_email, "account_erased", person.language)
        self._note(tx, "person.erased", actor, request)

    def _erase_left_behind(self, tx: Connection, person_id: str) -> int:
        record = PersonTable(tx).hold(person_id)
        if record is None or record.state not in {PersonState.REGISTERED, PersonState.INVITED}:
            return 0
        now = self._clock()
        RequestTable(tx).close_all(person_id, RequestState.TAKEN_BACK, at=now, decided_by=SERVICE)
        self._take_everything(tx, record)
        self._audit.append(
            tx, action="person.erased", actor=SERVICE, subject=person_id, facts={"reason": "never_finished"}
        )
        return 1

    def _take_everything(self, tx: Connection, record: PersonRecord) -> None:
        self.end_access(tx, record.id)
        for forget in self._forget:
            forget(tx, record.id)
        self._erase(tx, record)

    def _note(self, tx: Connection, action: str, actor: str, request: PrivacyRequest) -> None:
        facts = {"request": request.id, "kind": request.kind.value}
        if request.target:
            facts["target"] = request.target
        if request.refusal is not None:
            facts["refusal"] = request.refusal.value
        self._audit.append(tx, action=action, actor=actor, subject=request.person_id, facts=facts)
