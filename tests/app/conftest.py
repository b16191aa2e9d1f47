"""A database, a service and an application as the processes open them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app import schema
from app.database import Database
from app.main import build_app
from app.provisioning import certify_agency, initialise
from app.settings import Settings
from app.wiring import Core
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.support.tokens import bearer_token


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Migrated; once on SQLite and once on PostgreSQL."""
    opened = Database(database_url, busy_seconds=5)
    schema.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """A service of its own in a temporary folder."""
    return Settings(data_dir=tmp_path / "data", database={"url": database_url})


@pytest.fixture
def core(settings: Settings, clock: FrozenClock) -> Iterator[Core]:
    """An initialised service with agency ``dinas`` and its seal, on a frozen clock."""
    with ExitStack() as closing:
        made = initialise(settings, closing=closing, actor="test", clock=clock)
        agency = made.agencies.add_agency(
            "dinas", name="Dinas Contoh", organization_identifier="NTRID-1", actor="test"
        )
        certify_agency(made, agency, actor="test")
        yield made


@pytest.fixture
def api(core: Core) -> Iterator[InProcess]:
    """The core application over HTTP, in this process."""
    with ExitStack() as closing:
        yield InProcess(build_app(core, closing=closing))


@pytest.fixture
def token(core: Core, api: InProcess) -> str:
    """An access token that may do everything for agency ``dinas``."""
    scopes = ["documents.issue:*", "documents.read", "documents.revoke"]
    made = core.agencies.add_client("dinas", name="test", scopes=scopes, actor="test")
    return bearer_token(api, made)
