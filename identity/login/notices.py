"""Known devices, notices of new ones, and the link in them that says "this wasn't me"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from identity.factors.model import FactorKind
from identity.login.errors import LinkGone
from identity.login.jobs import LoginJobs, moment
from identity.login.model import Device, Secret, Session, new_id, secret_hash
from identity.login.recovery_tables import RepudiationTable
from identity.login.tables import KnownDeviceTable
from identity.people.errors import CodeInvalid

_BEGINS: Final = {"pwd": FactorKind.PASSWORD, "pop": FactorKind.PASSKEY}
"""The factors that a login can begin with, by their method of RFC 8176."""


class Notices(LoginJobs):
    """A part of :class:`identity.login.service.Login`."""

    def is_repudiable(self, token: str) -> bool:
        """Whether the link from a notice still works, for the page that asks before it acts."""
        hashed = secret_hash(token)
        if hashed is None:
            return False
        with self._read() as tx:
            return RepudiationTable(tx).find(hashed, self._clock()) is not None

    def repudiate(self, token: str) -> None:
        """Somebody else logged in: end everything, and let the password open nothing until it is replaced.

        Raises :class:`identity.login.errors.LinkGone`.
        """
        hashed, now = secret_hash(token), self._clock()
        if hashed is None:
            raise LinkGone
        with self._begin() as tx:
            # 1. The link works once.
            table = RepudiationTable(tx)
            found = table.find(hashed, now)
            if found is None:
                raise LinkGone
            person_id, methods, logged_in_at = found
            self._people.hold(tx, person_id)
            if not table.use(hashed, now):
                raise LinkGone
            # 2. And with it what came of that login.
            self._take_back(tx, person_id, methods, logged_in_at, "login.repudiated")

    def is_address_revertible(self, code: str) -> bool:
        """As :meth:`is_repudiable`, for the link from the notice to a mailbox that was replaced."""
        return self._people.is_revertible(code)

    def repudiate_address(self, code: str) -> None:
        """Somebody else changed the address: it is the old one again, and the login that asked for the change
        is one that "wasn't me". Raises :class:`identity.login.errors.LinkGone`.
        """
        try:
            with self._begin() as tx:
                reverted = self._people.revert_email(tx, code)
                asking = reverted.asking
                self._take_back(tx, reverted.person_id, asking.methods, asking.since, "email.reverted")
        except (CodeInvalid, IntegrityError) as cause:  # the address became somebody else's a moment ago
            raise LinkGone from cause

    # --- inside --------------------------------------------------------------------------------------

    def _take_back(
        self, tx: Connection, person_id: str, methods: Sequence[str], since: datetime, action: str
    ) -> None:
        """What a thief has who logged in with ``methods`` at ``since``. The last acts of the transaction."""
        # 1. Whatever is open ends, on their devices, on ours and at portals.
        self._people.end_access(tx, person_id)
        # 2. What opened that login is in somebody else's hands: it must not even begin another one.
        self._factors.drop(tx, person_id, [_BEGINS[method] for method in methods if method in _BEGINS])
        # 3. And what was set up since may be theirs: a passkey of their own would let them in again.
        self._factors.drop_since(tx, person_id, since)
        # 4. Say what to do now.
        self._notice(tx, person_id, "not_me", {"when": moment(self._clock())})
        self._audit.append(
            tx, action=action, actor=person_id, subject=person_id, facts={"amr": " ".join(methods)}
        )

    def _remember(self, tx: Connection, person_id: str, device: Device) -> str | None:
        """None for a device that is known already, else its new secret.

        A secret that came along is never adopted: somebody could have put theirs into the browser, and would
        share the trust from then on. The browser's other people move to the new one.
        """
        table, now, old = KnownDeviceTable(tx), self._clock(), secret_hash(device.known)
        if old is not None and table.knows(old, person_id, used_since=now - self._policy.device_lifetime):
            table.touch(old, person_id, now)
            return None
        new = Secret.new()
        if old is not None:
            table.move(old, new.hash, but=person_id)
        table.add(new_id(), new.hash, person_id, now)
        return new.text

    def _announce(self, tx: Connection, session: Session) -> None:
        """A login from a device that was not seen before, and the way to say that it was somebody else."""
        link, now = Secret.new(), self._clock()
        RepudiationTable(tx).add(
            link.hash,
            session.person_id,
            session.amr,
            now=now,
            expires_at=now + self._policy.repudiation_lifetime,
        )
        contact = self._contacts.of(tx, session.person_id)
        language = contact.language if contact else "id"
        self._notice(
            tx,
            session.person_id,
            "new_device",
            {
                "code": link.text,
                "device": session.device.in_words(language),
                "place": session.place.in_words(language),
                "when": moment(session.created_at),
            },
        )
