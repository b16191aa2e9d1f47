"""Dual control against a model of it: whatever people do in whatever order, nothing starts that must not."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from app.database import Database
from keys.approvals import ApprovalPolicy, KeyAct, KeyRequest, Outcome, RequestState, Verdict
from keys.custodianship import Custodians
from keys.dual_control import MOST_WAITING, DualControl
from keys.errors import DualControlError
from keys.tables import metadata
from tests.keys.conftest import AuditInTable, audit_metadata
from tests.support.clock import FrozenClock
from tests.support.custodians import KeyHolder
from tests.support.vault import vault_in

HOLDERS = {name: KeyHolder(name) for name in ("ani", "budi", "citra", "dewi")}
REQUIRED = 2
LIFETIME = timedelta(hours=2)


@dataclass
class Modelled:
    """A request as the rules say it should be."""

    request: KeyRequest
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    state: RequestState = RequestState.WAITING

    def names(self, verdict: Verdict) -> set[str]:
        return {name for name, given in self.verdicts.items() if given is verdict}

    @property
    def is_out_of_reach(self) -> bool:
        able = set(HOLDERS) - {self.request.requester}
        return len(able - self.names(Verdict.REJECT)) < REQUIRED


class DualControlMachine(RuleBasedStateMachine):
    """Requests by custodians and by others, decisions right and wrong, claims, ends, and passing time."""

    requests = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self._closing = ExitStack()
        folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory()))
        self.clock = FrozenClock()
        database = Database(f"sqlite:///{folder / 'absah.db'}")
        self._closing.callback(database.close)
        for schema in (metadata, audit_metadata):
            schema.create_all(database.engine)
        ports: dict[str, Any] = {
            "begin": database.begin,
            "read": database.read,
            "clock": self.clock,
            "audit": AuditInTable(),
            "sealer": self._closing.enter_context(vault_in(folder, self.clock)),
            "policy": ApprovalPolicy(REQUIRED, LIFETIME),
        }
        custodians = Custodians(**ports)
        self.control = DualControl(**ports, custodians=custodians)
        free = DualControl(**ports | {"policy": ApprovalPolicy(0, LIFETIME)}, custodians=custodians)
        for number, holder in enumerate(HOLDERS.values()):
            if number < REQUIRED:
                custodians.change_freely(holder.joining, actor="test")
            else:
                asked = free.request(KeyAct.CUSTODIANS, holder.joining, requester="test")
                free.change_custodians(asked.id)
        self.model: dict[str, Modelled] = {}

    def teardown(self) -> None:
        self._closing.close()

    def _expect(self, allowed: bool, act: Any) -> None:
        if allowed:
            act()
        else:
            with pytest.raises(DualControlError):
                act()

    def _waits(self, one: Modelled) -> bool:
        return one.state is RequestState.WAITING and self.clock() < one.request.expires_at

    @rule(target=requests, requester=st.sampled_from([*HOLDERS, "upkeep", "cli:root"]))
    def ask(self, requester: str) -> str:
        waiting = [one for one in self.model.values() if self._waits(one)]
        if sum(one.request.requester == requester for one in waiting) >= MOST_WAITING:
            return next(iter(self.model))
        request = self.control.request(KeyAct.DESTROY, {"key": "seal-1"}, requester=requester)
        self.model[request.id] = Modelled(request)
        return request.id

    @rule(request=requests, name=st.sampled_from(sorted(HOLDERS)), verdict=st.sampled_from(Verdict))
    def decide(self, request: str, name: str, verdict: Verdict) -> None:
        one = self.model[request]
        earlier = one.verdicts.get(name)
        allowed = self._waits(one) and name != one.request.requester and earlier in (None, verdict)
        self._expect(
            allowed, lambda: self.control.decide(request, HOLDERS[name].decides(one.request, verdict))
        )
        if allowed:
            one.verdicts[name] = verdict
            if one.is_out_of_reach:
                one.state = RequestState.REJECTED

    @rule(request=requests, other=requests, name=st.sampled_from(sorted(HOLDERS)))
    def replay(self, request: str, other: str, name: str) -> None:
        if request != other:
            signed = HOLDERS[name].approves(self.model[other].request)
            self._expect(False, lambda: self.control.decide(request, signed))

    @rule(request=requests)
    def claim(self, request: str) -> None:
        one = self.model[request]
        allowed = self._waits(one) and len(one.names(Verdict.APPROVE)) >= REQUIRED
        self._expect(allowed, lambda: self.control.claim(request))
        if allowed:
            one.state = RequestState.STARTED

    @rule(request=consumes(requests), outcome=st.sampled_from(Outcome))
    def finish(self, request: str, outcome: Outcome) -> None:
        one = self.model[request]
        allowed = one.state is RequestState.STARTED or one.state.value == outcome.value
        self._expect(allowed, lambda: self.control.finish(request, outcome))
        if allowed:
            one.state = RequestState(outcome.value)

    @rule(minutes=st.integers(1, 90))
    def time_passes(self, minutes: int) -> None:
        self.clock.advance(timedelta(minutes=minutes))

    @invariant()
    def what_is_ready_is_what_the_model_says(self) -> None:
        expected = {
            one.request.id
            for one in self.model.values()
            if self._waits(one) and len(one.names(Verdict.APPROVE)) >= REQUIRED
        }
        assert {request.id for request in self.control.ready()} == expected

    @invariant()
    def whoever_asked_is_never_among_those_who_approved(self) -> None:
        for standing in self.control.list():
            assert not standing.is_void
            assert standing.request.requester not in standing.approved_by
            if standing.state is RequestState.STARTED:
                assert len(set(standing.approved_by)) >= REQUIRED


TestDualControl = DualControlMachine.TestCase
TestDualControl.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
