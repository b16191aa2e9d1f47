"""Who has an account here: the one door for everybody else in `identity` and for the pages."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from sqlalchemy import Connection

from identity.people.details import email_address, preferred_language
from identity.people.errors import NikInvalid, PersonDataInvalid, PersonStateForbids, PersonUnknown
from identity.people.mailboxes import Mailboxes
from identity.people.model import Person, PersonState
from identity.people.nik import Nik
from identity.people.proofing import Opened, Proofing
from identity.people.tables import PersonTable

__all__ = ["Opened", "People", "SuspensionReason"]


class SuspensionReason(StrEnum):
    """Why an account was closed for now. A word of this list: free text would hold personal data."""

    REPORTED = "reported"  # its holder, or somebody for them, says that others use it
    FRAUD = "fraud"
    DECEASED = "deceased"
    BY_ORDER = "by_order"  # of a court or an authority


class People(Mailboxes, Proofing):
    """Accounts of people. See :class:`identity.people.jobs.PeopleJobs` for what it stands on.

    ``Mailboxes`` holds registration and addresses, ``Reverting`` the way back of a mailbox that was replaced,
    ``Proofing`` counters and the population registry.
    """

    def find(self, identifier: str) -> Person | None:
        """Whoever logs in as this NIK or confirmed e-mail address; None when nobody does. Raises nothing.

        The state is the caller's to look at: only ACTIVE people log in.
        """
        fingerprint, by_nik = self._fingerprint(identifier)
        if fingerprint is None:
            return None
        with self._read() as tx:
            table = PersonTable(tx)
            record = table.by_nik(fingerprint) if by_nik else table.by_email(fingerprint)
        return None if record is None else self._profiles.person(record)

    def fingerprint_of(self, identifier: str) -> bytes | None:
        """What :meth:`find` looks for: one value for all spellings, whether anybody is known by it or not.

        None for what can be nobody's identifier.
        """
        fingerprint, _ = self._fingerprint(identifier)
        return fingerprint

    def get(self, person_id: str) -> Person:
        """Raises :class:`identity.people.errors.PersonUnknown`, for erased people too."""
        with self._read() as tx:
            _, person = self._load(tx, person_id)
        return person

    def by_nik(self, nik: Nik) -> Person | None:
        """Whose number this is here."""
        with self._read() as tx:
            record = PersonTable(tx).by_nik(self._profiles.nik_fingerprint(nik))
        return None if record is None else self._profiles.person(record)

    def complete(self, person_id: str) -> Person:
        """Factors are set up: the account is ACTIVE from now on. Repeating it changes nothing.

        An address that was only written down at the counter is now sent a code, to find out whose it is.
        Raises ``PersonUnknown`` or ``PersonStateForbids``.
        """

        def job(tx: Connection) -> Person:
            record, person = self._hold(tx, person_id)
            if person.state is PersonState.ACTIVE:
                return person
            if person.state is not PersonState.REGISTERED:
                raise PersonStateForbids("This account cannot be completed: its code was not used yet.")
            activated_at = person.activated_at or self._clock()
            changed = replace(person, state=PersonState.ACTIVE, activated_at=activated_at)
            self._store(tx, record, changed)
            self._mail(tx, changed.confirmed_email, "account_ready", changed.language)
            self._ask_mailbox(tx, changed)
            self._audit.append(tx, action="person.completed", actor=person_id, subject=person_id)
            return changed

        return self._settle(job)

    def choose_language(self, person_id: str, language: str) -> Person:
        """Of mails and pages. Raises ``PersonDataInvalid`` or ``PersonUnknown``."""
        language = preferred_language(language)

        def job(tx: Connection) -> Person:
            record, person = self._hold(tx, person_id)
            changed = replace(person, language=language)
            self._store(tx, record, changed)
            self._audit.append(
                tx,
                action="person.language_chosen",
                actor=person_id,
                subject=person_id,
                facts={"language": language},
            )
            return changed

        return self._settle(job)

    def suspend(self, person_id: str, *, actor: str, reason: SuspensionReason) -> Person:
        """Close an account for now, and end all that is open in its name.

        Raises ``PersonUnknown`` or ``PersonStateForbids``.
        """

        def job(tx: Connection) -> Person:
            record, person = self._hold(tx, person_id)
            person.require_move(PersonState.SUSPENDED)
            changed = replace(person, state=PersonState.SUSPENDED)
            self._store(tx, record, changed)
            self.end_access(tx, person_id)
            self._mail(tx, person.confirmed_email, "account_suspended", person.language)
            self._audit.append(
                tx, action="person.suspended", actor=actor, subject=person_id, facts={"reason": reason.value}
            )
            return changed

        return self._settle(job)

    def resume(self, person_id: str, *, actor: str) -> Person:
        """Open a suspended account as far as it was. Raises ``PersonUnknown`` or ``PersonStateForbids``."""

        def job(tx: Connection) -> Person:
            record, person = self._hold(tx, person_id)
            target = PersonState.REGISTERED if person.activated_at is None else PersonState.ACTIVE
            if person.state is not PersonState.SUSPENDED:
                raise PersonStateForbids("This account is not suspended. There is nothing to resume.")
            changed = replace(person, state=target)
            self._store(tx, record, changed)
            self._mail(tx, changed.confirmed_email, "account_resumed", changed.language)
            self._audit.append(tx, action="person.resumed", actor=actor, subject=person_id)
            return changed

        return self._settle(job)

    def held(self, person_id: str) -> dict[str, object]:
        """All that this part holds about somebody (:data:`identity.ports.HeldData`)."""
        try:
            person = self.get(person_id)
        except PersonUnknown:
            return {}
        return {
            "id": person.id,
            "state": person.state.value,
            "proofing": person.proofing.value,
            "language": person.language,
            "name": person.name,
            "email": person.email,
            "email_confirmed_at": person.email_confirmed_at and person.email_confirmed_at.isoformat(),
            "nik": person.nik and person.nik.reveal(),
            "birth_date": person.birth_date and person.birth_date.isoformat(),
            "created_at": person.created_at.isoformat(),
            "activated_at": person.activated_at and person.activated_at.isoformat(),
        }

    def _fingerprint(self, identifier: str) -> tuple[bytes | None, bool]:
        try:
            nik = Nik.typed(identifier, samples=self._policy.sample_niks)
        except NikInvalid:
            pass
        else:
            return self._profiles.nik_fingerprint(nik), True
        try:
            return self._profiles.email_fingerprint(email_address(identifier)), False
        except PersonDataInvalid:
            return None, False
