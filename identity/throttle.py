"""How often a secret may be wrong: a budget per client and address, and one per address.

Nobody guesses 256 random bits; what is kept short here is the work that wrong secrets cause. Three limits,
all deliberate: the counts live in the memory of one process (several processes allow as many times more);
behind a reverse proxy the address is the proxy's unless the server is told the real one; and a secret that
was right before goes through whatever the budget says, so that nobody locks a client out by naming it.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from identity.errors import TooManyAttempts

_MOST: Final = 10_000
"""Entries kept of each kind; the one that was not asked for longest is forgotten first."""


@dataclass(frozen=True, slots=True)
class Budget:
    """``burst`` failures at once, and one more for every ``seconds`` that pass."""

    burst: int
    seconds: float


PER_CLIENT: Final = Budget(burst=10, seconds=6.0)
PER_ADDRESS: Final = Budget(burst=100, seconds=0.6)


class Throttle:
    """Failures at the token endpoint. Safe to share between threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = Lock()
        self._spent: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()
        self._accepted: OrderedDict[bytes, None] = OrderedDict()
        self._pepper = secrets.token_bytes(32)

    def require(self, client_id: str, secret: str, address: str) -> None:
        """Raises :class:`identity.errors.TooManyAttempts` while a budget is spent."""
        with self._lock:
            if self._mark(client_id, secret) in self._accepted:
                return
            for key, budget in self._budgets(client_id, address):
                over = self._level(key, budget) - budget.burst + 1
                if over > 0:
                    raise TooManyAttempts(retry_after=max(1, round(over * budget.seconds)))

    def failed(self, client_id: str, address: str) -> None:
        """Count a secret that was wrong."""
        with self._lock:
            for key, budget in self._budgets(client_id, address):
                self._spent[key] = (self._level(key, budget) + 1, self._monotonic())
                self._spent.move_to_end(key)
            while len(self._spent) > _MOST:
                self._spent.popitem(last=False)

    def succeeded(self, client_id: str, secret: str) -> None:
        """Remember a secret that was right. Only a keyed hash of it is kept."""
        mark = self._mark(client_id, secret)
        with self._lock:
            self._accepted[mark] = None
            self._accepted.move_to_end(mark)
            if len(self._accepted) > _MOST:
                self._accepted.popitem(last=False)

    def _budgets(self, client_id: str, address: str) -> tuple[tuple[tuple[str, str], Budget], ...]:
        return (((client_id[:64], address), PER_CLIENT), (("", address), PER_ADDRESS))

    def _level(self, key: tuple[str, str], budget: Budget) -> float:
        level, at = self._spent.get(key, (0.0, 0.0))
        return max(0.0, level - (self._monotonic() - at) / budget.seconds)

    def _mark(self, client_id: str, secret: str) -> bytes:
        text = f"{client_id}\0{secret}".encode("utf-8", "replace")
        return hashlib.blake2b(text, key=self._pepper, digest_size=32).digest()
