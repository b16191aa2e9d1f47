"""The schedule asks for a successor once, and for the rest waits for people."""

from __future__ import annotations

from datetime import timedelta

from app.wiring import Core
from keys.approvals import KeyAct
from keys.model import KeyPurpose
from tests.app.rotation.conftest import active, work
from tests.support.clock import FrozenClock

YEAR = timedelta(days=365)


def asked(core: Core) -> list[tuple[str, str, str]]:
    return [
        (one.request.requester, one.request.parameters["purpose"], one.request.parameters["reason"])
        for one in core.dual_control.list()
        if one.request.act is KeyAct.ROTATE
    ]


def test_a_young_service_has_nothing_due(core: Core) -> None:
    assert core.schedule.due() == []
    assert core.schedule.raise_requests() == 0


def test_a_key_that_is_due_is_asked_for_once_and_replaced(core: Core, clock: FrozenClock) -> None:
    clock.advance(YEAR - timedelta(days=80))
    made = core.schedule.raise_requests()
    assert {purpose for _, purpose, _ in asked(core)} == {"ocsp", "timestamping", "token"}
    assert {requester for requester, _, _ in asked(core)} == {"policy"}
    assert made == 3
    assert core.schedule.raise_requests() == 0, "what was asked for is not asked for again"
    before = active(core, KeyPurpose.OCSP, "issuing-1")[0]
    work(core)
    assert active(core, KeyPurpose.OCSP, "issuing-1")[0].created_at > before.created_at
    assert core.schedule.raise_requests() == 0, "the successor is not due"


def test_an_old_seal_is_due_by_its_age(core: Core, clock: FrozenClock) -> None:
    clock.advance(YEAR)
    core.schedule.raise_requests()
    assert ("policy", "seal", "age: it was made on 2026-06-01") in asked(core)
