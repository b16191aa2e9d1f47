"""A service whose keys change, and helpers that every test of rotations uses."""

from __future__ import annotations

import io
from datetime import date

import pytest

from app.demo import sample_documents
from app.rotation.model import Rotation
from app.wiring import Core
from app.workflows import runner
from app.workflows.known import known_workflows
from keys.model import KeyPurpose, KeyRecord
from signing.model import Document, DocumentFacts
from signing.ports import Caller

CALLER = Caller("system", "dinas", "Dinas Contoh", frozenset({"documents.issue:*"}))
PDF = sample_documents()[0].pdf


@pytest.fixture(autouse=True)
def _verifiers_look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.rotation.canary.NOTICED", 0.0)


def work(core: Core, *, seconds: float = 60) -> None:
    """Everything that can be done now, through the real engine."""
    assert runner.run_until_idle(core.database, known_workflows(core), seconds=seconds, poll=0.05)


def rotated(core: Core, purpose: KeyPurpose, owner: str = "") -> Rotation:
    request = core.rotations.request(purpose, owner, requester="test")
    work(core)
    return core.rotations.get(request.id)


def active(core: Core, purpose: KeyPurpose, owner: str = "") -> list[KeyRecord]:
    return list(core.keys.in_use(purpose, owner))


def sealed(core: Core, number: str) -> Document:
    facts = DocumentFacts("decree", number, "Uji", "Kepala", date(2026, 1, 1))
    return core.sealing.seal(CALLER, facts, io.BytesIO(PDF), idempotency_key=number)


def audited(core: Core, action: str) -> list[tuple[str, str]]:
    with core.database.read() as tx:
        return [(one.subject, one.facts) for one in core.audit.entries(tx) if one.action == action]
