"""All SQL of what waits for a second pair of eyes. Rows stay: they say who agreed to what."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Index,
    Row,
    String,
    Table,
    Text,
    insert,
    select,
    update,
)

from identity.agencies.proposals import Proposal, ProposalKind, ProposalState, read_change
from identity.people.tables import maybe_utc, utc
from identity.tables import metadata

client_proposals = Table(
    "client_proposals",
    metadata,
    Column("id", String(40), primary_key=True),
    Column(
        "agency_id",
        String(40),
        ForeignKey("agencies.id", name="fk_client_proposals_agency_id"),
        nullable=False,
    ),
    Column("client_id", String(40), nullable=False),  # of no row yet where the system is new
    Column("kind", String(12), nullable=False),
    Column("content", Text, nullable=False),  # JSON; its form is that of the kind
    Column("state", String(12), nullable=False),
    Column("proposed_by", String(128), nullable=False),
    Column("proposed_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("decided_by", String(128)),
    Column("decided_at", DateTime(timezone=True)),
    Index("ix_client_proposals_state", "state", "expires_at"),
    Index("ix_client_proposals_agency_id", "agency_id", "state"),
    Index("ix_client_proposals_client_id", "client_id", "state"),
)

_PROPOSED = client_proposals.c.state == ProposalState.PROPOSED.value


class ProposalTable:
    """Proposals within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, proposal: Proposal) -> None:
        self._tx.execute(
            insert(client_proposals).values(
                id=proposal.id,
                agency_id=proposal.agency_id,
                client_id=proposal.client_id,
                kind=proposal.change.kind.value,
                content=json.dumps(proposal.change.content(), sort_keys=True),
                state=proposal.state.value,
                proposed_by=proposal.proposed_by,
                proposed_at=proposal.proposed_at,
                expires_at=proposal.expires_at,
                decided_by=proposal.decided_by,
                decided_at=proposal.decided_at,
            )
        )

    def get(self, proposal_id: str, *, hold: bool = False) -> Proposal | None:
        """``hold`` keeps it as it is until the transaction ends; on SQLite a write transaction is alone."""
        query = select(client_proposals).where(client_proposals.c.id == proposal_id)
        row = self._tx.execute(query.with_for_update() if hold else query).one_or_none()
        return _proposal(row) if row else None

    def open(self, now: datetime, *, agency_id: str | None = None) -> list[Proposal]:
        """Those that wait, of one agency or of all, oldest first."""
        conditions = [_PROPOSED, client_proposals.c.expires_at > now]
        if agency_id is not None:
            conditions.append(client_proposals.c.agency_id == agency_id)
        return self._many(*conditions)

    def open_of(self, client_id: str, now: datetime) -> list[Proposal]:
        """Those that wait for one system, oldest first."""
        return self._many(
            _PROPOSED, client_proposals.c.client_id == client_id, client_proposals.c.expires_at > now
        )

    def overdue(self, now: datetime) -> list[Proposal]:
        """Those that waited too long, oldest first."""
        return self._many(_PROPOSED, client_proposals.c.expires_at <= now)

    def decide(self, proposal_id: str, state: ProposalState, *, by: str, at: datetime) -> bool:
        """False when it was decided before: of many decisions at once, one counts."""
        changed = self._tx.execute(
            update(client_proposals)
            .where(client_proposals.c.id == proposal_id, _PROPOSED)
            .values(state=state.value, decided_by=by, decided_at=at)
        )
        return changed.rowcount == 1

    def _many(self, *conditions: Any) -> list[Proposal]:
        query = (
            select(client_proposals)
            .where(*conditions)
            .order_by(client_proposals.c.proposed_at, client_proposals.c.id)
        )
        return [_proposal(row) for row in self._tx.execute(query)]


def _proposal(row: Row[Any]) -> Proposal:
    return Proposal(
        id=row.id,
        agency_id=row.agency_id,
        client_id=row.client_id,
        change=read_change(ProposalKind(row.kind), json.loads(row.content)),
        state=ProposalState(row.state),
        proposed_by=row.proposed_by,
        proposed_at=utc(row.proposed_at),
        expires_at=utc(row.expires_at),
        decided_by=row.decided_by,
        decided_at=maybe_utc(row.decided_at),
    )
