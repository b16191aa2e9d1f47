"""The rights of people over their data (UU 27/2022), answered by the service or by officers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection

from identity.people.details import born, person_name
from identity.people.erasing import Erasing
from identity.people.errors import (
    NikTaken,
    PersonDataInvalid,
    PersonStateForbids,
    PrivacyRequestClosed,
    PrivacyRequestRepeated,
    PrivacyRequestUnknown,
)
from identity.people.model import Person, ProofingLevel
from identity.people.nik import Nik
from identity.people.privacy import (
    PrivacyRequest,
    Refusal,
    RequestKind,
    RequestState,
    new_request_id,
)
from identity.people.request_tables import RequestTable, StoredRequest
from identity.people.tables import PersonTable

SEALED: Final = "privacy"
"""The purpose of the data key."""
MOST_DETAILS: Final = 2_000


class Rights(Erasing):
    """What people demand about their data. Each method that a person calls is to be behind a fresh factor.

    :class:`identity.people.erasing.Erasing` says what it stands on, and does what upkeep calls.
    """

    # --- what people do themselves -------------------------------------------------------------------

    def export(self, person_id: str) -> dict[str, object]:
        """Everything that is held about somebody, as JSON-able values (articles 7, 13 and 32).

        It counts as a request that was answered at once. Raises ``PersonUnknown``.
        """
        self._settle(lambda tx: self._answered_at_once(tx, person_id, RequestKind.ACCESS))
        parts = {name: held(person_id) for name, held in sorted(self._held.items())}
        return {
            "made_at": self._clock().isoformat(),
            "law": "UU 27/2022, articles 7, 13 and 32",
            **parts,
            "privacy_requests": [_exported(request) for request in self.of(person_id)],
        }

    def correct_name(self, person_id: str, name: str) -> Person:
        """Somebody whose name was never proofed corrects it. Raises ``PersonStateForbids`` for others."""
        name = person_name(name)

        def job(tx: Connection) -> Person:
            record, person = self._hold(tx, person_id)
            if person.proofing is not ProofingLevel.IAL0:
                raise PersonStateForbids(
                    "This name was compared with the population register. Ask an officer to correct it."
                )
            changed = replace(person, name=name)
            self._store(tx, record, changed)
            self._answered_at_once(tx, person_id, RequestKind.CORRECTION)
            return changed

        return self._settle(job)

    def withdraw_consent(self, person_id: str, portal_id: str) -> PrivacyRequest:
        """Nothing more goes to a portal (articles 9 and 40). Raises ``PersonUnknown``."""

        def job(tx: Connection) -> PrivacyRequest:
            self.hold(tx, person_id)
            if self._withdraw is not None:
                self._withdraw(tx, person_id, portal_id)
            return self._answered_at_once(tx, person_id, RequestKind.WITHDRAWAL, target=portal_id)

        return self._settle(job)

    def request_correction(self, person_id: str, details: str) -> PrivacyRequest:
        """Ask an officer to correct what was proofed; ``details`` has up to 2,000 characters.

        Raises ``PersonDataInvalid``, ``PersonUnknown`` or ``PrivacyRequestRepeated``.
        """
        return self.receive(person_id, RequestKind.CORRECTION, actor=person_id, details=details)

    def request_erasure(self, person_id: str) -> PrivacyRequest:
        """Ask for the account and all about it to be erased (articles 8 and 43).

        It is carried out by :meth:`erase_due` when its time has come, and can be taken back until then.
        Raises ``PersonUnknown`` or ``PrivacyRequestRepeated``.
        """
        return self.receive(person_id, RequestKind.ERASURE, actor=person_id)

    def take_back(self, person_id: str, request_id: str) -> None:
        """Raises ``PrivacyRequestUnknown`` (somebody else's too) or ``PrivacyRequestClosed``."""

        def job(tx: Connection) -> None:
            stored = RequestTable(tx).get(request_id)
            if stored is None or stored.request.person_id != person_id:
                raise PrivacyRequestUnknown
            self._close(tx, stored.request, RequestState.TAKEN_BACK, actor=person_id)

        self._settle(job)

    def of(self, person_id: str) -> list[PrivacyRequest]:
        """A person's requests with their details, newest first."""
        with self._read() as tx:
            return [self._opened(stored) for stored in RequestTable(tx).of(person_id)]

    # --- what officers do ----------------------------------------------------------------------------

    def receive(
        self,
        person_id: str,
        kind: RequestKind,
        *,
        actor: str,
        details: str = "",
        received_at: datetime | None = None,
    ) -> PrivacyRequest:
        """Note a request and start its clock; ``received_at`` is when a letter came in, now when None.

        Raises ``PersonDataInvalid``, ``PersonUnknown`` or ``PrivacyRequestRepeated``.
        """
        now = self._clock()
        received_at = min(received_at or now, now)
        if len(details) > MOST_DETAILS or "\0" in details:
            raise PersonDataInvalid("details", f"Say it in at most {MOST_DETAILS} characters.")
        waits = kind is RequestKind.ERASURE
        request = PrivacyRequest(
            id=new_request_id(),
            person_id=person_id,
            kind=kind,
            state=RequestState.WAITING if waits else RequestState.OPEN,
            target="",
            received_at=received_at,
            due_at=received_at + self._privacy.answer_within,
            executes_at=now + self._privacy.erasure_grace if waits else None,
            details=details or None,
        )
        sealed = None
        if details:
            text = details.encode("utf-8", "replace")
            sealed = self._vault.seal(SEALED, text, context=request.id)

        def job(tx: Connection) -> PrivacyRequest:
            _, person = self._hold(tx, person_id)
            if RequestTable(tx).has_open(person_id, kind, request.target):
                raise PrivacyRequestRepeated
            RequestTable(tx).add(request, sealed)
            deadline = {"deadline": request.due_at.isoformat()}
            self._mail(tx, person.confirmed_email, "privacy_received", person.language, deadline)
            self._note(tx, "privacy.received", actor, request)
            return request

        return self._settle(job)

    def unfinished(self, *, most: int = 200) -> list[PrivacyRequest]:
        """What is still to be answered, with details, what is due first first."""
        return self._unfinished(None, most)

    def due_soon(self, *, most: int = 200) -> list[PrivacyRequest]:
        """What is due within the policy's ``warn_before``, or overdue."""
        return self._unfinished(self._clock() + self._privacy.warn_before, most)

    def overdue(self, *, most: int = 200) -> list[PrivacyRequest]:
        """What the law's time ran out for. An alarm hangs on this list being empty."""
        return self._unfinished(self._clock(), most)

    def correct(
        self,
        request_id: str,
        *,
        officer_id: str,
        name: str | None = None,
        birth_date: date | None = None,
        nik: str | None = None,
    ) -> Person:
        """Answer a correction by correcting; None leaves a fact as it is.

        Raises ``PersonDataInvalid``, ``NikTaken``, ``PrivacyRequestUnknown`` or ``PrivacyRequestClosed``.
        """

        def job(tx: Connection) -> Person:
            request = self._request(tx, request_id, RequestKind.CORRECTION)
            record, person = self._hold(tx, request.person_id)
            changed = self._corrected(tx, person, name=name, birth_date=birth_date, nik=nik)
            self._store(tx, record, changed)
            self._close(tx, request, RequestState.ANSWERED, actor=officer_id)
            return changed

        return self._settle(job)

    def answer(self, request_id: str, *, officer_id: str) -> None:
        """An officer did what was asked for outside this service: sent a copy by letter, for example.

        Erasures are answered by erasing. Raises ``PrivacyRequestUnknown`` or ``PrivacyRequestClosed``.
        """

        def job(tx: Connection) -> None:
            request = self._request(tx, request_id)
            if request.kind is RequestKind.ERASURE:
                record, _ = self._hold(tx, request.person_id)
                self._erase_person(tx, record, request=request, actor=officer_id)
            else:
                self._close(tx, request, RequestState.ANSWERED, actor=officer_id)

        self._settle(job)

    def refuse(self, request_id: str, *, officer_id: str, refusal: Refusal) -> None:
        """Raises ``PrivacyRequestUnknown`` or ``PrivacyRequestClosed``."""

        def job(tx: Connection) -> None:
            request = self._request(tx, request_id)
            self._close(tx, request, RequestState.REFUSED, actor=officer_id, refusal=refusal)

        self._settle(job)

    # --- parts of the jobs ---------------------------------------------------------------------------

    def _corrected(
        self, tx: Connection, person: Person, *, name: str | None, birth_date: date | None, nik: str | None
    ) -> Person:
        if name is not None:
            person = replace(person, name=person_name(name))
        if birth_date is not None:
            person = replace(person, birth_date=born(birth_date, today=self._clock().date()))
        if nik is not None:
            number = Nik.typed(nik, samples=self._policy.sample_niks)
            holder = PersonTable(tx).by_nik(self._profiles.nik_fingerprint(number))
            if holder is not None and holder.id != person.id:
                raise NikTaken(may_displace=False)
            person = replace(person, nik=number)
        # A registered birth date may differ from the one in the number, but a new number must agree.
        if (
            nik is not None
            and person.nik
            and person.birth_date
            and not person.nik.agrees_with(person.birth_date)
        ):
            raise PersonDataInvalid("birth_date", "The birth date is not the one in the NIK. Compare both.")
        return person

    def _request(self, tx: Connection, request_id: str, kind: RequestKind | None = None) -> PrivacyRequest:
        stored = RequestTable(tx).get(request_id)
        if stored is None or (kind is not None and stored.request.kind is not kind):
            raise PrivacyRequestUnknown
        return stored.request

    def _close(
        self,
        tx: Connection,
        request: PrivacyRequest,
        state: RequestState,
        *,
        actor: str,
        refusal: Refusal | None = None,
    ) -> None:
        now = self._clock()
        if not RequestTable(tx).close(request.id, state, at=now, decided_by=actor, refusal=refusal):
            raise PrivacyRequestClosed
        if state is not RequestState.TAKEN_BACK:
            _, person = self._load(tx, request.person_id)
            self._mail(tx, person.confirmed_email, "privacy_answered", person.language)
        self._note(tx, f"privacy.{state}", actor, replace(request, refusal=refusal))

    def _answered_at_once(
        self, tx: Connection, person_id: str, kind: RequestKind, *, target: str = ""
    ) -> PrivacyRequest:
        self._hold(tx, person_id)
        now = self._clock()
        request = PrivacyRequest(
            id=new_request_id(),
            person_id=person_id,
            kind=kind,
            state=RequestState.ANSWERED,
            target=target,
            received_at=now,
            due_at=now + self._privacy.answer_within,
            closed_at=now,
            decided_by=person_id,
        )
        RequestTable(tx).add(request, None)
        self._note(tx, "privacy.answered", person_id, request)
        return request

    def _unfinished(self, due_before: datetime | None, most: int) -> list[PrivacyRequest]:
        with self._read() as tx:
            found = RequestTable(tx).unfinished(due_before=due_before, most=most)
            return [self._opened(stored) for stored in found]

    def _opened(self, stored: StoredRequest) -> PrivacyRequest:
        if stored.sealed_details is None:
            return stored.request
        text = self._vault.open(SEALED, stored.sealed_details, context=stored.request.id)
        return replace(stored.request, details=text.decode())


def _exported(request: PrivacyRequest) -> dict[str, object]:
    return {
        "id": request.id,
        "kind": request.kind.value,
        "state": request.state.value,
        "target": request.target,
        "received_at": request.received_at.isoformat(),
        "due_at": request.due_at.isoformat(),
        "closed_at": request.closed_at and request.closed_at.isoformat(),
        "refusal": request.refusal and request.refusal.value,
        "details": request.details,
    }
