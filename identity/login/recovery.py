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

import hashlib
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from identity.factors.model import FactorKind
from identity.login.devices import device_name
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
    RecoveryState,
    Secret,
    new_id,
    secret_hash,
)
from identity.login.recovery_jobs import known_code
from identity.login.recovery_tables import cancel_recoveries
from identity.login.restoring import Restoring
from identity.login.ripening import Ripening
from identity.login.tables import HalfSessionTable
from identity.login.throttle import Charge, Key, address_charge
from identity.people.codes import hash_code, new_code
from identity.people.model import Person, PersonState

_NOBODY: Final = "nobody@absah.invalid"
"""RFC 2606: a domain that never exists, for a mail that is never sent."""
_TOLD: Final = frozenset({RecoveryState.WAITING, RecoveryState.READY})
_RECOVERABLE: Final = frozenset({PersonState.ACTIVE, PersonState.REGISTERED})


class Recoveries(Restoring, Ripening):
    """By oneself; what it stands on is :class:`identity.login.recovery_jobs.RecoveryJobs`.

    ``Restoring`` holds what an officer does, ``Ripening`` the waiting time.
    """

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
                recovery, code_hash=known_code(code), cancel_hash=_hash(self._cancel_code(recovery.id))
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
        with self._begin() as tx:
            recovery = self._table(tx).by_code(hashed)
            if recovery is None or recovery.person_id is None or recovery.expires_at <= now:
                raise LinkGone
            person = self._people.hold(tx, recovery.person_id)
            if person is None or person.state not in _RECOVERABLE:
                raise LinkGone
            # 2. After the waiting time: what there was is taken away, and set up anew.
            if recovery.state is RecoveryState.READY:
                self._require_self_service(person)  # they may have been at a counter since
                return self._finish(tx, recovery, person.id, tuple(FactorKind), "waited")
            # 3. Nothing was ever complete: the mailbox is all that there is to prove.
            if person.state is PersonState.REGISTERED:
                self._require_self_service(person)
                return self._finish(tx, recovery, person.id, (), "mailed")
            # 4. Otherwise one more proof is asked for.
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
            held = self._people.hold(tx, person.id)
            if held is None or held.state not in _RECOVERABLE:
                raise AccountSuspended
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
            self._people.hold(tx, recovery.person_id)
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
            self._people.hold(tx, person_id)
            self._cancel(tx, person_id)

    # --- inside --------------------------------------------------------------------------------------

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


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
