"""The provider's tables, and the SQL of portals, subjects and consents.

That of flows is in :mod:`identity.provider.flow_tables`, of grants in
:mod:`identity.provider.grant_tables`. Times are aware UTC at this edge.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from identity.agencies.model import Method
from identity.provider.model import (
    Consent,
    IdTokenAlgorithm,
    Portal,
    PortalKind,
)
from identity.tables import metadata


def _portal_id(table: str, *, primary_key: bool = False) -> Column[str]:
    key = ForeignKey("portals.id", name=f"fk_{table}_portal_id")
    return Column("portal_id", String(40), key, primary_key=primary_key, nullable=False)


portals = Table(
    "portals",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("agency_id", String(40), ForeignKey("agencies.id", name="fk_portals_agency_id"), nullable=False),
    Column("name", String(80), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("authentication", String(24), nullable=False),
    Column("jwks", Text),
    Column("secret_hash", LargeBinary(32)),
    Column("redirect_uris", Text, nullable=False),  # JSON lists, in the order of registration
    Column("post_logout_redirect_uris", Text, nullable=False),
    Column("backchannel_logout_uri", String(512)),
    Column("sector", String(255), nullable=False),
    Column("scopes", Text, nullable=False),  # separated by spaces, sorted, as in RFC 6749, 3.3
    Column("id_token_algorithm", String(8), nullable=False),
    Column("require_pushed", Boolean, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("disabled_at", DateTime(timezone=True)),
    Index("ix_portals_agency_id", "agency_id"),
    Index("ix_portals_sector", "sector"),
)

portal_subjects = Table(
    "portal_subjects",
    metadata,
    Column("sector", String(255), primary_key=True),
    Column("person_id", String(40), primary_key=True),
    Column("subject", String(43), nullable=False, unique=True),
    Index("ix_portal_subjects_person_id", "person_id"),
)

portal_logins = Table(
    "portal_logins",
    metadata,
    Column("session_id", String(64), primary_key=True),
    _portal_id("portal_logins", primary_key=True),
    Column("person_id", String(40), nullable=False),
    Column("sid", String(43), nullable=False, unique=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Index("ix_portal_logins_person_id", "person_id"),
)

portal_consents = Table(
    "portal_consents",
    metadata,
    Column("person_id", String(40), primary_key=True),
    _portal_id("portal_consents", primary_key=True),
    Column("scopes", Text, nullable=False),
    Column("given_at", DateTime(timezone=True), nullable=False),
    Column("withdrawn_at", DateTime(timezone=True)),
)

portal_flows = Table(
    "portal_flows",
    metadata,
    Column("handle_hash", LargeBinary(32), primary_key=True),
    _portal_id("portal_flows"),
    Column("request", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("pushed", Boolean, nullable=False),  # waits for its browser (RFC 9126)
    Column("answered_at", DateTime(timezone=True)),
    Index("ix_portal_flows_expires_at", "expires_at"),
)

portal_grants = Table(
    "portal_grants",
    metadata,
    Column("id", String(40), primary_key=True),
    _portal_id("portal_grants"),
    Column("person_id", String(40), nullable=False),
    Column("session_id", String(64), nullable=False),
    Column("subject", String(43), nullable=False),
    Column("sid", String(43), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("is_offline", Boolean, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("code_challenge", String(43), nullable=False),
    Column("nonce", Text),
    Column("acr", String(16), nullable=False),
    Column("amr", String(80), nullable=False),
    Column("auth_time", DateTime(timezone=True), nullable=False),
    Column("proof_key", String(43)),
    Column("code_hash", LargeBinary(32), nullable=False, unique=True),
    Column("code_expires_at", DateTime(timezone=True), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("redeemed_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    Column("revoked_because", String(40)),
    Index("ix_portal_grants_person_id", "person_id"),
    Index("ix_portal_grants_session_id", "session_id"),
    Index("ix_portal_grants_expires_at", "expires_at"),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column(
        "grant_id",
        String(40),
        ForeignKey("portal_grants.id", name="fk_refresh_tokens_grant_id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("issued_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
    Column("successor_hash", LargeBinary(32)),
    Column("successor", LargeBinary),  # sealed; for a repeated request whose first answer was lost
    Column("batch", String(22)),  # with which the audit trail heard of its use
    Index("ix_refresh_tokens_grant_id", "grant_id"),
    Index("ix_refresh_tokens_batch", "batch", "used_at"),
)

revoked_access_tokens = Table(
    "revoked_access_tokens",
    metadata,
    Column("token_id", String(80), primary_key=True),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("ix_revoked_access_tokens_expires_at", "expires_at"),
)

logout_notices = Table(
    "logout_notices",
    metadata,
    Column("id", String(40), primary_key=True),
    _portal_id("logout_notices"),
    Column("subject", String(43), nullable=False),
    Column("sid", String(43), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("ended_at", DateTime(timezone=True)),  # delivered, or given up
    Column("outcome", String(40)),
    Index("ix_logout_notices_due_at", "due_at"),
)


PORTAL_PREFIX: Final = "portal__"
PORTAL_COLUMNS: Final = [column.label(f"{PORTAL_PREFIX}{column.name}") for column in portals.columns]
"""For a query that brings a portal along."""


# Asked by every request of a portal: composing a statement takes as long as running it.
_PORTAL: Final = select(portals).where(portals.c.id == bindparam("wanted"))


class PortalTable:
    """Portals within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, portal: Portal) -> None:
        values = asdict(portal)
        for uris in ("redirect_uris", "post_logout_redirect_uris"):
            values[uris] = json.dumps(values[uris])
        self._tx.execute(insert(portals).values(values | {"scopes": joined(portal.scopes)}))

    def get(self, portal_id: str) -> Portal | None:
        row = self._tx.execute(_PORTAL, {"wanted": portal_id}).one_or_none()
        return portal_of(row) if row else None

    def all(self, agency_id: str | None = None) -> list[Portal]:
        """Oldest first, disabled ones included; of one agency or of all."""
        query = select(portals).order_by(portals.c.created_at, portals.c.id)
        if agency_id is not None:
            query = query.where(portals.c.agency_id == agency_id)
        return [portal_of(row) for row in self._tx.execute(query)]

    def agencies_in_sector(self, sector: str) -> set[str]:
        query = select(portals.c.agency_id).where(portals.c.sector == sector).distinct()
        return set(self._tx.execute(query).scalars())

    def set_jwks(self, portal_id: str, jwks: str) -> bool:
        """False when there is no such portal."""
        return once(self._tx, update(portals).where(portals.c.id == portal_id).values(jwks=jwks))

    def disable(self, portal_id: str, at: datetime) -> bool:
        """False when there is no such portal or it was disabled before."""
        return once(
            self._tx,
            update(portals)
            .where(portals.c.id == portal_id, portals.c.disabled_at.is_(None))
            .values(disabled_at=at),
        )


class SubjectTable:
    """Who a person is towards a sector and towards one portal's login: random names, kept."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def of(self, person_id: str, sector: str) -> str:
        """The person's ``sub``, made at the first call. Two calls at the same time agree."""
        subject = self.known(person_id, sector)
        if subject is None:
            insert_if_absent(
                self._tx,
                portal_subjects,
                {"sector": sector, "person_id": person_id, "subject": secrets.token_urlsafe(24)},
            )
            subject = self.known(person_id, sector)
        assert subject is not None
        return subject

    def known(self, person_id: str, sector: str) -> str | None:
        """The person's ``sub`` if there is one already."""
        return self._tx.execute(
            select(portal_subjects.c.subject).where(
                portal_subjects.c.sector == sector, portal_subjects.c.person_id == person_id
            )
        ).scalar_one_or_none()

    def sid(self, *, session_id: str, portal_id: str, person_id: str, at: datetime) -> str:
        """The login's name towards the portal, made at the first call."""
        sid = self.known_sid(session_id=session_id, portal_id=portal_id)
        if sid is None:
            insert_if_absent(
                self._tx,
                portal_logins,
                {
                    "session_id": session_id,
                    "portal_id": portal_id,
                    "person_id": person_id,
                    "sid": secrets.token_urlsafe(24),
                    "created_at": at,
                },
            )
            sid = self.known_sid(session_id=session_id, portal_id=portal_id)
        assert sid is not None
        return sid

    def known_sid(self, *, session_id: str, portal_id: str) -> str | None:
        """The login's name towards the portal if it was there."""
        query = select(portal_logins.c.sid).where(
            portal_logins.c.session_id == session_id, portal_logins.c.portal_id == portal_id
        )
        return self._tx.execute(query).scalar_one_or_none()

    def forget(self, person_id: str) -> None:
        """Erasure: afterwards no ``sub`` leads to the person."""
        self._tx.execute(delete(portal_subjects).where(portal_subjects.c.person_id == person_id))
        self._tx.execute(delete(portal_logins).where(portal_logins.c.person_id == person_id))


class ConsentTable:
    """What people share with portals, within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def get(self, person_id: str, portal_id: str) -> Consent | None:
        row = self._tx.execute(
            select(portal_consents).where(
                portal_consents.c.person_id == person_id,
                portal_consents.c.portal_id == portal_id,
                portal_consents.c.withdrawn_at.is_(None),
            )
        ).one_or_none()
        return _consent(row) if row else None

    def of(self, person_id: str) -> list[Consent]:
        """Those that stand, newest first."""
        query = (
            select(portal_consents)
            .where(portal_consents.c.person_id == person_id, portal_consents.c.withdrawn_at.is_(None))
            .order_by(portal_consents.c.given_at.desc(), portal_consents.c.portal_id)
        )
        return [_consent(row) for row in self._tx.execute(query)]

    def give(self, consent: Consent) -> None:
        """Replaces what was agreed to before; the caller adds up."""
        key = {"person_id": consent.person_id, "portal_id": consent.portal_id}
        values: dict[str, Any] = {"scopes": joined(consent.scopes), "given_at": consent.given_at}
        if not insert_if_absent(self._tx, portal_consents, {**key, **values}):
            self._tx.execute(
                update(portal_consents)
                .where(
                    portal_consents.c.person_id == consent.person_id,
                    portal_consents.c.portal_id == consent.portal_id,
                )
                .values(**values, withdrawn_at=None)
            )

    def withdraw(self, person_id: str, portal_id: str, at: datetime) -> bool:
        """False when there was nothing to withdraw."""
        return once(
            self._tx,
            update(portal_consents)
            .where(
                portal_consents.c.person_id == person_id,
                portal_consents.c.portal_id == portal_id,
                portal_consents.c.withdrawn_at.is_(None),
            )
            .values(withdrawn_at=at),
        )

    def forget(self, person_id: str) -> None:
        self._tx.execute(delete(portal_consents).where(portal_consents.c.person_id == person_id))

    def prune(self, withdrawn_before: datetime) -> None:
        self._tx.execute(delete(portal_consents).where(portal_consents.c.withdrawn_at < withdrawn_before))


def insert_if_absent(tx: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Whether this call put the row there; a row that was there stays as it is.

    The row itself is the answer: drivers do not count the rows of an INSERT reliably (psycopg says -1).
    """
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    put = dialect.insert(table).values(values).on_conflict_do_nothing()
    return tx.execute(put.returning(*table.primary_key.columns)).first() is not None


def once(tx: Connection, statement: Any, values: Mapping[str, Any] | None = None) -> bool:
    """Run a conditional UPDATE; true when it changed its one row."""
    return bool(tx.execute(statement, values or {}).rowcount == 1)


def joined(words: frozenset[str]) -> str:
    return " ".join(sorted(words))


def aware(value: datetime) -> datetime:
    """SQLite hands back naive times; what was stored is UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def aware_or_none(value: datetime | None) -> datetime | None:
    return None if value is None else aware(value)


def portal_of(row: Row[Any], prefix: str = "") -> Portal:
    values = {name: row._mapping[f"{prefix}{name}"] for name in portals.columns.keys()}  # noqa: SIM118
    secret_hash = values["secret_hash"]
    return Portal(
        **values
        | {
            "kind": PortalKind(values["kind"]),
            "authentication": Method(values["authentication"]),
            "redirect_uris": tuple(json.loads(values["redirect_uris"])),
            "post_logout_redirect_uris": tuple(json.loads(values["post_logout_redirect_uris"])),
            "scopes": frozenset(values["scopes"].split()),
            "id_token_algorithm": IdTokenAlgorithm(values["id_token_algorithm"]),
            "created_at": aware(values["created_at"]),
            "secret_hash": None if secret_hash is None else bytes(secret_hash),
            "disabled_at": aware_or_none(values["disabled_at"]),
        }
    )


def _consent(row: Row[Any]) -> Consent:
    return Consent(row.person_id, row.portal_id, frozenset(row.scopes.split()), aware(row.given_at))
