"""A database, a service and an application as the processes open them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from app import schema
from app.database import Database
from app.main import build_app
from app.provisioning import certify_agency, initialise
from app.settings import Settings
from app.wiring import Core, build_core
from tests.conftest import Lend
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.support.estate import Estate, Past
from tests.support.shelf import Layout
from tests.support.tokens import bearer_token


@pytest.fixture
def database(lend: Lend) -> Iterator[Database]:
    """Migrated; once on SQLite and once on PostgreSQL."""
    opened = Database(lend(layout=Layout("migrated", _migrate)), busy_seconds=5)
    yield opened
    opened.close()


def _migrate(url: str) -> None:
    database = Database(url)
    schema.upgrade(database)
    database.close()


@pytest.fixture(scope="session")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """Initialised services with agency ``dinas`` and its seal."""
    return Estate(tmp_path_factory.mktemp("estate"), _initialise)


def inhabited(folder: Path, live: Callable[[Core, InProcess, FrozenClock], Any], **sections: Any) -> Estate:
    """As ``estate``, after ``live`` happened there. ``sections`` are settings that differ from the defaults.

    A module whose tests all begin with the same people overrides ``estate`` with this one, and takes what
    ``live`` returned from :meth:`Estate.remembered`.
    """

    def initialise_and_live(settings: Settings) -> Past:
        _initialise(settings)
        clock = FrozenClock()
        with ExitStack() as closing:
            core = build_core(settings.model_copy(update=sections), closing=closing, clock=clock)
            api = InProcess(build_app(core, closing=closing))
            return Past(core, api, clock, live(core, api, clock))

    return Estate(folder, initialise_and_live)


def _initialise(settings: Settings) -> None:
    with ExitStack() as closing:
        made = initialise(settings, closing=closing, actor="test", clock=FrozenClock())
        agency = made.agencies.add_agency(
            "dinas", name="Dinas Contoh", organization_identifier="NTRID-1", actor="test"
        )
        certify_agency(made, agency, actor="test")


@pytest.fixture
def settings(estate: Estate, lend: Lend, tmp_path: Path) -> Settings:
    """An initialised service of the test's own; once on SQLite and once on PostgreSQL."""
    url = lend(layout=estate.layout)
    return Settings(data_dir=estate.home(url, tmp_path / "data"), database={"url": url})


@pytest.fixture
def core(settings: Settings, clock: FrozenClock) -> Iterator[Core]:
    """The service with agency ``dinas`` and its seal, on a frozen clock."""
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
