"""All SQL about mails on their way. Returns model objects, never rows; times are aware UTC at this edge."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from identity.mail.model import MailStanding, MailState, QueuedMail
from identity.tables import metadata

mails = Table(
    "mails",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("template", String(40), nullable=False),
    Column("language", String(2), nullable=False),
    Column("sealed", LargeBinary),  # address and values; none once the mail is sent
    Column("state", String(8), nullable=False),
    Column("queued_at", DateTime(timezone=True), nullable=False),
    Column(
        "due_at", DateTime(timezone=True), nullable=False
    ),  # while waiting: when to try; then: when it ended
    Column("attempts", Integer, nullable=False),
    Column("last_failure", String(80), nullable=False),
    Index("ix_mails_due", "state", "due_at"),
)


class Mails:
    """The outbox, inside the caller's transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, mail: QueuedMail) -> None:
        self._tx.execute(
            insert(mails).values(
                id=mail.id,
                template=mail.template,
                language=mail.language,
                sealed=mail.sealed,
                state=mail.state.value,
                queued_at=mail.queued_at,
                due_at=mail.due_at,
                attempts=mail.attempts,
                last_failure=mail.last_failure,
            )
        )

    def get(self, mail_id: str) -> QueuedMail | None:
        row = self._tx.execute(select(mails).where(mails.c.id == mail_id)).one_or_none()
        return None if row is None else _mail(row)

    def due(self, now: datetime, *, limit: int) -> list[QueuedMail]:
        """Those that are to be tried now, the longest due first."""
        query = (
            select(mails)
            .where(mails.c.state == MailState.WAITING.value, mails.c.due_at <= now)
            .order_by(mails.c.due_at, mails.c.id)
            .limit(limit)
        )
        return [_mail(row) for row in self._tx.execute(query)]

    def claim(self, mail: QueuedMail, *, until: datetime) -> bool:
        """Count one more attempt and let nobody else try before ``until``; False when another was first."""
        return self._change(mail, MailState.WAITING, attempts=mail.attempts + 1, due_at=until)

    def put_off(self, mail: QueuedMail, *, until: datetime, failure: str) -> None:
        self._change(mail, MailState.WAITING, due_at=until, last_failure=failure)

    def sent(self, mail: QueuedMail, *, at: datetime) -> None:
        """Keeps that it was sent; forgets to whom and what."""
        self._change(mail, MailState.SENT, due_at=at, sealed=None, last_failure="")

    def bury(self, mail: QueuedMail, *, at: datetime, failure: str) -> None:
        self._change(mail, MailState.DEAD, due_at=at, last_failure=failure)

    def revive(self, mail: QueuedMail, *, at: datetime) -> bool:
        """Let a dead letter be tried again from the start; False when it no longer is one."""
        return mail.state is MailState.DEAD and self._change(mail, MailState.WAITING, attempts=0, due_at=at)

    def dead(self, *, limit: int) -> list[QueuedMail]:
        """The latest first."""
        query = (
            select(mails)
            .where(mails.c.state == MailState.DEAD.value)
            .order_by(mails.c.due_at.desc(), mails.c.id)
            .limit(limit)
        )
        return [_mail(row) for row in self._tx.execute(query)]

    def standing(self) -> MailStanding:
        query = (
            select(mails.c.state, func.count(), func.min(mails.c.queued_at))
            .where(mails.c.state != MailState.SENT.value)
            .group_by(mails.c.state)
        )
        found = {state: (count, oldest) for state, count, oldest in self._tx.execute(query)}
        waiting, oldest = found.get(MailState.WAITING.value, (0, None))
        dead, _ = found.get(MailState.DEAD.value, (0, None))
        return MailStanding(waiting, dead, None if oldest is None else _aware(oldest))

    def forget(self, *, sent_before: datetime, dead_before: datetime) -> int:
        """How many were deleted."""
        result = self._tx.execute(
            delete(mails).where(
                or_(
                    and_(mails.c.state == MailState.SENT.value, mails.c.due_at < sent_before),
                    and_(mails.c.state == MailState.DEAD.value, mails.c.due_at < dead_before),
                )
            )
        )
        return result.rowcount

    def _change(self, mail: QueuedMail, state: MailState, **values: object) -> bool:
        """Only if the mail still is as it was seen: attempts tell one claim from the next."""
        result = self._tx.execute(
            update(mails)
            .where(
                mails.c.id == mail.id,
                mails.c.state == mail.state.value,
                mails.c.attempts == mail.attempts,
            )
            .values(state=state.value, **values)
        )
        return result.rowcount == 1


def _mail(row: Row[Any]) -> QueuedMail:
    return QueuedMail(
        id=row.id,
        template=row.template,
        language=row.language,
        sealed=None if row.sealed is None else bytes(row.sealed),
        state=MailState(row.state),
        queued_at=_aware(row.queued_at),
        due_at=_aware(row.due_at),
        attempts=row.attempts,
        last_failure=row.last_failure,
    )


def _aware(value: datetime) -> datetime:
    """SQLite hands back naive times; what was stored is UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
