"""What logging in and recovery share: their ports, half sessions, and answers that are paid for."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Connection

from identity.factors.errors import PasskeyRefused, PasswordsBusy
from identity.factors.model import FactorKind
from identity.factors.service import Factors
from identity.login.errors import AnswerRefused, HalfSessionGone
from identity.login.model import Answer, Device, HalfSession, LoginPolicy, Purpose, secret_hash
from identity.login.sessions import Sessions
from identity.login.tables import HalfSessionTable, KnownDeviceTable
from identity.login.throttle import Charge, Key, Throttle, Ticket, address_charge
from identity.people.service import People
from identity.ports import AuditTrail, Begin, Clock, Contacts, Outbox, Vault

log = structlog.get_logger(__name__)

LONGEST_IDENTIFIER: Final = 320


class LoginJobs:
    """``read`` opens read-only transactions. Safe to share between threads and processes."""

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
        policy: LoginPolicy | None = None,
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._vault = vault
        self._outbox = outbox
        self._contacts = contacts
        self._people = people
        self._factors = factors
        self._sessions = sessions
        self._throttle = throttle
        self._policy = policy or LoginPolicy()

    def half_session(self, half_secret: str | None, *purposes: Purpose) -> HalfSession:
        """The half session that ``half_secret`` stands for, begun for one of ``purposes``.

        Raises :class:`identity.login.errors.HalfSessionGone`.
        """
        hashed = secret_hash(half_secret)
        if hashed is None:
            raise HalfSessionGone
        with self._read() as tx:
            half = HalfSessionTable(tx).by_secret(hashed)
        if half is None or half.expires_at <= self._clock() or half.purpose not in purposes:
            raise HalfSessionGone
        return half

    def named(self, identifier: str) -> str:
        """What attempts on ``identifier`` are counted by: the same for all its spellings.

        Nobody who is known by it is looked for. An account that is found by two identifiers has two counts:
        a shared one would tell strangers that both are known here, and belong together.
        """
        fingerprint = self._people.fingerprint_of(identifier[:LONGEST_IDENTIFIER])
        if fingerprint is None:
            spelled = identifier[:LONGEST_IDENTIFIER].encode("utf-8", "replace").decode()
            fingerprint = self._vault.fingerprint("login", spelled)
        return fingerprint.hex()

    def answered(self, person_id: str, answer: Answer, device: Device) -> Ticket:
        """Pay for and look at a second answer; the ticket is to be given back where it leads on.

        Raises ``AnswerRefused``, ``LoginDelayed`` or ``PasswordsBusy``.
        """
        ticket = self._throttle.take(*self._answer_charges(person_id, answer.kind, device))
        try:
            right = self._is_right(person_id, answer)
        except PasswordsBusy:
            self._give_back(ticket)
            raise
        if not right:
            self._refused(answer.kind)
            raise AnswerRefused
        return ticket

    # --- inside --------------------------------------------------------------------------------------

    def _answer_charges(self, person_id: str, kind: FactorKind, device: Device) -> tuple[Charge, ...]:
        address = address_charge(device.address)
        if kind is FactorKind.PASSKEY:
            # A signature cannot be guessed; what is kept short is the work, per address.
            return (address,)
        return self._of_known(device, person_id) or (
            Charge(Key.ACCOUNT, person_id),
            Charge(Key.FACTOR, f"{person_id} {kind}"),
            address,
        )

    def _of_known(self, device: Device, person_id: str) -> tuple[Charge, ...]:
        """The one key of a device that the person logged in from before, instead of all others."""
        hashed, since = secret_hash(device.known), self._clock() - self._policy.device_lifetime
        if hashed is None:
            return ()
        with self._read() as tx:
            if not KnownDeviceTable(tx).knows(hashed, person_id, used_since=since):
                return ()
        return (Charge(Key.DEVICE, f"{person_id} {hashed.hex()}"),)

    def _is_right(self, person_id: str, answer: Answer) -> bool:
        match answer.kind:
            case FactorKind.TOTP:
                return self._factors.check_totp(person_id, answer.value)
            case FactorKind.RECOVERY_CODE:
                return self._factors.check_recovery_code(person_id, answer.value)
            case FactorKind.PASSKEY:
                try:
                    self._factors.check_passkey(answer.challenge_id, answer.value, person_id)
                except PasskeyRefused:
                    return False
                return True
            case FactorKind.PASSWORD:
                return False

    def _notice(self, tx: Connection, person_id: str, template: str, values: dict[str, str]) -> None:
        contact = self._contacts.of(tx, person_id)
        if contact is not None and contact.email is not None:
            self._outbox.queue(
                tx, to=contact.email, template=template, language=contact.language, values=values
            )

    def _give_back(self, ticket: Ticket) -> None:
        with self._begin() as tx:
            self._throttle.give_back(tx, ticket)

    def _refused(self, kind: FactorKind) -> None:
        log.info("login_refused", factor=kind.value)


def moment(at: datetime) -> str:
    """As mails want it: ISO 8601 with an offset."""
    return at.isoformat(timespec="seconds")
