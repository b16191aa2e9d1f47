"""Answering a compromise: a case is opened by one person, and carried on step by step until it is closed.

Every step may be killed anywhere and done again: it looks at what is there and does what is missing. The case
itself says what is to be done next; :mod:`app.compromise.model` says in which order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from app.compromise.errors import CaseDecided, CaseInvalid, CaseNotOpen, CaseUnknown, DecisionMissing
from app.compromise.impact import Impact
from app.compromise.model import PLANS, REVERSIBLE, Case, Counts, Step, new_case_id
from app.compromise.news import News
from app.compromise.replacing import Replacing
from app.compromise.tables import Cases
from ca.model import COMPROMISES, CertificateRecord, CertificateStatus, ProfileName, RevocationReason
from ca.revocation import Revocation
from ca.tables import Certificates
from keys.approvals import KeyAct, KeyRequest, Outcome, RequestState
from keys.dual_control import DualControl
from keys.endings import Ending
from keys.errors import RequestUnknown
from keys.model import KeyPurpose, KeyRecord, KeyState, may_move
from keys.ports import AuditTrail, Begin, Clock
from keys.service import KeyService


class Compromise:
    """Safe to share between threads and processes. No method may be called inside a transaction.

    ``renew`` makes what takes over from a key, by purpose; ``publish`` writes what offline verifiers use.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        audit: AuditTrail,
        keys: KeyService,
        revocation: Revocation,
        decisions: DualControl,
        impact: Impact,
        replacing: Replacing,
        news: News,
        renew: Mapping[KeyPurpose, Callable[[Case], None]],
        publish: Callable[[], object],
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._keys = keys
        self._revocation = revocation
        self._decisions = decisions
        self._replacing = replacing
        self._news = news
        self._renew = renew
        self._publish = publish
        self.impact = impact

    # --- the jobs ------------------------------------------------------------------------------------

    def open(self, key_id: str, since: datetime, *, actor: str, reseals: bool = True) -> Case:
        """Report a key as lost ``since`` some time, and stop it before this returns.

        Repeating it finds the same case; an earlier ``since`` moves an undecided one back, and custodians
        are asked anew; ``reseals`` can change until they agreed.

        Raises :class:`keys.errors.KeyUnknown` or :class:`app.compromise.errors.CaseInvalid`.
        """
        # 1. Does it make sense?
        key, now = self._keys.get(key_id), self._clock()
        if key.purpose not in PLANS:
            raise CaseInvalid(
                f"{key_id} is a {key.purpose} key: it is not revoked, but taken out of every trust list. "
                "Follow “The root was lost” in docs/runbooks/compromise.md."
            )
        if since.tzinfo is None or since > now:
            raise CaseInvalid("The key was lost at a time that lies in the future: name when, with its zone.")
        # 2. One case for one loss; what is reported is on record before anything is done.
        with self._begin() as tx:
            known = Cases(tx).open_of(key_id)
            if known is None or (known.step not in REVERSIBLE and since < known.since):
                case = Case(new_case_id(), key.id, key.purpose, key.owner, since, now, actor, reseals=reseals)
                Cases(tx).add(case)
                facts = {"key": key.id, "since": since.isoformat(), "purpose": key.purpose.value}
                self._audit.append(
                    tx, action="compromise.reported", actor=actor, subject=case.id, facts=facts
                )
            else:
                case = known
                if known.step in REVERSIBLE and reseals is not known.reseals:
                    Cases(tx).set_reseals(known, reseals)
                    facts = {"reseals": str(reseals).lower()}
                    self._audit.append(
                        tx, action="compromise.changed", actor=actor, subject=case.id, facts=facts
                    )
                if known.step in REVERSIBLE and since < known.since:
                    Cases(tx).move_back(known, since)
                    Cases(tx).ask(known, "")
                    facts = {"since": since.isoformat(), "instead_of": known.since.isoformat()}
                    self._audit.append(
                        tx, action="compromise.moved_back", actor=actor, subject=case.id, facts=facts
                    )
        # 3. Stop the key, now and by this person alone.
        return self.advance(case.id) if case.step is Step.SUSPEND else self.get(case.id)

    def advance(self, case_id: str, *, seconds: float = 10.0) -> Case:
        """Do what is next in a case, or a part of it that takes about ``seconds``; the case afterwards.

        A case that waits for a decision, or is over, is returned as it is.
        """
        case = self.get(case_id)
        if not case.is_open:
            return case
        key = self._keys.get(case.key_id)
        match case.step:
            case Step.SUSPEND:
                self._suspend(case, key)
            case Step.DECIDE:
                if not self._is_decided(case, key):
                    return self.get(case_id)
            case Step.REVOKE:
                self._revoke(case, key)
            case Step.RENEW:
                self._require_decision(case)
                self._renew[case.purpose](case)
            case Step.RESTAMP:
                self._require_decision(case)
                if self._replacing.restamp(case, key):
                    return self.get(case_id)
            case Step.RESEAL:
                if not self._reseal(case, key, seconds):
                    return self.get(case_id)
        self._move(case)
        return self.get(case_id)

    def restamp_after(self, unit: bytes, *, actor: str) -> int:
        """Give every document that a distrusted unit of others stamped a time by another unit; how many were
        left to do. ``unit`` is the SHA-256 of its certificate. May be repeated after being killed anywhere.

        Raises :class:`app.compromise.errors.NoIndependentTime` while no unit is at hand.
        """
        count = 0
        while done := self._replacing.restamp_after(unit, actor=actor):
            count += done
        return count

    def run(self, case_id: str, *, seconds: float = 10.0) -> Case:
        """:meth:`advance` until the case is over, waits for a decision, or cannot replace what is left."""
        while True:
            case = self.advance(case_id, seconds=seconds)
            if not case.is_open or (case.step is Step.DECIDE and not self.may_go_on(case)):
                return case
            if case.step is Step.RESEAL and case.failed and not case.done:
                return case

    def may_go_on(self, case: Case) -> bool:
        """Whether there is something to be done in an open case that does not wait for people."""
        if not case.is_open:
            return False
        if case.step is not Step.DECIDE or not case.request_id:
            return True
        if self._keys.get(case.key_id).state is KeyState.ACTIVE or self._reinstating(case) is not None:
            return True  # reinstated, or about to be: the case ends
        standing = self._decisions.standing(case.request_id)
        return not standing.is_void and standing.state in {RequestState.READY, RequestState.STARTED}

    def withdraw(self, case_id: str, *, actor: str) -> Case:
        """Ask the custodians to reinstate the key: it was a false alarm. Once they agree, whoever goes on
        with the case lifts the suspension and the holds; where nobody has to agree, that is now.

        Raises :class:`app.compromise.errors.CaseNotOpen` or ``CaseDecided``.
        """
        case = self.get(case_id)
        if not case.is_open:
            raise CaseNotOpen(f"Case {case_id} is {case.step}.")
        if case.step not in REVERSIBLE:
            raise CaseDecided(
                f"Case {case_id} was decided: what is revoked stays revoked. Let it go on; what is sealed "
                "anew is as good as what it replaces."
            )
        reason = f"false alarm, {case.id}"
        self._decisions.request(KeyAct.REINSTATE, {"key": case.key_id, "reason": reason}, requester=actor)
        return self.advance(case_id)

    # --- looking -------------------------------------------------------------------------------------

    def get(self, case_id: str) -> Case:
        """Raises :class:`app.compromise.errors.CaseUnknown`."""
        with self._read() as tx:
            case = Cases(tx).get(case_id)
        if case is None:
            raise CaseUnknown(case_id)
        return case

    def list(self) -> list[Case]:
        """Every case, newest first."""
        with self._read() as tx:
            return Cases(tx).all()

    def list_open(self) -> tuple[Case, ...]:
        """Those that are not over, oldest first."""
        with self._read() as tx:
            return tuple(Cases(tx).open())

    def counts(self, case: Case) -> Counts:
        """What stands on the key, and how far replacing it has come. Reads every document of the case."""
        return self.impact.counts(self._keys.get(case.key_id), case.since, self._clock())

    def certificates(self, key_id: str) -> tuple[CertificateRecord, ...]:
        """Every certificate of a key, oldest first."""
        with self._read() as tx:
            return tuple(Certificates(tx).all_of_key(key_id))

    # --- the steps -----------------------------------------------------------------------------------

    def _suspend(self, case: Case, key: KeyRecord) -> None:
        """First the key, which stops in every process within a second, then the world is told."""
        if key.state is KeyState.ACTIVE:
            self._keys.suspend(key.id, actor=case.opened_by, reason=case.id)
        for record in self.certificates(key.id):
            if record.status is CertificateStatus.GOOD and record.profile is not ProfileName.ROOT:
                self._revocation.revoke(
                    record.serial, RevocationReason.CERTIFICATE_HOLD, case.since, actor=case.id
                )
        self._publish()

    def _is_decided(self, case: Case, key: KeyRecord) -> bool:
        """Ask the custodians, look at what they said, and claim their consent exactly once."""
        if not case.request_id:
            request = self._decisions.request(
                KeyAct.COMPROMISE,
                {"key": case.key_id, "since": case.since.isoformat()},
                requester=case.opened_by,
            )
            with self._begin() as tx:
                Cases(tx).ask(case, request.id)
            case = self.get(case.id)
        standing = self._decisions.standing(case.request_id)
        if standing.state is RequestState.READY and not standing.is_void:
            self._decisions.claim(case.request_id)
        elif standing.state is not RequestState.STARTED:
            self._reinstate(case, key)
            return False
        self._require_decision(case)
        return True

    def _reinstate(self, case: Case, key: KeyRecord) -> None:
        """Lift what can be lifted, where custodians agreed to that instead."""
        agreed = self._reinstating(case)
        if agreed is not None:
            self._decisions.claim(agreed.id)
            if key.state is KeyState.SUSPENDED:
                self._keys.reinstate(key.id, actor=agreed.id, suspended_by=agreed.requested_at)
        if agreed is None and key.state is not KeyState.ACTIVE:
            return
        for record in self.certificates(case.key_id):
            if record.status is CertificateStatus.ON_HOLD:
                self._revocation.release(record.serial, actor=case.id)
        self._publish()
        with self._begin() as tx:
            if Cases(tx).move(case, Step.WITHDRAWN, at=self._clock()):
                self._audit.append(
                    tx,
                    action="compromise.withdrawn",
                    actor=case.id,
                    subject=case.id,
                    facts={"key": case.key_id},
                )
        if agreed is not None:
            self._decisions.finish(agreed.id, Outcome.DONE, detail=Ending.FALSE_ALARM.said(case=case.id))

    def _reinstating(self, case: Case) -> KeyRequest | None:
        """The request to reinstate the key that custodians agreed to. Consent from before the key was stopped
        is about another time."""
        stopped = self._keys.get(case.key_id).since.replace(microsecond=0)
        for one in self._decisions.ready(KeyAct.REINSTATE):
            if one.parameters.get("key") == case.key_id and one.requested_at >= stopped:
                return one
        return None

    def _require_decision(self, case: Case) -> None:
        """Nothing irreversible on the word of a row: the consent is looked at, proofs and all.

        Raises :class:`app.compromise.errors.DecisionMissing`.
        """
        try:
            standing = self._decisions.standing(case.request_id)
        except RequestUnknown as cause:
            raise DecisionMissing(
                f"Nobody was ever asked to give up {case.key_id} in case {case.id}."
            ) from cause
        asked = standing.request
        about_this = (
            asked.act is KeyAct.COMPROMISE
            and asked.parameters.get("key") == case.key_id
            and asked.parameters.get("since") == case.since.isoformat()
        )
        started = standing.state in {RequestState.STARTED, RequestState.DONE}
        if standing.is_void or not (about_this and started):
            raise DecisionMissing(
                f"Case {case.id} has no consent to give up {case.key_id} as of {case.since.isoformat()}. "
                "Was the database altered? Run `absah audit verify`."
            )

    def _revoke(self, case: Case, key: KeyRecord) -> None:
        """Custody, then every certificate with reason and time, then what others keep; then the agencies."""
        self._require_decision(case)
        if may_move(key.state, KeyState.COMPROMISED):
            self._keys.mark_compromised(key.id, actor=case.id, reason=case.opened_by)
        for record in self.certificates(key.id):
            self._revoke_one(case, record)
        self._publish()
        waiting: dict[str, int] = {}
        for one in self.impact.of(key, case.since, in_force=True):
            if one.needs_new_seal(self._clock()):
                waiting[one.record.agency_id] = waiting.get(one.record.agency_id, 0) + 1
        with self._begin() as tx:
            self._news.key_lost(tx, case, waiting)

    def _revoke_one(self, case: Case, record: CertificateRecord) -> None:
        known = record.invalidity_date
        done = record.status is CertificateStatus.REVOKED and record.reason in COMPROMISES
        if done and known is not None and known <= case.since:
            return
        is_ca = record.profile in {ProfileName.ROOT, ProfileName.ISSUING}
        reason = RevocationReason.CA_COMPROMISE if is_ca else RevocationReason.KEY_COMPROMISE
        self._revocation.revoke(record.serial, reason, case.since, actor=case.id)

    def _reseal(self, case: Case, key: KeyRecord, seconds: float) -> bool:
        """Whether nothing is left to be sealed anew."""
        self._require_decision(case)
        if not case.reseals:
            return True
        done, failed = self._replacing.reseal(case, key, seconds=seconds)
        with self._begin() as tx:
            Cases(tx).note_round(case, done=done, failed=failed, at=self._clock())
        return done == failed == 0

    def _move(self, case: Case) -> None:
        """To the next step, with the entry in the trail that says so, if nobody else was first."""
        if case.next_step is Step.CLOSED:
            self._close(case)
        with self._begin() as tx:
            if Cases(tx).move(case, case.next_step, at=self._clock()):
                self._audit.append(
                    tx,
                    action=f"compromise.{case.next_step}",
                    actor=case.id,
                    subject=case.id,
                    facts={"key": case.key_id, "done": case.step.value},
                )

    def _close(self, case: Case) -> None:
        replaced: dict[str, int] = {}
        for one in self.impact.of(self._keys.get(case.key_id), case.since):
            if one.is_replaced:
                replaced[one.record.agency_id] = replaced.get(one.record.agency_id, 0) + 1
        with self._begin() as tx:
            self._news.finished(tx, case, replaced)
        count = sum(replaced.values())
        self._decisions.finish(case.request_id, Outcome.DONE, detail=Ending.SEALED_ANEW.said(count=count))
