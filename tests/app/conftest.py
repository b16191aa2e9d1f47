"""A database as the processes open it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app import schema
from app.database import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Migrated; once on SQLite and once on PostgreSQL."""
    opened = Database(database_url, busy_seconds=5)
    schema.upgrade(opened)
    yield opened
    opened.close()
