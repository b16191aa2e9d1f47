"""The ground itself: what the fixtures promise to every other test."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, insert, make_url, select, text

from tests.support.clock import FrozenClock
from tests.support.databases import Begin
from tests.support.needs import CORPUS_MISSING, ROOT, requires, skip_is_failure
from tests.support.postgres import PostgresCluster
from tests.support.sockets import SocketRefused


def test_a_unit_test_cannot_connect() -> None:
    with socket.socket() as opened, pytest.raises(SocketRefused, match="unit tests open no sockets"):
        opened.connect(("127.0.0.1", 9))


def test_a_unit_test_cannot_bind_or_send_or_look_up_names() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as opened:
        with pytest.raises(SocketRefused):
            opened.bind(("127.0.0.1", 0))
        with pytest.raises(SocketRefused):
            opened.sendto(b"", ("127.0.0.1", 9))
    with pytest.raises(SocketRefused):
        socket.getaddrinfo("example.org", 443)


def test_a_unit_test_may_run_an_event_loop() -> None:
    assert asyncio.run(asyncio.sleep(0, result=1)) == 1


@pytest.mark.network
def test_the_network_marker_opens_loopback_and_nothing_else() -> None:
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
    with socket.socket() as outside, pytest.raises(SocketRefused, match="loopback"):
        outside.connect(("192.0.2.1", 443))
    with socket.socket() as everywhere, pytest.raises(SocketRefused, match="loopback"):
        everywhere.bind(("", 0))


def test_each_test_gets_an_empty_database(database_url: str) -> None:
    engine = create_engine(database_url)
    try:
        with engine.begin() as tx:
            tx.execute(text("CREATE TABLE only_here (id INTEGER)"))
    finally:
        engine.dispose()


def test_a_begin_commits_at_the_end_and_rolls_back_on_an_error(begin_with: Callable[..., Begin]) -> None:
    schema = MetaData()
    table = Table("things", schema, Column("id", Integer, primary_key=True))
    begin = begin_with(schema)
    with begin() as tx:
        tx.execute(insert(table).values(id=1))

    def fail_half_way() -> None:
        with begin() as tx:
            tx.execute(insert(table).values(id=2))
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        fail_half_way()
    with begin() as tx:
        assert tx.execute(select(table.c.id)).scalars().all() == [1]


def test_a_dropped_database_is_gone(postgres: PostgresCluster) -> None:
    with postgres.database() as url:
        name = make_url(url).database
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(host=str(postgres.folder), user="absah", dbname=name)


def test_the_clock_stands_still_until_it_is_moved(clock: FrozenClock) -> None:
    start = clock()
    assert clock() == start
    assert start.tzinfo is UTC
    assert clock.advance(timedelta(minutes=5)) == clock() == start + timedelta(minutes=5)
    with pytest.raises(ValueError, match="aware"):
        clock.set(datetime(2026, 1, 1))  # noqa: DTZ001 - a naive time is the bad input here


def test_a_tool_needs_a_package_name_before_it_may_be_asked_for() -> None:
    with pytest.raises(LookupError, match=r"needs\.py"):
        requires("a-tool-nobody-packaged")


def test_require_all_spares_only_the_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSAH_REQUIRE", "all")
    assert skip_is_failure("qpdf is missing: apt-get install qpdf")
    assert not skip_is_failure(CORPUS_MISSING)
    monkeypatch.delenv("ABSAH_REQUIRE")
    assert not skip_is_failure("qpdf is missing: apt-get install qpdf")


def test_a_missing_tool_skips_and_fails_when_everything_is_required(tmp_path: Path) -> None:
    """A run of its own, with a PATH on which no tool is found."""
    probe = ROOT / "tests" / "support" / "probe_missing_tool.py"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:xdist",
        "-c",
        str(ROOT / "pyproject.toml"),
        str(probe),
    ]
    bare = {"PATH": str(tmp_path), "PYTHONPATH": str(ROOT)}
    lenient = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True, check=False)
    assert "1 skipped" in lenient.stdout
    assert "apt-get install qpdf" in lenient.stdout
    strict = subprocess.run(
        command, cwd=ROOT, env=bare | {"ABSAH_REQUIRE": "all"}, capture_output=True, text=True, check=False
    )
    assert strict.returncode == 1
    assert "ABSAH_REQUIRE=all lets nothing be skipped" in strict.stdout


@requires("chromium")
def test_the_browser_renders_and_cannot_leave_the_machine(page: Any, screenshots: Path) -> None:
    page.set_content("<h1 lang=id>Absah</h1>")
    page.screenshot(path=screenshots / "page.png")
    assert (screenshots / "page.png").stat().st_size > 0
    with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
        page.goto("http://example.org/")
