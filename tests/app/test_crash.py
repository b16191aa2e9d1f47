"""kill -9 around every durable write of a sealing job: no document is lost, none is issued twice."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from app.clock import system_clock
from app.settings import Settings
from app.wiring import Core, build_core
from signing.model import DocumentState
from signing.ports import Caller
from signing.tables import DocumentTable
from tests.support.server import environment

# Imports once, then forks: each child seals one document and kills itself at its crash point.
DRIVER = """
import io, os, signal, sys
from contextlib import ExitStack, contextmanager
from datetime import date

from app.database import Database
from app.demo import sample_documents
from app.settings import Settings
from app.storage import ObjectFiles
from app.wiring import build_core
from signing.model import DocumentFacts
from signing.ports import Caller

PDF = sample_documents()[0].pdf

armed = False

def arm(point, when):
    count = 0
    def watched(act):
        nonlocal count
        count += armed
        if not armed:
            return act()
        if count == point and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = act()
        if count == point and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    put, delete, begin = ObjectFiles.put, ObjectFiles.delete, Database.begin
    ObjectFiles.put = lambda self, *args: watched(lambda: put(self, *args))
    ObjectFiles.delete = lambda self, *args: watched(lambda: delete(self, *args))
    @contextmanager
    def counted(self):
        manager = begin(self)
        tx = manager.__enter__()
        try:
            yield tx
        except BaseException:
            if not manager.__exit__(*sys.exc_info()):
                raise
        else:
            watched(lambda: manager.__exit__(None, None, None))  # the commit is the write
    Database.begin = counted

def seal(point, when):
    global armed
    arm(point, when)  # before the services take hold of what is watched
    with ExitStack() as closing:
        core = build_core(Settings.load(), closing=closing)
        core.identities.seal_of("dinas")
        core.tsa.chain
        core.revocation.current_crl("issuing-1")
        agency = core.agencies.agency("dinas")
        armed = True
        facts = DocumentFacts("decree", f"{point}-{when}", "Uji", "Kepala", date(2026, 1, 1))
        caller = Caller("crash", agency.id, agency.name, frozenset({"documents.issue:*"}))
        core.sealing.seal(caller, facts, io.BytesIO(PDF), idempotency_key=f"{point}-{when}")

for point in range(1, 20):
    survived = 0
    for when in ("before", "after"):
        child = os.fork()
        if child == 0:
            try:
                seal(point, when)
            except BaseException:
                import traceback; traceback.print_exc(); os._exit(3)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            survived += 1
        print(point, when, "killed" if os.WIFSIGNALED(status) else "finished", flush=True)
    if survived == 2:
        break
"""


def _core(settings: Settings, closing: ExitStack, later: timedelta = timedelta()) -> Core:
    return build_core(settings, closing=closing, clock=lambda: system_clock() + later)


@pytest.mark.either_database
def test_a_job_that_was_killed_at_any_point_is_finished_once(settings: Settings) -> None:
    with ExitStack() as closing:
        _core(settings, closing).revocation.current_crl("issuing-1")
    ran = subprocess.run(
        [sys.executable, "-c", DRIVER],
        env=environment({"ABSAH_DATA_DIR": str(settings.home), "ABSAH_DATABASE_URL": settings.database_url}),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert ran.returncode == 0, ran.stderr
    points = [line.split() for line in ran.stdout.splitlines()]
    killed = {(point, when) for point, when, how in points if how == "killed"}
    assert len(killed) >= 8, ran.stdout

    with ExitStack() as closing:
        core = _core(settings, closing, later=timedelta(minutes=5))  # every lease has lapsed
        with core.database.read() as tx:
            keys = set(tx.scalars(text("SELECT idempotency_key FROM documents")))
        finished = core.sealing.finish_abandoned()
        assert finished >= 1
        assert core.sealing.finish_abandoned() == 0
        with core.database.read() as tx:
            documents = [DocumentTable(tx).by_idempotency_key("crash", key) for key in keys]
        # Whatever was committed as an intent came to exactly one outcome, and its file is whole.
        for document in documents:
            assert document is not None
            assert document.state is DocumentState.ISSUED
            with core.register.open_file(document) as file:
                assert core.verification.by_file(file).outcome.value == "valid"
        # Each intent and each outcome stands in the trail once, and the chain survived the crashes.
        with core.database.read() as tx:
            core.audit.verify(tx)
            trail = [(entry.action, entry.subject) for entry in core.audit.entries(tx)]
        for document in documents:
            assert document is not None
            assert trail.count(("document.intended", document.id)) == 1
            assert trail.count(("document.issued", document.id)) == 1
        # The caller who never got an answer repeats the request and gets that document.
        caller = Caller("crash", "dinas", "Dinas", frozenset({"documents.issue:*", "documents.read"}))
        assert {entry.id for entry in core.register.page(caller, limit=200)} == {
            document.id for document in documents if document
        }
