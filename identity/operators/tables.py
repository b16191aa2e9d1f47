"""All SQL about the roles of operators. Grants are never deleted: they say who could do what when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, DateTime, ForeignKey, Index, Row, String, Table, select, update

from identity.operators.model import Grant, GrantState, Role
from identity.people.tables import PersonTable, maybe_utc, people, utc
from identity.tables import metadata

operator_grants = Table(
    "operator_grants",
    metadata,
    Column("id", String(40), primary_key=True),
    Column(
        "person_id",
        String(40),
        ForeignKey("people.id", name="fk_operator_grants_person_id"),
        nullable=False,
    ),
    Column("role", String(24), nullable=False),
    Column("agency_id", String(40), ForeignKey("agencies.id", name="fk_operator_grants_agency_id")),
    Column("state", String(12), nullable=False),
    Column("granted_by", String(128), nullable=False),
    Column("granted_at", DateTime(timezone=True), nullable=False),
    Column("confirmed_by", String(128)),
    Column("confirmed_at", DateTime(timezone=True)),
    Column("ended_by", String(128)),
    Column("ended_at", DateTime(timezone=True)),
    Index("ix_operator_grants_person_id", "person_id", "state"),
    Index("ix_operator_grants_state", "state", "role", "agency_id"),
)

_OPEN = (GrantState.PROPOSED.value, GrantState.ACTIVE.value)


class GrantTable:
    """Roles within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def hold(self, person_id: str) -> None:
        """One change of somebody's roles at a time: rules about several of them see all of them.

        See :meth:`identity.people.tables.PersonTable.hold`.
        """
        PersonTable(self._tx).hold(person_id)

    def keep(self, *person_ids: str) -> None:
        """These people's accounts and roles stay what they are until the transaction ends.

        Unlike :meth:`hold` it lets others keep them too: it is for whoever acts on what is held.
        """
        people_of = select(people.c.id).where(people.c.id.in_(person_ids)).order_by(people.c.id)
        grants_of = (
            select(operator_grants.c.id)
            .where(operator_grants.c.person_id.in_(person_ids))
            .order_by(operator_grants.c.granted_at, operator_grants.c.id)
        )
        for query in (people_of, grants_of):
            self._tx.execute(query.with_for_update(read=True)).all()

    def holders(self, role: Role, agency_id: str | None = None) -> list[str]:
        """The person ids of those who hold a role now, in order."""
        agency = operator_grants.c.agency_id
        query = select(operator_grants.c.person_id).where(
            operator_grants.c.state == GrantState.ACTIVE.value,
            operator_grants.c.role == role.value,
            agency.is_(None) if agency_id is None else agency == agency_id,
        )
        return list(self._tx.execute(query.order_by(operator_grants.c.person_id)).scalars())

    def add(self, grant: Grant) -> None:
        self._tx.execute(operator_grants.insert().values(_values(grant)))

    def get(self, grant_id: str) -> Grant | None:
        row = self._tx.execute(select(operator_grants).where(operator_grants.c.id == grant_id)).one_or_none()
        return _grant(row) if row else None

    def open_of(self, person_id: str) -> list[Grant]:
        """Those that have not ended, oldest first."""
        return self._many(operator_grants.c.person_id == person_id, operator_grants.c.state.in_(_OPEN))

    def of(self, person_id: str) -> list[Grant]:
        """All there ever were, oldest first."""
        return self._many(operator_grants.c.person_id == person_id)

    def open(self, agency_id: str | None = None) -> list[Grant]:
        """Those that have not ended, of one agency or of all."""
        if agency_id is None:
            return self._many(operator_grants.c.state.in_(_OPEN))
        return self._many(operator_grants.c.state.in_(_OPEN), operator_grants.c.agency_id == agency_id)

    def confirm(self, grant_id: str, *, by: str, at: datetime) -> bool:
        """False when it does not wait any more: of many at once, one confirms."""
        return self._change(
            grant_id, [GrantState.PROPOSED], state=GrantState.ACTIVE, confirmed_by=by, confirmed_at=at
        )

    def end(self, grant_id: str, *, by: str, at: datetime) -> bool:
        """False when it has ended before."""
        return self._change(
            grant_id,
            [GrantState.PROPOSED, GrantState.ACTIVE],
            state=GrantState.ENDED,
            ended_by=by,
            ended_at=at,
        )

    def put_back(self, grant_id: str, *, by: str, at: datetime) -> bool:
        """An active grant waits for a confirmation again, as if ``by`` had proposed it."""
        return self._change(
            grant_id,
            [GrantState.ACTIVE],
            state=GrantState.PROPOSED,
            granted_by=by,
            granted_at=at,
            confirmed_by=None,
            confirmed_at=None,
        )

    def _change(self, grant_id: str, origins: list[GrantState], **values: Any) -> bool:
        changed = self._tx.execute(
            update(operator_grants)
            .where(
                operator_grants.c.id == grant_id,
                operator_grants.c.state.in_([origin.value for origin in origins]),
            )
            .values({**values, "state": values["state"].value})
        )
        return changed.rowcount == 1

    def _many(self, *conditions: Any) -> list[Grant]:
        rows = self._tx.execute(
            select(operator_grants)
            .where(*conditions)
            .order_by(operator_grants.c.granted_at, operator_grants.c.id)
        )
        return [_grant(row) for row in rows]


def _values(grant: Grant) -> dict[str, Any]:
    return {
        "id": grant.id,
        "person_id": grant.person_id,
        "role": grant.role.value,
        "agency_id": grant.agency_id,
        "state": grant.state.value,
        "granted_by": grant.granted_by,
        "granted_at": grant.granted_at,
        "confirmed_by": grant.confirmed_by,
        "confirmed_at": grant.confirmed_at,
        "ended_by": grant.ended_by,
        "ended_at": grant.ended_at,
    }


def _grant(row: Row[Any]) -> Grant:
    return Grant(
        id=row.id,
        person_id=row.person_id,
        role=Role(row.role),
        agency_id=row.agency_id,
        state=GrantState(row.state),
        granted_by=row.granted_by,
        granted_at=utc(row.granted_at),
        confirmed_by=row.confirmed_by,
        confirmed_at=maybe_utc(row.confirmed_at),
        ended_by=row.ended_by,
        ended_at=maybe_utc(row.ended_at),
    )
