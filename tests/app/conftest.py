"""A database, a service and an application as the processes open them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import make_url

from app import schema
from app.database import Database
from app.main import build_app
from app.provisioning import certify_agency, initialise
from app.settings import Settings
from app.wiring import Core, build_core
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.support.postgres import PostgresCluster
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


def _initialise(data_dir: Path, database_url: str) -> Settings:
    settings = Settings(data_dir=data_dir, database={"url": database_url})
    with ExitStack() as closing:
        made = initialise(settings, closing=closing, actor="test", clock=FrozenClock())
        agency = made.agencies.add_agency(
            "dinas", name="Dinas Contoh", organization_identifier="NTRID-1", actor="test"
        )
        certify_agency(made, agency, actor="test")
    return settings


@pytest.fixture(scope="session")
def sqlite_house(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Initialised once, to be copied: making the keys takes longer than most tests."""
    folder = tmp_path_factory.mktemp("house")
    return _initialise(folder / "data", f"sqlite:///{folder / 'absah.db'}")


@pytest.fixture(scope="session")
def postgres_house(postgres: PostgresCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The same on PostgreSQL."""
    with postgres.database() as url:
        yield _initialise(tmp_path_factory.mktemp("house") / "data", url)


@pytest.fixture
def core(request: pytest.FixtureRequest, settings: Settings, clock: FrozenClock) -> Iterator[Core]:
    """An initialised service with agency ``dinas`` and its seal, on a frozen clock."""
    url = settings.database_url
    kind = "sqlite" if url.startswith("sqlite") else "postgres"
    house: Settings = request.getfixturevalue(f"{kind}_house")
    shutil.copytree(house.home, settings.home, dirs_exist_ok=True, ignore=shutil.ignore_patterns("documents"))
    if kind == "sqlite":
        shutil.copyfile(make_url(house.database_url).database or "", make_url(url).database or "")
    else:
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        cluster.fill(url, house.database_url)
    with ExitStack() as closing:
        yield build_core(settings, closing=closing, clock=clock)


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
