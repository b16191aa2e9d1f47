"""Numbers that are looked up when somebody asks for the metrics: what ends when, and what waits for
people."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from app.compromise.model import OPEN, Counts
from app.compromise.service import Compromise
from app.expiries import Expiries, Expiry
from app.telemetry import Reading
from app.workflows.model import Workflow
from ca.model import ProfileName
from keys.approvals import RequestState
from keys.approvals import Standing as RequestStanding
from keys.model import KeyPurpose
from keys.service import KeyService

_OPEN: Final = (RequestState.WAITING, RequestState.READY, RequestState.STARTED)
_COUNT_SECONDS: Final = 60.0
_SEALS: Final = frozenset({ProfileName.SEAL.value, KeyPurpose.SEAL.value})


def expiry_readings(expiries: Expiries, clock: Callable[[], datetime]) -> Iterable[Reading]:
    """Seconds to every end: of the service's own things one by one, of an agency's seals the soonest."""
    now = clock()
    lists = expiries.lists()
    for expiry in soonest_seals([*expiries.certified(), *(state.ends for state in lists)]):
        labels = {"kind": expiry.kind.value, "use": expiry.use, "name": expiry.name, "owner": expiry.owner}
        yield Reading(
            "absah_expiry_seconds",
            "Time until it ends, negative afterwards: certificates and keys in use, and revocation lists.",
            (expiry.at - now).total_seconds(),
            labels,
        )
        yield Reading(
            "absah_lifetime_seconds",
            "Time from beginning to end of what absah_expiry_seconds names.",
            (expiry.at - expiry.since).total_seconds(),
            labels,
        )
    for state in lists:
        yield Reading(
            "absah_list_age_seconds",
            "Age of the CA's oldest list that is still the newest of its partition.",
            (now - state.oldest).total_seconds(),
            {"name": state.issuer},
        )
        yield Reading(
            "absah_revocation_lag_seconds",
            "Time from the last change of a status to the list that tells it; grows while none does.",
            state.lag.total_seconds(),
            {"name": state.issuer},
        )


def soonest_seals(expiries: Iterable[Expiry]) -> list[Expiry]:
    """Seals are as many as agencies make them: of each kind and agency only what ends first stays."""
    kept: dict[tuple[str, ...], Expiry] = {}
    for expiry in expiries:
        is_seal = expiry.use in _SEALS and expiry.owner
        place = (expiry.kind.value, expiry.owner) if is_seal else (expiry.kind.value, expiry.use, expiry.name)
        if place not in kept or expiry.at < kept[place].at:
            kept[place] = expiry
    return list(kept.values())


class CaseReadings:
    """Lost keys that are being answered. Their documents are counted once a minute: there may be many."""

    def __init__(self, compromise: Compromise, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._compromise = compromise
        self._monotonic = monotonic
        self._counted_at = float("-inf")
        self._counts: list[Counts] = []

    def __call__(self) -> Iterable[Reading]:
        cases = self._compromise.list_open()
        steps = Counter(case.step for case in cases)
        for step in OPEN:
            yield Reading(
                "absah_compromise_cases", "Lost keys by what is to be done next.", steps[step], {"step": step}
            )
        if self._monotonic() - self._counted_at >= _COUNT_SECONDS:
            self._counts = [self._compromise.counts(case) for case in cases]
            self._counted_at = self._monotonic()
        progress = {
            "replaced": sum(counts.replaced for counts in self._counts),
            "waiting": sum(counts.waiting for counts in self._counts),
            "unstamped": sum(counts.unstamped for counts in self._counts),
            "failed": sum(case.failed for case in cases),
        }
        for state, number in progress.items():
            yield Reading(
                "absah_compromise_documents",
                "Documents that lost keys leave without a seal or a time, and how far they have come.",
                number,
                {"state": state},
            )


class KeyStateReadings:
    """Keys in a state that nobody put them into. Looked for once a minute: there may be many keys."""

    def __init__(self, keys: KeyService, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._monotonic = monotonic
        self._looked_at = float("-inf")
        self._count = 0

    def __call__(self) -> Iterable[Reading]:
        if self._monotonic() - self._looked_at >= _COUNT_SECONDS:
            self._count = len(self._keys.unexplained())
            self._looked_at = self._monotonic()
        yield Reading(
            "absah_key_states_unexplained",
            "Keys whose state in the database is not the one that the audit trail tells of.",
            self._count,
        )


def workflow_readings(workflows: Iterable[Workflow]) -> Iterable[Reading]:
    """How much work of several steps is to be gone on with, by kind."""
    for workflow in workflows:
        yield Reading(
            "absah_workflows_unfinished",
            "Rotations, acts on keys and answers to losses that the worker has yet to finish, by kind.",
            len(list(workflow.unfinished())),
            {"workflow": workflow.name},
        )


def request_readings(standings: Callable[[], Iterable[RequestStanding]]) -> Iterable[Reading]:
    """How many acts on keys wait, may begin, or are under way; and how many were altered."""
    counted = Counter(
        "void" if standing.is_void else standing.state.value
        for standing in standings()
        if standing.state in _OPEN
    )
    for state in (*(state.value for state in _OPEN), "void"):
        yield Reading(
            "absah_key_requests",
            "Open requests for acts on keys, by state; void ones were altered and never begin.",
            counted[state],
            {"state": state},
        )
