"""Accounts that begin with a mailbox, and mailboxes that change.

Whether an address is known is told to its mailbox only. Both answers do the same work: the same look-ups, one
sealed code, one row, one mail, one audit entry; the code of a known address is thrown away unseen.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from sqlalchemy import Connection

from identity.people.codes import CodePurpose
from identity.people.details import email_address, person_name, preferred_language
from identity.people.errors import CodeInvalid, PersonStateForbids
from identity.people.model import Person, PersonState, ProofingLevel, new_person_id
from identity.people.reverting import Asking, Reverting, asking_payload
from identity.people.tables import CodeRecord, CodeTable, PersonTable


class Mailboxes(Reverting):
    """A part of :class:`identity.people.service.People`."""

    def register(self, *, name: str, email: str, language: str) -> None:
        """Somebody without proof wants an account: send the mailbox a code, or the news that it has one.

        Same answer, status and time whether the address is known. Nothing is kept about an unknown address
        but the sealed request, until the code comes back. Raises ``PersonDataInvalid``.
        """
        # 1. The form.
        name, email, language = person_name(name), email_address(email), preferred_language(language)
        # 2. All the costly work, before anything is looked up.
        code, unseen = self._made_code(), self._made_code()
        address = self._profiles.email_fingerprint(email)
        request_id = f"registration-{secrets.token_hex(8)}"
        payload = {"request": request_id, "name": name, "email": email, "language": language}

        def job(tx: Connection) -> None:
            # 3. The same questions for everybody.
            known = PersonTable(tx).by_email(address)
            slot = self._mail_slot(tx, address)
            if slot is None:
                return
            may_begin = known is None or known.may_resume_by_mail
            # 4. The same work for everybody.
            made = self._code_record(
                code if may_begin else unseen,
                CodePurpose.REGISTRATION,
                payload,
                lifetime=self._policy.email_code_lifetime,
                slot=slot,
            )
            CodeTable(tx).add(made)
            # The name stays out of it: whoever filled in the form could write to strangers in our name.
            template = "registration" if may_begin else "registration_known"
            self._mail(tx, email, template, language, {"code": code.text} if may_begin else {})
            self._audit.append(tx, action="registration.requested", actor="anyone", subject=request_id)

        self._settle(job)

    def confirm_email(self, code: str) -> Person:
        """The code from a mail: makes the account, or the address of an existing account theirs.

        **Look at the state of the answer**: REGISTERED means that factors are to be set up now, by whoever
        holds this code; any other state means that an address was confirmed and nothing else may follow from
        it. Of many at once exactly one succeeds. Raises :class:`identity.people.errors.CodeInvalid`.
        """

        def job(tx: Connection) -> Person:
            record, payload = self._claimed(tx, code, CodePurpose.REGISTRATION, CodePurpose.EMAIL)
            if record.purpose is CodePurpose.EMAIL:
                return self._change_address(tx, record, payload)
            return self._begin_account(tx, payload)

        return self._settle(job)

    def change_email(self, person_id: str, email: str, *, asking: Asking | None = None) -> None:
        """Send the new mailbox a code and the old one a notice; the address changes when the code comes back.

        From then on the old mailbox can take it back for a while, and with it what the login in ``asking``
        set up: it may be a thief's. Same answer and time whether the address is somebody else's. Raises
        ``PersonDataInvalid``, ``PersonUnknown`` or ``PersonStateForbids``.
        """
        email = email_address(email)
        code, unseen = self._made_code(), self._made_code()
        address = self._profiles.email_fingerprint(email)
        payload = {"email": email} | asking_payload(asking or Asking(self._clock(), ()))

        def job(tx: Connection) -> None:
            _, person = self._hold(tx, person_id)
            if person.state is not PersonState.ACTIVE:
                raise PersonStateForbids(
                    "This account is not open at the moment. Ask at a counter for the reason."
                )
            holder = PersonTable(tx).by_email(address)
            slot = self._mail_slot(tx, address)
            if slot is None:
                return
            is_free = holder is None or holder.id == person_id
            CodeTable(tx).add(
                self._code_record(
                    code if is_free else unseen,
                    CodePurpose.EMAIL,
                    payload,
                    lifetime=self._policy.email_code_lifetime,
                    person_id=person_id,
                    slot=slot,
                )
            )
            template = "email_change" if is_free else "email_change_known"
            self._mail(tx, email, template, person.language, {"code": code.text} if is_free else {})
            self._mail(tx, person.confirmed_email, "email_change_notice", person.language)
            self._audit.append(tx, action="email.change_requested", actor=person_id, subject=person_id)

        self._settle(job)

    def _begin_account(self, tx: Connection, payload: dict[str, str]) -> Person:
        now = self._clock()
        found = PersonTable(tx).by_email(self._profiles.email_fingerprint(payload["email"]))
        if found is None:
            person = Person(
                id=new_person_id(),
                state=PersonState.REGISTERED,
                proofing=ProofingLevel.IAL0,
                language=payload["language"],
                name=payload["name"],
                email=payload["email"],
                email_confirmed_at=now,
                nik=None,
                birth_date=None,
                created_at=now,
            )
            PersonTable(tx).add(self._profiles.record(person, now=now))
            self._audit.append(
                tx,
                action="person.registered",
                actor=person.id,
                subject=person.id,
                facts={"request": payload["request"]},
            )
            return person
        # They began before and did not finish: a second code leads back to where they left off.
        if not found.may_resume_by_mail:
            raise CodeInvalid
        person = self._profiles.person(found)
        if person.proofing is ProofingLevel.IAL0:  # the name of others was proofed
            person = replace(person, name=payload["name"], language=payload["language"])
            self._store(tx, found, person)
        self._audit.append(
            tx,
            action="person.registration_continued",
            actor=person.id,
            subject=person.id,
            facts={"request": payload["request"]},
        )
        return person

    def _change_address(self, tx: Connection, code: CodeRecord, payload: dict[str, str]) -> Person:
        email = payload["email"]
        assert code.person_id is not None
        record, person = self._hold(tx, code.person_id)
        holder = PersonTable(tx).by_email(self._profiles.email_fingerprint(email))
        is_taken = holder is not None and holder.id != person.id
        if is_taken or person.state is not PersonState.ACTIVE:  # or a mailbox alone would lead to the set-up
            raise CodeInvalid
        changed = replace(person, email=email, email_confirmed_at=self._clock())
        self._store(tx, record, changed)
        CodeTable(tx).withdraw(person.id, CodePurpose.EMAIL, self._clock())
        if person.confirmed_email is not None and person.confirmed_email != email:
            self._offer_revert(tx, person, payload)
        self._audit.append(tx, action="email.changed", actor=person.id, subject=person.id)
        return changed
