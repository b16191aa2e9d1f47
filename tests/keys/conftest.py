"""A key service on a real database, with clocks that only the test moves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    func,
    insert,
    select,
)

from app.vault import CustodyVault
from keys import tables
from keys.service import KeyService
from keys.stores.kek import KeyEncryptionKey, create_key_encryption_key
from keys.stores.software import SoftwareKeyStore
from tests.conftest import Lend
from tests.support.clock import FrozenClock

if TYPE_CHECKING:
    from tests.keys.office import Office

audit_metadata = MetaData()
audit_entries = Table(
    "audit_entries",
    audit_metadata,
    Column("n", Integer, primary_key=True),
    Column("action", String),
    Column("actor", String),
    Column("subject", String),
    Column("facts", String),
)


class AuditInTable:
    """An audit trail that lives and dies with the caller's transaction, as the real one does."""

    def append(
        self, tx: Connection, *, action: str, actor: str, subject: str, facts: Mapping[str, str] | None = None
    ) -> None:
        tx.execute(
            insert(audit_entries).values(
                action=action, actor=actor, subject=subject, facts=json.dumps(dict(facts or {}))
            )
        )

    def newest(self, tx: Connection, *, action: str, subject: str) -> Mapping[str, str] | None:
        facts = tx.execute(
            select(audit_entries.c.facts)
            .where(audit_entries.c.action == action, audit_entries.c.subject == subject)
            .order_by(audit_entries.c.n.desc())
            .limit(1)
        ).scalar_one_or_none()
        return None if facts is None else json.loads(facts)

    def count(self, tx: Connection, *, action: str, subject: str) -> int:
        return tx.execute(
            select(func.count())
            .select_from(audit_entries)
            .where(audit_entries.c.action == action, audit_entries.c.subject == subject)
        ).scalar_one()


@dataclass
class Times:
    """``now`` is the wall clock, ``ticks`` the monotonic one in seconds."""

    now: datetime = datetime(2026, 11, 22, 8, tzinfo=UTC)
    ticks: float = 1000.0

    def clock(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.ticks


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path / 'keys.db'}")
    tables.metadata.create_all(engine)
    audit_metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def kek_file(tmp_path: Path) -> Path:
    path = tmp_path / "kek"
    create_key_encryption_key(path)
    return path


@pytest.fixture
def software_store(engine: Engine, kek_file: Path) -> SoftwareKeyStore:
    return SoftwareKeyStore(
        encrypted_keys=tables.EncryptedKeyTable(engine.begin), kek=KeyEncryptionKey(kek_file)
    )


@pytest.fixture
def service(engine: Engine, software_store: SoftwareKeyStore, times: Times) -> KeyService:
    def begin() -> AbstractContextManager[Connection]:
        return engine.begin()

    return KeyService(
        begin=begin,
        stores={"software": software_store},
        clock=times.clock,
        audit=AuditInTable(),
        monotonic=times.monotonic,
    )


@pytest.fixture
def office(lend: Lend, vault: CustodyVault, clock: FrozenClock) -> Iterator[Office]:
    """Two of three custodians have to agree; once on SQLite and once on PostgreSQL."""
    from tests.keys.office import opened_office  # it keeps its trail in this file's table

    with opened_office(lend(tables.metadata, audit_metadata), vault, clock) as office:
        yield office


def audited(engine: Engine) -> list[str]:
    with engine.begin() as tx:
        return list(tx.scalars(select(audit_entries.c.action).order_by(audit_entries.c.n)))
