"""All SQL about people, their codes and their privacy requests. Returns model objects, never rows.

What is personal lies sealed in ``profile`` and ``payload``. Look-ups go through keyed fingerprints, which
tell whoever reads the table nothing. Times are aware UTC at this edge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Row,
    Select,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from identity.people.codes import CodePurpose
from identity.people.model import PersonState, ProofingLevel
from identity.tables import metadata

people = Table(
    "people",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("proofing", String(8), nullable=False),
    Column("language", String(2), nullable=False),
    Column("profile", LargeBinary),  # sealed; none once the person is erased
    Column("email_fingerprint", LargeBinary(32), unique=True),  # of a confirmed address only
    Column("nik_fingerprint", LargeBinary(32), unique=True),
    Column("email_confirmed_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("activated_at", DateTime(timezone=True)),
    Column("erased_at", DateTime(timezone=True)),
    Column("state_since", DateTime(timezone=True), nullable=False),
    Column("version", Integer, nullable=False),
    Index("ix_people_state", "state", "state_since"),
)

person_codes = Table(
    "person_codes",
    metadata,
    Column("code_hash", LargeBinary(32), primary_key=True),
    Column("purpose", String(16), nullable=False),
    Column("person_id", String(40), ForeignKey("people.id", name="fk_person_codes_person_id")),
    Column("address", LargeBinary(32)),  # fingerprint of the mailbox that it was sent to
    Column("mail_window", Integer),  # the how-many-eth code of which stretch of time: see MailSlot
    Column("mail_number", Integer),
    Column("payload", LargeBinary),  # sealed: what the code brings about
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
    Index("ix_person_codes_address", "address", "mail_window", "mail_number", unique=True),
    Index("ix_person_codes_person_id", "person_id"),
    Index("ix_person_codes_expires_at", "expires_at"),
)

proofing_attempts = Table(
    "proofing_attempts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column(
        "person_id",
        String(40),
        ForeignKey("people.id", name="fk_proofing_attempts_person_id"),
        nullable=False,
    ),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("ix_proofing_attempts_person_id", "person_id", "at"),
    Index("ix_proofing_attempts_at", "at"),
)

privacy_requests = Table(
    "privacy_requests",
    metadata,
    Column("id", String(40), primary_key=True),
    Column(
        "person_id",
        String(40),
        ForeignKey("people.id", name="fk_privacy_requests_person_id"),
        nullable=False,
    ),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("target", String(64), nullable=False),  # the portal that a withdrawal names, else empty
    Column("details", LargeBinary),  # sealed; none once the request is closed
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("executes_at", DateTime(timezone=True)),  # when a waiting erasure is carried out
    Column("closed_at", DateTime(timezone=True)),
    Column("decided_by", String(128)),
    Column("refusal", String(32)),
    Column("open_key", String(128), unique=True),  # one open request of a kind; none once it is closed
    Index("ix_privacy_requests_person_id", "person_id", "received_at"),
    Index("ix_privacy_requests_due_at", "state", "due_at"),
    Index("ix_privacy_requests_closed_at", "closed_at"),
)


@dataclass(frozen=True, slots=True, repr=False)
class PersonRecord:
    """A person as stored: what is personal is sealed. ``version`` counts changes, so that none is lost."""

    id: str
    state: PersonState
    proofing: ProofingLevel
    language: str
    profile: bytes | None
    email_fingerprint: bytes | None
    nik_fingerprint: bytes | None
    email_confirmed_at: datetime | None
    created_at: datetime
    activated_at: datetime | None
    erased_at: datetime | None
    state_since: datetime
    version: int

    @property
    def may_resume_by_mail(self) -> bool:
        """Whether the mailbox alone leads back to a set-up that was broken off.

        Not into a proofed account whose code was printed: the visit may have been made because somebody else
        reads the mails. Where the code was mailed, the mailbox is what opened the account.
        """
        if self.state is not PersonState.REGISTERED or self.email_confirmed_at is None:
            return False
        return self.proofing is ProofingLevel.IAL0 or self.email_confirmed_at >= self.state_since

    def erased(self, at: datetime) -> PersonRecord:
        """What is left when everything personal is gone: the id, and when."""
        return replace(
            self,
            state=PersonState.ERASED,
            proofing=ProofingLevel.IAL0,
            profile=None,
            email_fingerprint=None,
            nik_fingerprint=None,
            email_confirmed_at=None,
            erased_at=at,
            state_since=at,
        )


@dataclass(frozen=True, slots=True, repr=False)
class MailSlot:
    """A mailbox's ``number``-th code within a stretch of time. No two codes share one, however many are asked
    for at the same moment: so a limit on the number is a limit.
    """

    address: bytes
    window: int
    number: int


@dataclass(frozen=True, slots=True, repr=False)
class CodeRecord:
    """A code as stored: only its hash."""

    code_hash: bytes
    purpose: CodePurpose
    person_id: str | None
    slot: MailSlot | None
    payload: bytes | None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


# Asked by almost every request: composing a statement takes as long as running it.
_PERSON: Final = select(people).where(people.c.id == bindparam("wanted"))
_BY_EMAIL: Final = select(people).where(people.c.email_fingerprint == bindparam("wanted"))
_BY_NIK: Final = select(people).where(people.c.nik_fingerprint == bindparam("wanted"))


class PersonTable:
    """People within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, record: PersonRecord) -> None:
        """Raises ``sqlalchemy.exc.IntegrityError`` when a fingerprint is somebody's already."""
        self._tx.execute(insert(people).values(**_person_values(record)))

    def get(self, person_id: str) -> PersonRecord | None:
        return self._one(_PERSON, person_id)

    def hold(self, person_id: str) -> PersonRecord | None:
        """The row, which nobody else changes, and around which nobody logs in, until the transaction ends.

        **One order for all locks**, so that no two transactions wait for each other: first the row of the
        person (of several people in the order of their ids), then what is theirs (codes, factors, sessions,
        recoveries, roles, grants), last the audit trail. Whoever ends somebody's access or changes their
        account begins with this; whoever opens something in their name begins with :meth:`hold_shared`.

        PostgreSQL: FOR NO KEY UPDATE, beside which rows that refer to the person can still be added. SQLite
        has one writer at a time and ignores it.
        """
        return self._held(people.c.id == person_id)

    def hold_shared(self, person_id: str) -> PersonRecord | None:
        """The row, beside others who only look: nobody can :meth:`hold` it until the transaction ends."""
        return self._held(people.c.id == person_id, shared=True)

    def by_email(self, fingerprint: bytes) -> PersonRecord | None:
        return self._one(_BY_EMAIL, fingerprint)

    def by_nik(self, fingerprint: bytes) -> PersonRecord | None:
        return self._one(_BY_NIK, fingerprint)

    def hold_by_email(self, fingerprint: bytes) -> PersonRecord | None:
        """See :meth:`hold`."""
        return self._held(people.c.email_fingerprint == fingerprint)

    def change(self, record: PersonRecord) -> bool:
        """Store ``record`` over the version it was read in; False when another change came first.

        Raises ``sqlalchemy.exc.IntegrityError`` when a fingerprint is somebody else's already.
        """
        values = _person_values(record) | {"version": record.version + 1}
        result = self._tx.execute(
            update(people)
            .where(people.c.id == record.id, people.c.version == record.version)
            .values(**values)
        )
        return result.rowcount == 1

    def left_behind(self, state: PersonState, before: datetime, *, most: int) -> list[str]:
        """Ids of those in ``state`` since before then who never were active, oldest first."""
        query = (
            select(people.c.id)
            .where(
                people.c.state == state.value,
                people.c.state_since < before,
                people.c.activated_at.is_(None),
            )
            .order_by(people.c.state_since, people.c.id)
            .limit(most)
        )
        return list(self._tx.execute(query).scalars())

    def _held(self, condition: Any, *, shared: bool = False) -> PersonRecord | None:
        query = select(people).where(condition).with_for_update(read=shared, key_share=not shared)
        row = self._tx.execute(query).one_or_none()
        return _person(row) if row else None

    def _one(self, query: Select[Any], wanted: str | bytes) -> PersonRecord | None:
        row = self._tx.execute(query, {"wanted": wanted}).one_or_none()
        return _person(row) if row else None


class CodeTable:
    """One-time codes within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, record: CodeRecord) -> None:
        """Raises ``sqlalchemy.exc.IntegrityError`` when another code took the slot."""
        slot = record.slot
        self._tx.execute(
            insert(person_codes).values(
                code_hash=record.code_hash,
                purpose=record.purpose.value,
                person_id=record.person_id,
                address=slot and slot.address,
                mail_window=slot and slot.window,
                mail_number=slot and slot.number,
                payload=record.payload,
                created_at=record.created_at,
                expires_at=record.expires_at,
                used_at=record.used_at,
            )
        )

    def find(self, code_hash: bytes) -> CodeRecord | None:
        row = self._tx.execute(
            select(person_codes).where(person_codes.c.code_hash == code_hash)
        ).one_or_none()
        return _code(row) if row else None

    def claim(self, code_hash: bytes, now: datetime, *purposes: CodePurpose) -> CodeRecord | None:
        """Use a code of these kinds up; None unless this very call did it. Of many at once, one succeeds."""
        claimed = self._tx.execute(
            update(person_codes)
            .where(
                person_codes.c.code_hash == code_hash,
                person_codes.c.purpose.in_([purpose.value for purpose in purposes]),
                person_codes.c.used_at.is_(None),
                person_codes.c.expires_at > now,
            )
            .values(used_at=now)
        )
        if claimed.rowcount != 1:
            return None
        return _code(
            self._tx.execute(select(person_codes).where(person_codes.c.code_hash == code_hash)).one()
        )

    def next_slot(self, address: bytes, window: int) -> MailSlot:
        """The one after the last that was taken."""
        query = select(func.max(person_codes.c.mail_number)).where(
            person_codes.c.address == address, person_codes.c.mail_window == window
        )
        last = self._tx.execute(query).scalar_one()
        return MailSlot(address, window, 0 if last is None else last + 1)

    def withdraw(
        self, person_id: str, purpose: CodePurpose, now: datetime, *, made_since: datetime | None = None
    ) -> None:
        """No code of this kind works any more, or none made since then. Expired ones are left to
        :meth:`discard`."""
        query = update(person_codes).where(
            person_codes.c.person_id == person_id,
            person_codes.c.purpose == purpose.value,
            person_codes.c.used_at.is_(None),
            person_codes.c.expires_at > now,
        )
        if made_since is not None:
            query = query.where(person_codes.c.created_at >= made_since)
        self._tx.execute(query.values(used_at=now))

    def forget(self, person_id: str) -> None:
        self._tx.execute(delete(person_codes).where(person_codes.c.person_id == person_id))

    def forget_address(self, address: bytes) -> None:
        self._tx.execute(delete(person_codes).where(person_codes.c.address == address))

    def discard(self, before: datetime) -> int:
        """Delete codes that expired before then; returns how many."""
        return self._tx.execute(delete(person_codes).where(person_codes.c.expires_at < before)).rowcount


class AttemptTable:
    """Questions to the population registry within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, attempt_id: str, person_id: str, at: datetime) -> None:
        self._tx.execute(insert(proofing_attempts).values(id=attempt_id, person_id=person_id, at=at))

    def remove(self, attempt_id: str) -> None:
        self._tx.execute(delete(proofing_attempts).where(proofing_attempts.c.id == attempt_id))

    def since(self, person_id: str, since: datetime) -> list[datetime]:
        """Oldest first."""
        query = (
            select(proofing_attempts.c.at)
            .where(proofing_attempts.c.person_id == person_id, proofing_attempts.c.at > since)
            .order_by(proofing_attempts.c.at)
        )
        return [utc(at) for at in self._tx.execute(query).scalars()]

    def forget(self, person_id: str) -> None:
        self._tx.execute(delete(proofing_attempts).where(proofing_attempts.c.person_id == person_id))

    def discard(self, before: datetime) -> int:
        return self._tx.execute(delete(proofing_attempts).where(proofing_attempts.c.at < before)).rowcount


def _person_values(record: PersonRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "state": record.state.value,
        "proofing": record.proofing.value,
        "language": record.language,
        "profile": record.profile,
        "email_fingerprint": record.email_fingerprint,
        "nik_fingerprint": record.nik_fingerprint,
        "email_confirmed_at": record.email_confirmed_at,
        "created_at": record.created_at,
        "activated_at": record.activated_at,
        "erased_at": record.erased_at,
        "state_since": record.state_since,
        "version": record.version,
    }


def _person(row: Row[Any]) -> PersonRecord:
    return PersonRecord(
        id=row.id,
        state=PersonState(row.state),
        proofing=ProofingLevel(row.proofing),
        language=row.language,
        profile=_bytes(row.profile),
        email_fingerprint=_bytes(row.email_fingerprint),
        nik_fingerprint=_bytes(row.nik_fingerprint),
        email_confirmed_at=maybe_utc(row.email_confirmed_at),
        created_at=utc(row.created_at),
        activated_at=maybe_utc(row.activated_at),
        erased_at=maybe_utc(row.erased_at),
        state_since=utc(row.state_since),
        version=row.version,
    )


def _code(row: Row[Any]) -> CodeRecord:
    return CodeRecord(
        code_hash=bytes(row.code_hash),
        purpose=CodePurpose(row.purpose),
        person_id=row.person_id,
        slot=None if row.address is None else MailSlot(row.address, row.mail_window, row.mail_number),
        payload=_bytes(row.payload),
        created_at=utc(row.created_at),
        expires_at=utc(row.expires_at),
        used_at=maybe_utc(row.used_at),
    )


def _bytes(value: bytes | None) -> bytes | None:
    return None if value is None else bytes(value)


def utc(value: datetime) -> datetime:
    """SQLite hands back naive times; what was stored is UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def maybe_utc(value: datetime | None) -> datetime | None:
    return None if value is None else utc(value)
