"""Sessions: rows that a secret in a cookie opens, for as long as neither idleness nor age ends them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from identity.factors.model import FactorKind, strength_of
from identity.login.devices import Places, device_name
from identity.login.errors import SessionGone
from identity.login.model import (
    Acr,
    Device,
    Opened,
    Purpose,
    Secret,
    Session,
    SessionPolicy,
    new_id,
    secret_hash,
)
from identity.login.recovery_tables import (
    RepudiationTable,
    cancel_recoveries,
    forget_recoveries,
)
from identity.login.tables import HalfSessionTable, KnownDeviceTable, Origins, SessionTable
from identity.people.tables import PersonTable
from identity.ports import AuditTrail, Begin, Clock, SessionsEnded, Vault

_BATCH: Final = 500


class Sessions:
    """Safe to share between threads and processes. Only SHA-256 of the secrets is kept.

    ``endings`` hear of every session that ends, in the transaction that ends it.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        audit: AuditTrail,
        vault: Vault,
        places: Places | None = None,
        policy: SessionPolicy | None = None,
        endings: Sequence[SessionsEnded] = (),
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._origins = Origins(vault)
        self._places = places or Places()
        self._policy = policy or SessionPolicy()
        self._endings = tuple(endings)

    # --- for every request ---------------------------------------------------------------------------

    def find(self, secret: str | None) -> Session | None:
        """The session that ``secret`` opens now, whose idle time begins anew. None for everything else."""
        hashed = secret_hash(secret)
        if hashed is None:
            return None
        now = self._clock()
        with self._read() as tx:
            session = SessionTable(tx, self._origins).by_secret(hashed)
        if session is None or session.is_over(now, self._policy):
            return None
        if now - session.last_seen_at >= self._policy.touch:
            with self._begin() as tx:
                SessionTable(tx, self._origins).touch(session.id, before=now - self._policy.touch, now=now)
            session = replace(session, last_seen_at=now)
        return session

    # --- for the person ------------------------------------------------------------------------------

    def of(self, person_id: str) -> tuple[Session, ...]:
        """Those that are open, latest activity first."""
        now = self._clock()
        with self._read() as tx:
            found = SessionTable(tx, self._origins).of(person_id)
        return tuple(session for session in found if not session.is_over(now, self._policy))

    def end(self, person_id: str, session_id: str, *, actor: str) -> None:
        """Raises :class:`identity.login.errors.SessionGone` when the person has no such session."""
        with self._begin() as tx:
            if not SessionTable(tx, self._origins).end(session_id, person_id=person_id):
                raise SessionGone
            self._tell(tx, [session_id])
            self._audit.append(
                tx, action="session.ended", actor=actor, subject=person_id, facts={"session": session_id}
            )

    def end_all(self, person_id: str, *, actor: str, keep: str | None = None) -> int:
        """Every session of a person but the one with the id ``keep``. Returns how many."""
        with self._begin() as tx:
            ended = self.end_within(tx, person_id, keep=keep)
            if ended:
                self._audit.append(
                    tx,
                    action="session.all_ended",
                    actor=actor,
                    subject=person_id,
                    facts={"sessions": str(ended)},
                )
        return ended

    def held(self, person_id: str) -> dict[str, object]:
        """What is held here about a person: :data:`identity.ports.HeldData`."""
        return {
            "sessions": [
                {
                    "device": session.device.in_words("en"),
                    "place": session.place.in_words("en"),
                    "created_at": session.created_at.isoformat(),
                    "last_seen_at": session.last_seen_at.isoformat(),
                }
                for session in self.of(person_id)
            ]
        }

    # --- within somebody else's transaction ----------------------------------------------------------

    def standing_within(self, tx: Connection, session_id: str) -> Session | None:
        """The session as it is now, which cannot end before the caller's transaction does."""
        session = SessionTable(tx, self._origins).hold(session_id)
        return None if session is None or session.is_over(self._clock(), self._policy) else session

    def end_within(self, tx: Connection, person_id: str, *, keep: str | None = None) -> int:
        """A :data:`identity.ports.PersonHook`: for new passwords, suspension, erasure. The caller audits."""
        PersonTable(tx).hold(person_id)
        ended = SessionTable(tx, self._origins).end_all(person_id, keep=keep)
        self._tell(tx, ended)
        return len(ended)

    def open_within(
        self, tx: Connection, person_id: str, used: Collection[FactorKind], device: Device
    ) -> Opened:
        """A session for somebody who just proved ``used``, which must suffice. The caller audits.

        A session that the browser brought along does not outlive the login. That of the same person goes on
        under a new secret, so that portals keep what they know by its id; anybody else's ends.
        """
        strength = strength_of(used)
        assert strength is not None, "there is no session behind a single factor"
        now = self._clock()
        session = Session(
            id=new_id(),
            person_id=person_id,
            auth_time=now,
            acr=Acr(strength.acr),
            amr=strength.amr,
            created_at=now,
            last_seen_at=now,
            expires_at=now + self._policy.absolute,
            device=device_name(device.user_agent),
            place=self._places.of(device.address),
        )
        table, old_hash, secret = SessionTable(tx, self._origins), secret_hash(device.session), Secret.new()
        old = None if old_hash is None else table.by_secret(old_hash)
        if old is not None and old_hash is not None and not old.is_over(now, self._policy):
            if old.person_id == person_id:
                renewed = replace(session, id=old.id, created_at=old.created_at)
                if table.replace(old_hash, secret.hash, renewed):
                    return Opened(secret.text, renewed)
            elif table.end(old.id, person_id=old.person_id):
                self._tell(tx, [old.id])
        table.add(session, secret.hash)
        return Opened(secret.text, session)

    def renew_within(self, tx: Connection, old_secret: str, session: Session) -> str:
        """A new secret for ``session`` as it is now. Raises :class:`identity.login.errors.SessionGone`.

        Of two requests that hold the old secret one wins; the old one opens nothing afterwards.
        """
        old, new = secret_hash(old_secret), Secret.new()
        if old is None or not SessionTable(tx, self._origins).replace(old, new.hash, session):
            raise SessionGone
        return new.text

    # --- what other parts do to somebody's access: identity.ports.PersonHook --------------------------

    def password_changed(self, tx: Connection, person_id: str) -> None:
        """Nothing that the old password opened stays: sessions, logins under way, known devices."""
        self.end_within(tx, person_id)
        HalfSessionTable(tx).end_all(person_id, Purpose.SECOND_FACTOR)
        KnownDeviceTable(tx).forget(person_id)

    def end_access(self, tx: Connection, person_id: str) -> None:
        """For suspension: nothing at all stays open, not even what is only under way."""
        self.end_within(tx, person_id)
        HalfSessionTable(tx).end_all(person_id)
        KnownDeviceTable(tx).forget(person_id)
        cancel_recoveries(tx, person_id)

    def forget(self, tx: Connection, person_id: str) -> None:
        """For erasure: whatever is kept here about a person."""
        self.end_access(tx, person_id)
        RepudiationTable(tx).forget(person_id)
        forget_recoveries(tx, person_id)

    # --- upkeep --------------------------------------------------------------------------------------

    def end_over(self) -> int:
        """End what is over, so that portals hear of it. Returns how many; meant to be repeated."""
        now = self._clock()
        with self._begin() as tx:
            ended = SessionTable(tx, self._origins).end_over(
                now=now, idle_since=now - self._policy.idle, most=_BATCH
            )
            self._tell(tx, [session_id for session_id, _ in ended])
        return len(ended)

    def _tell(self, tx: Connection, ended: Sequence[str]) -> None:
        if ended:
            for ending in self._endings:
                ending(tx, ended)


def upgraded(session: Session, kind: FactorKind, now: datetime) -> Session:
    """``session`` after ``kind`` was answered again.

    ``acr`` is what was proven at ``auth_time``, so a code after a passkey lowers it: otherwise whoever got
    hold of a cookie and a code could pass for somebody who used their passkey a moment ago.
    """
    strength = strength_of({FactorKind.PASSWORD, kind})
    assert strength is not None, "every second factor suffices beside a password"
    proven = [method for method in strength.amr if method != "pwd"]
    return replace(
        session,
        auth_time=now,
        last_seen_at=now,
        acr=Acr(strength.acr),
        amr=tuple(dict.fromkeys((*session.amr, *proven))),
    )
