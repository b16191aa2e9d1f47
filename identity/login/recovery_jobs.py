"""What getting back in by oneself, by an officer and in time share: their ports, and notices."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from sqlalchemy import Connection

from identity.factors.service import Factors
from identity.login.devices import Places
from identity.login.jobs import moment
from identity.login.model import Recovery, RecoveryPolicy
from identity.login.recovery_tables import RecoveryTable
from identity.login.service import Login
from identity.login.sessions import Sessions
from identity.login.tables import Origins
from identity.login.throttle import Throttle
from identity.people.codes import hash_code
from identity.people.service import People
from identity.ports import AuditTrail, Begin, Clock, Contacts, Outbox, PersonHook, Vault


class RecoveryJobs:
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

    # --- inside --------------------------------------------------------------------------------------

    def _table(self, tx: Connection) -> RecoveryTable:
        return RecoveryTable(tx, self._origins)

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


def known_code(code: str) -> bytes:
    """What the table knows a code of our own making by."""
    hashed = hash_code(code)
    assert hashed is not None, "a code of our own making is a code"
    return hashed
