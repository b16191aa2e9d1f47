"""Getting back in after losing a factor. A mail alone gives nothing back; what is asked beside it decides.

::

    lost                      asked for beside the mailed code       and then
    the password              app or passkey                         a new password, at once
    password and app          a recovery code                        everything anew, after a waiting time
    everything                an officer and the identity card       everything anew, with a code from them

The second app or phone is no recovery at all: whoever has a recovery code beside the password, or another
passkey, logs in with it and sets up what is missing. During the waiting time the person is told again and
again, and every mail can stop it; so can whoever is logged in (NIST SP 800-63B-4, 4.2).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from identity.factors.model import FactorKind
from identity.factors.service import Factors
from identity.login.devices import Places, device_name
from identity.login.errors import AccountSuspended, HalfSessionGone, LinkGone, RecoveryNeedsOfficer
from identity.login.jobs import LONGEST_IDENTIFIER, moment
from identity.login.model import (
    SECOND_FACTORS,
    Answer,
    Device,
    HalfSession,
    Purpose,
    Recovering,
    Recovery,
    RecoveryPolicy,
    RecoveryState,
    Secret,
    new_id,
    secret_hash,
)
from identity.login.recovery_tables import (
    RecoveryTable,
    cancel_recoveries,
    forget_old_recoveries,
)
from identity.login.service import Login
from identity.login.sessions import Sessions
from identity.login.tables import HalfSessionTable, Origins
from identity.login.throttle import Charge, Key, Throttle, address_charge
from identity.people.codes import hash_code, new_code
from identity.people.errors import PersonStateForbids, PersonUnknown
from identity.people.model import Person, PersonState, ProofingLevel
from identity.people.proofing import Opened
from identity.people.service import People
from identity.ports import AuditTrail, Begin, Clock, Contacts, Outbox, PersonHook, Vault

_BATCH: Final = 100
_NOBODY: Final = "nobody@absah.invalid"
"""RFC 2606: a domain that never exists, for a mail that is never sent."""
_TOLD: Final = frozenset({RecoveryState.WAITING, RecoveryState.READY})
_RECOVERABLE: Final = frozenset({PersonState.ACTIVE, PersonState.REGISTERED})


class Recoveries:
    """Safe to share between threads and processes. ``setup_lifetime`` is that of ``LoginPolicy``.

    ``given_back`` hear of accounts that came back without a passkey, in the transaction that gives them back:
    what only a passkey may open has to be vouched for anew.
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
        contacts: Contacts,
        people: People,
        factors: Factors,
        sessions: Sessions,
        throttle: Throttle,
        login: Login,
        places: Places | None = None,
        policy: RecoveryPolicy | None = None,
        given_back: Sequence[PersonHook] = (),
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._vault = vault
        self._origins = Origins(vault)
        self._outbox = outbox
        self._contacts = contacts
        self._people = people
        self._factors = factors
        self._sessions = sessions
        self._throttle = throttle
        self._login = login
        self._places = places or Places()
        self._policy = policy or RecoveryPolicy()
        self._given_back = tuple(given_back)

    # --- by oneself ----------------------------------------------------------------------------------

    def start(self, identifier: str, device: Device) -> None:
        """Mail a code to the confirmed address of the account, if there is one. Nobody learns whether.

        Raises :class:`identity.login.errors.LoginDelayed` when too many were asked for.
        """
        # 1. Whose account; unknown ones are counted and recorded like known ones.
        named = self._login.named(identifier)
        person = self._people.find(identifier[:LONGEST_IDENTIFIER])
        # 2. Nobody has somebody else's mailbox filled in our name.
        self._throttle.take(Charge(Key.MAIL, named), address_charge(device.address))
        now, code = self._clock(), new_code()
        if person is not None and (person.state not in _RECOVERABLE or person.confirmed_email is None):
            person = None
        recovery = Recovery(
            id=new_id(),
            person_id=person.id if person else None,
            state=RecoveryState.MAILED,
            device=device_name(device.user_agent),
            place=self._places.of(device.address),
            created_at=now,
            expires_at=now + self._policy.code_lifetime,
        )
        with self._begin() as tx:
            # 3. The attempt, and its code on the way to the mailbox.
            self._table(tx).add(
                recovery, code_hash=_known_code(code), cancel_hash=_hash(self._cancel_code(recovery.id))
            )
            # 4. For nobody the same is written, and unwritten: the work must not tell who is known.
            to = person.confirmed_email if person is not None else None
            with tx.begin_nested() as written:
                self._outbox.queue(
                    tx,
                    to=to or _NOBODY,
                    template="recovery_code",
                    language=person.language if person else "id",
                    values={"code": code},
                )
                if person is None:
                    written.rollback()

    def confirm(self, code: str) -> Recovering:
        """The mailed code came back, or the one that ends the waiting time.

        Goes on in a half session for RECOVERY (see :meth:`offered`) or for SETUP. Raises
        :class:`identity.login.errors.LinkGone` or ``RecoveryNeedsOfficer``.
        """
        # 1. Whose code it is, and whether they may recover at all.
        hashed, now = hash_code(code), self._clock()
        if hashed is None:
            raise LinkGone
        with self._read() as tx:
            recovery = self._table(tx).by_code(hashed)
        if recovery is None or recovery.person_id is None or recovery.expires_at <= now:
            raise LinkGone
        person = self._recoverable(recovery.person_id)
        # 2. After the waiting time: what there was is taken away, and set up anew.
        if recovery.state is RecoveryState.READY:
            self._require_self_service(person)  # they may have been at a counter since
            with self._begin() as tx:
                return self._finish(tx, recovery, person.id, tuple(FactorKind), "waited")
        # 3. Nothing was ever complete: the mailbox is all that there is to prove.
        if person.state is PersonState.REGISTERED:
            self._require_self_service(person)
            with self._begin() as tx:
                return self._finish(tx, recovery, person.id, (), "mailed")
        # 4. Otherwise one more proof is asked for.
        with self._begin() as tx:
            if not self._table(tx).move(
                recovery, RecoveryState.CONFIRMED, expires_at=now + self._policy.proving_lifetime
            ):
                raise LinkGone
            recovering = self._half(tx, person.id, Purpose.RECOVERY, recovery.id)
            self._audit.append(tx, action="recovery.confirmed", actor=person.id, subject=person.id)
        return recovering

    def offered(self, half_secret: str | None) -> tuple[FactorKind, ...]:
        """What may be answered beside the mail; empty where only an officer can help.

        Raises :class:`identity.login.errors.HalfSessionGone`.
        """
        half = self._login.half_session(half_secret, Purpose.RECOVERY)
        held = {factor.kind for factor in self._factors.of(half.person_id) if factor.left != 0}
        if self._needs_officer(self._people.get(half.person_id)):
            held.discard(FactorKind.RECOVERY_CODE)
        return tuple(kind for kind in SECOND_FACTORS if kind in held)

    def prove(self, half_secret: str | None, answer: Answer, device: Device) -> Recovering | Recovery:
        """Answer with what is left. An app or a passkey leads to a half session for SETUP, at once.

        A recovery code leads to a :class:`identity.login.model.Recovery` that waits until its ``ready_at``.

        Raises ``HalfSessionGone``, ``AnswerRefused``, ``LoginDelayed``, ``AccountSuspended``,
        ``RecoveryNeedsOfficer`` or ``PasswordsBusy``.
        """
        # 1. The half session, and the recovery behind it.
        half = self._login.half_session(half_secret, Purpose.RECOVERY)
        person = self._people.get(half.person_id)
        if person.state not in _RECOVERABLE:
            raise AccountSuspended
        # 2. A recovery code in place of both factors is not for everybody; say so before it is used up.
        if answer.kind is FactorKind.RECOVERY_CODE:
            self._require_self_service(person)
        # 3. Pay, and look at the answer.
        ticket = self._login.answered(person.id, answer, device)
        with self._begin() as tx:
            recovery = self._table(tx).get(half.recovery_id or "")
            if recovery is None or recovery.state is not RecoveryState.CONFIRMED:
                raise HalfSessionGone
            if not HalfSessionTable(tx).use(half.id):
                raise HalfSessionGone
            self._throttle.give_back(tx, ticket, clear={Key.FACTOR, Key.DEVICE})
            # 4. Wait and tell, or go on with everything but the password in place.
            if answer.kind is FactorKind.RECOVERY_CODE:
                return self._wait(tx, recovery, person.id)
            return self._finish(tx, recovery, person.id, (FactorKind.PASSWORD,), answer.kind.value)

    def is_cancellable(self, code: str) -> bool:
        """Whether the link from a notice still stops something, for the page that asks before it acts."""
        hashed = secret_hash(code)
        with self._read() as tx:
            recovery = self._table(tx).by_cancel(hashed) if hashed else None
        return recovery is not None and recovery.state in _TOLD

    def cancel(self, code: str) -> None:
        """Stop it, with the link from a notice. Raises :class:`identity.login.errors.LinkGone`."""
        hashed = secret_hash(code)
        if hashed is None:
            raise LinkGone
        with self._begin() as tx:
            recovery = self._table(tx).by_cancel(hashed)
            if recovery is None or recovery.person_id is None or recovery.state not in _TOLD:
                raise LinkGone
            self._cancel(tx, recovery.person_id)

    def pending(self, person_id: str) -> Recovery | None:
        """What waits, or could be finished: to be shown to whoever logs in meanwhile."""
        now = self._clock()
        with self._read() as tx:
            found = self._table(tx).announced_of(person_id)
        return next((recovery for recovery in found if recovery.expires_at > now), None)

    def cancel_pending(self, person_id: str) -> None:
        """Stop it, from a session of the person. Raises :class:`identity.login.errors.LinkGone`."""
        with self._begin() as tx:
            self._cancel(tx, person_id)

    # --- with an officer -----------------------------------------------------------------------------

    def by_officer(self, *, officer_id: str, person_id: str, send: bool = False) -> Opened:
        """An officer has the citizen and the identity card at hand: everything is set up anew, with a code.

        Raises ``PersonUnknown``, ``PersonStateForbids`` or ``PersonDataInvalid`` as
        :meth:`identity.people.service.People.invite_again` does, before anything is taken away.
        """
        person = self._people.get(person_id)
        if person.proofing is not ProofingLevel.IAL2 or person.state is PersonState.SUSPENDED:
            raise PersonStateForbids(
                "Only an account that was proofed at a counter and is not suspended is given back there."
            )
        with self._begin() as tx:
            self._sessions.end_access(tx, person_id)
            self._factors.drop(tx, person_id)
            self._notice(tx, person_id, "recovery_done", {"when": moment(self._clock())})
            self._audit.append(tx, action="recovery.by_officer", actor=officer_id, subject=person_id)
        # A crash in between leaves an account that nobody can open; the officer repeats this.
        return self._people.invite_again(officer_id=officer_id, person_id=person_id, send=send)

    # --- upkeep --------------------------------------------------------------------------------------

    def remind(self) -> int:
        """Tell those who wait, or that the waiting is over. Returns how many mails; each is sent once."""
        now, told = self._clock(), 0
        with self._read() as tx:
            due = self._table(tx).due(now, _BATCH)
        for recovery, at in due:
            assert recovery.person_id is not None
            assert recovery.ready_at is not None
            with self._begin() as tx:
                if recovery.ready_at > now:
                    then = min(recovery.ready_at, now + self._policy.reminder)
                    if self._table(tx).remind_next(recovery.id, due=at, then=then):
                        self._warn(tx, recovery)
                        told += 1
                elif self._ripen(tx, recovery, recovery.person_id, now):
                    told += 1
        return told

    def forget_over(self) -> int:
        """Attempts that were over long ago. Returns how many."""
        with self._begin() as tx:
            return forget_old_recoveries(tx, self._clock() - self._policy.keep)

    # --- inside --------------------------------------------------------------------------------------

    def _table(self, tx: Connection) -> RecoveryTable:
        return RecoveryTable(tx, self._origins)

    def _recoverable(self, person_id: str) -> Person:
        try:
            person = self._people.get(person_id)
        except PersonUnknown as cause:
            raise LinkGone from cause
        if person.state not in _RECOVERABLE:
            raise LinkGone
        return person

    def _needs_officer(self, person: Person) -> bool:
        return person.proofing.value in self._policy.officer_only

    def _require_self_service(self, person: Person) -> None:
        if self._needs_officer(person):
            raise RecoveryNeedsOfficer

    def _wait(self, tx: Connection, recovery: Recovery, person_id: str) -> Recovery:
        now = self._clock()
        ready_at = now + self._policy.waiting
        # One at a time: a notice must not speak of one recovery while another one ripens.
        waiting = replace(
            recovery,
            state=RecoveryState.WAITING,
            ready_at=ready_at,
            expires_at=ready_at + self._policy.ready_lifetime,
        )
        moved = self._table(tx).move(
            recovery,
            RecoveryState.WAITING,
            ready_at=ready_at,
            remind_at=min(ready_at, now + self._policy.reminder),
            expires_at=waiting.expires_at,
        )
        if not moved:
            raise HalfSessionGone
        cancel_recoveries(tx, person_id, but=recovery.id)
        self._warn(tx, waiting)
        self._audit.append(
            tx,
            action="recovery.waiting",
            actor=person_id,
            subject=person_id,
            facts={"until": moment(ready_at)},
        )
        return waiting

    def _ripen(self, tx: Connection, recovery: Recovery, person_id: str, now: datetime) -> bool:
        code, expires_at = new_code(), now + self._policy.ready_lifetime
        ripe = self._table(tx).move(
            recovery, RecoveryState.READY, code_hash=_known_code(code), expires_at=expires_at
        )
        if ripe:
            self._notice(tx, person_id, "recovery_ready", {"code": code, "until": moment(expires_at)})
        return ripe

    def _finish(
        self,
        tx: Connection,
        recovery: Recovery,
        person_id: str,
        lost: tuple[FactorKind, ...],
        proof: str,
    ) -> Recovering:
        """Take away what was lost, and let it be set up anew. The last acts of the transaction."""
        if not self._table(tx).move(recovery, RecoveryState.DONE):
            raise LinkGone
        self._people.end_access(tx, person_id)
        self._factors.drop(tx, person_id, lost)
        if proof != FactorKind.PASSKEY:
            for given_back in self._given_back:
                given_back(tx, person_id)
        recovering = self._half(tx, person_id, Purpose.SETUP, None)
        self._notice(tx, person_id, "recovery_done", {"when": moment(self._clock())})
        self._audit.append(
            tx, action="recovery.done", actor=person_id, subject=person_id, facts={"proof": proof}
        )
        return recovering

    def _half(self, tx: Connection, person_id: str, purpose: Purpose, recovery_id: str | None) -> Recovering:
        now, secret = self._clock(), Secret.new()
        half = HalfSession(
            new_id(), person_id, purpose, now, now + self._policy.proving_lifetime, recovery_id
        )
        HalfSessionTable(tx).add(half, secret.hash)
        return Recovering(secret.text, half)

    def _cancel(self, tx: Connection, person_id: str) -> None:
        if not cancel_recoveries(tx, person_id):
            raise LinkGone
        HalfSessionTable(tx).end_all(person_id, Purpose.RECOVERY)
        self._notice(tx, person_id, "recovery_cancelled", {"when": moment(self._clock())})
        self._audit.append(tx, action="recovery.cancelled", actor=person_id, subject=person_id)

    def _warn(self, tx: Connection, recovery: Recovery) -> None:
        assert recovery.person_id is not None
        assert recovery.ready_at is not None
        contact = self._contacts.of(tx, recovery.person_id)
        language = contact.language if contact else "id"
        values = {
            "code": self._cancel_code(recovery.id),
            "device": recovery.device.in_words(language),
            "place": recovery.place.in_words(language),
            "until": moment(recovery.ready_at),
        }
        self._notice(tx, recovery.person_id, "recovery_started", values)

    def _cancel_code(self, recovery_id: str) -> str:
        """The same in every notice, so that each of them can stop it; kept nowhere but as a hash."""
        derived = self._vault.fingerprint("recovery-cancel", recovery_id)
        return base64.urlsafe_b64encode(derived).rstrip(b"=").decode()

    def _notice(self, tx: Connection, person_id: str, template: str, values: dict[str, str]) -> None:
        contact = self._contacts.of(tx, person_id)
        if contact is not None and contact.email is not None:
            self._outbox.queue(
                tx, to=contact.email, template=template, language=contact.language, values=values
            )


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _known_code(code: str) -> bytes:
    hashed = hash_code(code)
    assert hashed is not None, "a code of our own making is a code"
    return hashed
