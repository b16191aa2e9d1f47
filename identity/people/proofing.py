"""How sure we are who somebody is: by a visit to a counter (ial2), or by the population registry (ial1).

One NIK belongs to one account. What weighs more wins: a visit takes a NIK away from an account that only the
registry confirmed, because whoever knows somebody's number, name and birth date passes there too. Never the
other way round.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import Connection

from identity.errors import RegistryUnavailable
from identity.people.codes import CodePurpose, hash_code
from identity.people.details import born, email_address, person_name, preferred_language
from identity.people.errors import (
    CodeInvalid,
    NikTaken,
    PersonChanged,
    PersonDataInvalid,
    PersonStateForbids,
    ProofingRefused,
    TooManyProofings,
)
from identity.people.jobs import PeopleJobs
from identity.people.model import Person, PersonState, ProofingLevel, new_person_id
from identity.people.nik import Nik
from identity.people.reverting import Asking, asking_payload
from identity.people.tables import AttemptTable, CodeTable, PersonRecord, PersonTable


@dataclass(frozen=True, slots=True)
class Opened:
    """An account opened at a counter. ``activation_code`` exists nowhere else: print it and forget it.

    None when it was sent to the citizen's mailbox instead, so that the officer never sees it.
    """

    person: Person
    activation_code: str | None

    def __repr__(self) -> str:
        return f"Opened(person={self.person.id!r}, activation_code=<hidden>)"


class Proofing(PeopleJobs):
    """A part of :class:`identity.people.service.People`."""

    def open_proofed(
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
        """An officer who has the citizen and the identity card at hand opens an account at ial2.

        ``send`` mails the activation code instead of returning it. ``displace`` takes the NIK from an account
        that was never proofed at a counter, whose holder is told. The address counts as theirs only after
        a code that was mailed to it came back. Raises ``PersonDataInvalid`` (``NikInvalid``) or ``NikTaken``.
        """
        # 1. The form; the number and the date have to be of one person.
        number = self._nik(nik)
        name, language = person_name(name), preferred_language(language)
        mailbox = None if email is None else email_address(email)
        if send and mailbox is None:
            raise PersonDataInvalid("email", "There is no address to send the code to. Print it instead.")
        _agree(number, self._born(birth_date))
        # 2. The person to be.
        now = self._clock()
        person = Person(
            id=new_person_id(),
            state=PersonState.INVITED,
            proofing=ProofingLevel.IAL2,
            language=language,
            name=name,
            email=mailbox,
            email_confirmed_at=None,
            nik=number,
            birth_date=birth_date,
            created_at=now,
        )
        record = self._profiles.record(person, now=now)

        def job(tx: Connection) -> Opened:
            # 3. One NIK, one account.
            assert record.nik_fingerprint is not None
            holder = PersonTable(tx).by_nik(record.nik_fingerprint)
            if holder is not None:
                self._displace(tx, holder, is_wanted=displace)
            # 4. The account and its code.
            PersonTable(tx).add(record)
            code = self._invite(tx, person, send=send)
            if holder is not None:
                for lowered in self._lowered:
                    lowered(tx, holder.id)
                self._audit.append(tx, action="person.proofing_lost", actor=officer_id, subject=holder.id)
            self._audit.append(
                tx,
                action="person.opened_at_counter",
                actor=officer_id,
                subject=person.id,
                facts={"code": "sent" if send else "printed", "proofing": person.proofing.value},
            )
            return Opened(person, code)

        return self._settle(job)

    def invite_again(self, *, officer_id: str, person_id: str, send: bool = False) -> Opened:
        """A new activation code for somebody whom the officer has seen again; older ones are void.

        An account that was open closes until the code is used. Its factors are the caller's to remove first.
        Raises ``PersonUnknown`` or ``PersonStateForbids``.
        """

        def job(tx: Connection) -> Opened:
            record, person = self._hold(tx, person_id)
            if person.proofing is not ProofingLevel.IAL2:
                raise PersonStateForbids(
                    "This account was never proofed at a counter. Open a proofed account for the citizen."
                )
            if send and person.email is None:
                raise PersonDataInvalid("email", "There is no address to send the code to. Print it instead.")
            if person.state is not PersonState.INVITED:
                person.require_move(PersonState.INVITED)
                person = replace(person, state=PersonState.INVITED)
                self._store(tx, record, person)
                self.end_access(tx, person_id)
            code = self._invite(tx, person, send=send)
            self._audit.append(
                tx,
                action="person.invited_again",
                actor=officer_id,
                subject=person_id,
                facts={"code": "sent" if send else "printed"},
            )
            return Opened(person, code)

        return self._settle(job)

    def activate(self, code: str) -> Person:
        """The code from the counter: the account is REGISTERED now, and its factors are to be set up.

        Of many at once exactly one succeeds. A code that was mailed also shows that the mailbox is theirs.
        Raises :class:`identity.people.errors.CodeInvalid`.
        """

        def job(tx: Connection) -> Person:
            claimed, payload = self._claimed(tx, code, CodePurpose.ACTIVATION)
            assert claimed.person_id is not None
            record, person = self._hold(tx, claimed.person_id)
            if person.state is not PersonState.INVITED:
                raise CodeInvalid
            now = self._clock()
            changed = replace(person, state=PersonState.REGISTERED)
            if payload["email"] and payload["email"] == person.email and self._is_free(tx, person):
                changed = replace(changed, email_confirmed_at=now)
            self._store(tx, record, changed, now=now)
            self._audit.append(tx, action="person.activated", actor=person.id, subject=person.id)
            return changed

        return self._settle(job)

    def attach(self, person_id: str, code: str) -> Person:
        """Somebody who is logged in enters the code from the counter: their account becomes the proofed one.

        The account that the officer opened disappears into it. Raises ``CodeInvalid``, ``PersonUnknown`` or
        ``PersonStateForbids``.
        """

        def job(tx: Connection) -> Person:
            code_hash = hash_code(code)
            if code_hash is not None:
                self._hold_for(tx, code_hash, person_id)
            record, person = self._hold(tx, person_id)
            if person.state is not PersonState.ACTIVE or person.proofing is ProofingLevel.IAL2:
                raise PersonStateForbids(
                    "This account cannot take over a proofed one: it is not active, or was proofed itself."
                )
            claimed, _ = self._claimed(tx, code, CodePurpose.ACTIVATION)
            assert claimed.person_id is not None
            opened_record, opened = self._hold(tx, claimed.person_id)
            if opened.state is not PersonState.INVITED or opened.activated_at is not None:
                raise CodeInvalid
            # The row that gives the NIK away lets go of it first: it is unique at every moment.
            self._erase(tx, opened_record)
            changed = replace(
                person,
                proofing=ProofingLevel.IAL2,
                name=opened.name,
                nik=opened.nik,
                birth_date=opened.birth_date,
            )
            self._store(tx, record, changed)
            self._mail(tx, changed.confirmed_email, "proofing_raised", changed.language)
            self._audit.append(
                tx,
                action="person.proofed",
                actor=person_id,
                subject=person_id,
                facts={"proofing": changed.proofing.value, "opened": opened.id},
            )
            return changed

        return self._settle(job)

    def prove_by_registry(self, person_id: str, *, nik: str, name: str, birth_date: date) -> Person:
        """Have the population registry confirm who somebody says they are: the account becomes ial1.

        A refusal never says why, nor whether another account holds the NIK; that account is told. Raises
        ``PersonDataInvalid``, ``PersonUnknown``, ``PersonStateForbids``, ``ProofingRefused``,
        ``TooManyProofings`` or :class:`identity.errors.RegistryUnavailable`.
        """
        # 1. The form.
        number, name = self._nik(nik), person_name(name)
        _agree(number, self._born(birth_date))
        if self._registry is None:
            raise RegistryUnavailable(
                "No population registry is connected. Have the account confirmed at a counter."
            )
        # 2. Count the question before it is asked: many at once must not all be the first.
        question = f"proofing-{secrets.token_hex(12)}"
        self._settle(lambda tx: self._count_question(tx, person_id, question))
        # 3. Ask, with no transaction open: the registry may take seconds.
        try:
            answer = self._registry.confirm(nik=number.reveal(), name=name, birth_date=birth_date)
        except RegistryUnavailable:
            self._settle(lambda tx: AttemptTable(tx).remove(question))
            raise

        # 4. Decide.
        def job(tx: Connection) -> Person | None:
            record, person = self._hold(tx, person_id)
            _require_unproofed(person)
            holder = PersonTable(tx).by_nik(self._profiles.nik_fingerprint(number))
            if answer.confirms and holder is None:
                changed = replace(
                    person, proofing=ProofingLevel.IAL1, name=name, nik=number, birth_date=birth_date
                )
                self._store(tx, record, changed)
                self._mail(tx, changed.confirmed_email, "proofing_raised", changed.language)
                self._audit.append(
                    tx,
                    action="person.proofed",
                    actor=person_id,
                    subject=person_id,
                    facts={"proofing": changed.proofing.value},
                )
                return changed
            if answer.confirms and holder is not None:
                other = self._profiles.person(holder)
                self._mail(tx, other.confirmed_email, "nik_tried_elsewhere", other.language)
            self._audit.append(tx, action="person.proofing_refused", actor=person_id, subject=person_id)
            return None

        proofed = self._settle(job)
        if proofed is None:  # raised here, so that the notice and the audit entry are kept
            raise ProofingRefused
        return proofed

    # --- parts of the jobs ---------------------------------------------------------------------------

    def _nik(self, text: str) -> Nik:
        return Nik.typed(text, samples=self._policy.sample_niks)

    def _born(self, birth_date: date) -> date:
        return born(birth_date, today=self._clock().date())

    def _invite(self, tx: Connection, person: Person, *, send: bool) -> str | None:
        code = self._made_code()
        CodeTable(tx).withdraw(person.id, CodePurpose.ACTIVATION, self._clock())
        CodeTable(tx).add(
            self._code_record(
                code,
                CodePurpose.ACTIVATION,
                {"email": person.email if send and person.email else ""},
                lifetime=self._policy.activation_code_lifetime,
                person_id=person.id,
            )
        )
        if not send:
            return code.text
        self._mail(tx, person.email, "activation", person.language, {"code": code.text})
        return None

    def _displace(self, tx: Connection, holder: PersonRecord, *, is_wanted: bool) -> None:
        record, person = self._hold(tx, holder.id)
        may_displace = person.proofing is not ProofingLevel.IAL2
        if not (may_displace and is_wanted):
            raise NikTaken(may_displace=may_displace)
        if record.nik_fingerprint != holder.nik_fingerprint:
            raise PersonChanged
        changed = replace(person, proofing=ProofingLevel.IAL0, nik=None, birth_date=None)
        self._store(tx, record, changed)
        self._mail(tx, person.confirmed_email, "proofing_lost", person.language)

    def _is_free(self, tx: Connection, person: Person) -> bool:
        assert person.email is not None
        holder = PersonTable(tx).by_email(self._profiles.email_fingerprint(person.email))
        return holder is None or holder.id == person.id

    def _ask_mailbox(self, tx: Connection, person: Person) -> None:
        """Send an address that was only written down at the counter a code, unless it is somebody else's.

        Not before the account is complete: the officer may have misspelt it, and whoever reads that mail must
        not come near an account whose factors are still to be set up.
        """
        if person.email is None or person.confirmed_email is not None or not self._is_free(tx, person):
            return
        slot = self._mail_slot(tx, self._profiles.email_fingerprint(person.email))
        if slot is None:
            return
        code = self._made_code()
        CodeTable(tx).add(
            self._code_record(
                code,
                CodePurpose.EMAIL,
                {"email": person.email} | asking_payload(Asking(self._clock(), ())),
                lifetime=self._policy.email_code_lifetime,
                person_id=person.id,
                slot=slot,
            )
        )
        self._mail(tx, person.email, "email_change", person.language, {"code": code.text})

    def _count_question(self, tx: Connection, person_id: str, question: str) -> None:
        record, person = self._hold(tx, person_id)
        _require_unproofed(person)
        now, window = self._clock(), self._policy.proofings_window
        asked = AttemptTable(tx).since(person_id, now - window)
        if len(asked) >= self._policy.proofings:
            raise TooManyProofings(retry_after=_seconds_until(asked[-self._policy.proofings] + window, now))
        AttemptTable(tx).add(question, person_id, now)
        self._store(tx, record, person)  # one at a time: whoever counted the same questions counts again


def _agree(nik: Nik, birth_date: date) -> None:
    if not nik.agrees_with(birth_date):
        raise PersonDataInvalid(
            "birth_date", "The birth date is not the one in the NIK. Compare both with the identity card."
        )


def _require_unproofed(person: Person) -> None:
    if person.state is not PersonState.ACTIVE or person.proofing is not ProofingLevel.IAL0:
        raise PersonStateForbids("This account is not active, or was confirmed before.")


def _seconds_until(moment: datetime, now: datetime) -> int:
    return max(1, round((moment - now).total_seconds()))
