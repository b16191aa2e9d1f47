"""Uses of keys as metrics, counted where they happen. Implements :class:`keys.ports.UseObserver`."""

from __future__ import annotations

from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter

from keys.model import KeyPurpose, KeyRecord, KeyState

log = structlog.get_logger(__name__)

REASONS: Final = (
    *(state.value for state in KeyState if state is not KeyState.ACTIVE),
    "expired",
    "purpose",
    "limit",
    "unexplained",
)


class KeyUseCounters:
    """Counts per key what was used, and per purpose and reason what was refused.

    A key that was never used has no series; of refusals every series is there from the start with 0,
    because a series that begins with its first refusal shows Prometheus no increase.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._uses = Counter(
            "absah_key_uses", "Signatures and wrappings by key.", ("purpose", "key"), registry=registry
        )
        self._refusals = Counter(
            "absah_key_refusals",
            "Attempts to use a key that may not be used: out of state, out of date, worn out, or for another "
            "purpose.",
            ("purpose", "reason"),
            registry=registry,
        )
        for purpose in KeyPurpose:
            for reason in REASONS:
                self._refusals.labels(purpose.value, reason)
        self._counted: dict[str, Counter] = {}

    def used(self, key: KeyRecord) -> None:
        counter = self._counted.get(key.id)
        if counter is None:
            counter = self._counted[key.id] = self._uses.labels(key.purpose.value, key.id)
        counter.inc()

    def refused(self, key: KeyRecord, reason: str) -> None:
        self._refusals.labels(key.purpose.value, reason).inc()
        log.warning("key_use_refused", key=key.id, why=reason)
