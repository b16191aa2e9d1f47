"""How often each key was used, and where that ends (SP 800-57 part 1, 5.3; SP 800-38D, 8.3).

Uses are **reserved before they are made**, in blocks that a process takes out of the register and then
spends in memory. So the register never knows of fewer uses than there were. A process that stops gives back
what it did not spend; one that is killed cannot, and up to :data:`LARGEST_BLOCK` uses per key are counted
that never were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType
from typing import Final

from keys.errors import KeyWornOut
from keys.model import KeyPurpose, KeyRecord, KeyUses
from keys.ports import Begin
from keys.usage_tables import UsageRows

FIRST_BLOCK: Final = 64
LARGEST_BLOCK: Final = 4_096
"""Blocks double from the first to this: whoever signs seldom holds little, whoever signs often asks
seldom."""
_SHARE: Final = 8
"""Of what is left of a limit, one block takes this part at most: several processes come to their end
together."""

LIMITS: Final[Mapping[KeyPurpose, int]] = MappingProxyType({KeyPurpose.WRAPPING: 2**32})
"""AES-GCM under random nonces (SP 800-38D, 8.3). ECDSA and RSA wear out by no known number of signatures."""


@dataclass(slots=True)
class _Block:
    left: int = 0
    size: int = 0


class KeyUsage:
    """Counts uses and refuses those past the limit. Safe to use from several threads and processes.

    ``limits`` are uses per key, by purpose, over :data:`LIMITS`. :meth:`spend` may write to the database,
    so it is not called inside an open transaction; :meth:`note_unwrap` may be.
    """

    def __init__(
        self, *, begin: Begin, read: Begin | None = None, limits: Mapping[KeyPurpose, int] | None = None
    ) -> None:
        self.limits: Mapping[KeyPurpose, int] = MappingProxyType({**LIMITS, **(limits or {})})
        self._begin = begin
        self._read = read or begin
        self._lock = Lock()  # over what is in memory, for an instant
        self._reserving = Lock()  # over the way to the database
        self._blocks: dict[str, _Block] = {}
        self._unwraps: Counter[str] = Counter()

    def spend(self, key: KeyRecord) -> None:
        """Count one use that is about to be made. Raises :class:`keys.errors.KeyWornOut`."""
        with self._lock:
            block = self._blocks.get(key.id)
            if block is not None and block.left:
                block.left -= 1
                return
        self._reserve(key)

    def is_at_hand(self, key_id: str) -> bool:
        """Whether the next :meth:`spend` will most likely not go to the database."""
        block = self._blocks.get(key_id)
        return block is not None and block.left > 0

    def _reserve(self, key: KeyRecord) -> None:
        with self._reserving:
            with self._lock:
                block = self._blocks.setdefault(key.id, _Block())
                if block.left:  # another thread has been to the database meanwhile
                    block.left -= 1
                    return
                wanted = min(max(2 * block.size, FIRST_BLOCK), LARGEST_BLOCK)
                unwraps, self._unwraps = self._unwraps, Counter()
            limit = self.limits.get(key.purpose)
            with self._begin() as tx:
                rows = UsageRows(tx)
                rows.note_unwraps(unwraps)
                granted = wanted
                if limit is not None:
                    left = limit - rows.locked(key.id)
                    granted = max(0, min(wanted, -(-left // _SHARE)))
                rows.add(key.id, granted)
            if not granted:
                raise KeyWornOut(
                    f"key {key.id} has come to its limit, {limit:,} uses for a {key.purpose} key: rotate it "
                    f"(`absah keys rotate {key.purpose}`)"
                )
            with self._lock:
                block.left += granted - 1
                block.size = granted

    def note_unwrap(self, key_id: str) -> None:
        """Count a use that was made. Unwrapping wears nothing out, so it is noted with the next block or
        at the end; a process that is killed forgets what it had not noted yet."""
        with self._lock:
            self._unwraps[key_id] += 1

    def of_all(self) -> dict[str, KeyUses]:
        """What the register knows, by key; a key that is missing was never used."""
        with self._read() as tx:
            return UsageRows(tx).all()

    def give_back(self) -> None:
        """Return what was reserved and not spent, and note what was unwrapped: the last act of a process."""
        with self._reserving:
            with self._lock:
                unspent = {key_id: block.left for key_id, block in self._blocks.items() if block.left}
                unwraps, self._unwraps = self._unwraps, Counter()
                self._blocks.clear()
            if not unspent and not unwraps:
                return
            with self._begin() as tx:
                rows = UsageRows(tx)
                rows.note_unwraps(unwraps)
                for key_id, left in sorted(unspent.items()):
                    rows.add(key_id, -left)
