"""Fixtures for every slice's tests. What they are made of stands in ``tests/support``."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from sqlalchemy import MetaData

from tests.support.clock import FrozenClock
from tests.support.databases import Begin, opened
from tests.support.memory import use_memory
from tests.support.needs import ROOT, skip_is_failure, tool_path
from tests.support.postgres import PostgresCluster, running_cluster
from tests.support.s3 import S3Server, running_s3
from tests.support.server import RunningServer, free_port
from tests.support.shelf import Kind, Layout, Shelf, tables_of
from tests.support.sockets import SocketGuard

if TYPE_CHECKING:
    from app.vault import CustodyVault

_GUARD = SocketGuard()
# Fixtures that speak to a process of our own; a test that uses one may open loopback sockets.
_LOOPBACK_FIXTURES = frozenset({"serve", "chromium", "page", "s3"})


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "requires_tool(*names): runs these system tools; write it as requires(...)"
    )
    use_memory()
    _GUARD.install()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before ``-m "not soak"`` takes its choice."""
    for item in items:
        if item.get_closest_marker("either_database") and "postgresql" in _parameters(item):
            item.add_marker("soak")


def _parameters(item: pytest.Item) -> Collection[object]:
    call = getattr(item, "callspec", None)
    return () if call is None else call.params.values()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Around the whole protocol, not in a fixture: session fixtures come to life before any other."""
    fixtures = set(getattr(item, "fixturenames", ()))
    with _GUARD.loopback("network" in item.keywords or bool(fixtures & _LOOPBACK_FIXTURES)):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("requires_tool"):
        for tool in marker.args:
            tool_path(tool)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    return _judged((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    return _judged((yield))


def _judged(report: Any) -> Any:
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if skip_is_failure(reason):
            report.outcome = "failed"
            report.longrepr = f"{reason}\nABSAH_REQUIRE=all lets nothing be skipped."
    return report


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that stands still; ``clock.advance(timedelta(days=1))`` and ``clock.set(...)`` move it."""
    return FrozenClock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresCluster]:
    """A PostgreSQL server of this test process's own."""
    with running_cluster(tool_path("initdb"), tool_path("postgres")) as cluster:
        yield cluster


@pytest.fixture
def postgres_url(postgres: PostgresCluster) -> Iterator[str]:
    """SQLAlchemy URL of a fresh, empty PostgreSQL database."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """An S3 server of this test process's own."""
    with running_s3() as server:
        yield server


@pytest.fixture(scope="session")
def shelf(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Databases of this test process that are made once and lent many times."""
    made = Shelf(tmp_path_factory.mktemp("shelf"), lambda: request.getfixturevalue("postgres"))
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> Kind:
    """The test runs once on each kind of database."""
    kind: Kind = request.param
    return kind


@pytest.fixture
def lend(database_kind: Kind, shelf: Shelf, tmp_path: Path) -> Iterator[Lend]:
    """One database per test; it goes back when the test ends."""
    with ExitStack() as stack:
        lent: dict[Layout, str] = {}

        def make(*schemas: MetaData, layout: Layout | None = None) -> str:
            wanted = layout or tables_of(*schemas)
            if wanted not in lent:
                assert not lent, "a test has one database"
                lent[wanted] = stack.enter_context(shelf.lend(database_kind, wanted, tmp_path / "absah.db"))
            return lent[wanted]

        yield make


@pytest.fixture
def database_url(lend: Lend) -> str:
    """SQLAlchemy URL of an empty database."""
    return lend()


@pytest.fixture
def begin_with(lend: Lend) -> Iterator[Callable[..., Begin]]:
    """``begin = begin_with(metadata)`` lends a database with a slice's tables and returns a ``Begin``."""
    with ExitStack() as stack:

        def make(*schemas: MetaData) -> Begin:
            return stack.enter_context(opened(lend(*schemas)))

        yield make


@pytest.fixture
def vault(tmp_path: Path, clock: FrozenClock) -> Iterator[CustodyVault]:
    """The real vault; its keys rest in a database of its own, so it works inside any transaction."""
    from tests.support.vault import vault_in

    with vault_in(tmp_path, clock) as made:
        yield made


class Lend(Protocol):
    """Lends a database of this layout, or one with the tables of these schemas; returns SQLAlchemy's URL."""

    def __call__(self, *schemas: MetaData, layout: Layout | None = None) -> str: ...


class Serve(Protocol):
    """Starts ``absah serve`` with these settings and arguments and waits until it is ready."""

    def __call__(self, settings: dict[str, str], *arguments: str) -> RunningServer: ...


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """A factory of served processes; all of them are stopped when the test ends."""
    with ExitStack() as stack:
        started = 0

        def start(settings: dict[str, str], *arguments: str) -> RunningServer:
            nonlocal started
            started += 1
            server = RunningServer(settings, arguments, tmp_path / f"serve-{started}.log", free_port())
            stack.callback(server.close)
            server.start()
            return server

        yield start


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A Playwright ``Browser``. For one module, so that the modules after it can run event loops again."""
    from tests.support.browser import running_chromium

    with running_chromium(tool_path("chromium")) as browser:
        yield browser


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A Playwright ``Page`` in a context of its own; a script error on the page fails the test."""
    context = chromium.new_context(locale="id-ID", timezone_id="Asia/Jakarta")
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors, f"script errors on the page: {errors}"


@pytest.fixture
def screenshots(request: pytest.FixtureRequest) -> Path:
    """Folder that keeps this test's pictures after the run: ``var/screenshots/<test>``."""
    return ROOT / "var" / "screenshots" / re.sub(r"[^\w.-]+", "-", request.node.name).strip("-")
