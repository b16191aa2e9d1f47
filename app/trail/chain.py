"""The chain of the audit trail as facts. Pure: the same rules judge the database and an exported file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from app.errors import AuditChainBroken

GENESIS: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the trail. ``at`` is ISO 8601 UTC with microseconds, as it was hashed."""

    sequence: int
    at: str
    actor: str
    action: str
    subject: str
    facts: str
    previous: bytes
    hash: bytes

    def computed_hash(self) -> bytes:
        """SHA-256 over the canonical JSON of everything but the hash itself."""
        return hash_of(
            self.sequence, self.at, self.actor, self.action, self.subject, self.facts, self.previous.hex()
        )


@dataclass(frozen=True, slots=True)
class ChainHead:
    """Where the chain ends: write it down outside the system to be able to prove the past later."""

    sequence: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash.hex()}"

    @property
    def stamped(self) -> bytes:
        """What a time-stamp over this head is over: one line of text, so that any RFC 3161 tool can check
        it."""
        return f"absah audit {self}\n".encode()


BEGINNING: Final = ChainHead(0, GENESIS)


class Chain:
    """Follows the chain entry by entry. ``head`` is the last one that was followed."""

    def __init__(self) -> None:
        self.head = BEGINNING

    def follow(self, entry: AuditEntry) -> None:
        """Raises :class:`app.errors.AuditChainBroken` unless ``entry`` is what comes next."""
        if entry.sequence != self.head.sequence + 1:
            raise AuditChainBroken(self.head.sequence + 1, "the entry is missing")
        if entry.previous != self.head.hash:
            raise AuditChainBroken(entry.sequence, "it does not continue from the entry before it")
        if entry.computed_hash() != entry.hash:
            raise AuditChainBroken(entry.sequence, "its content does not match its hash")
        self.head = ChainHead(entry.sequence, entry.hash)

    def require(self, noted: ChainHead) -> None:
        """The last entry is the one that ``noted`` was written down of."""
        if self.head != noted:
            raise AuditChainBroken(noted.sequence, "its hash is not the one that was written down")


def follow(entries: Iterable[AuditEntry], noted: Iterable[ChainHead] = ()) -> ChainHead:
    """Recompute the whole chain and return its head. Raises :class:`app.errors.AuditChainBroken`.

    ``noted`` are heads that were written down earlier: the chain must still contain them, which also reveals
    a trail that was cut short or rewritten as a whole.
    """
    chain, wanted = Chain(), {head.sequence: head for head in noted if head.sequence}
    for entry in entries:
        chain.follow(entry)
        if (head := wanted.pop(entry.sequence, None)) is not None:
            chain.require(head)
    if wanted:
        raise AuditChainBroken(
            chain.head.sequence + 1, "the trail ends before the head that was written down"
        )
    return chain.head


def hash_of(*fields: int | str) -> bytes:
    return hashlib.sha256(canonical(fields).encode()).digest()


def canonical(value: object) -> str:
    """One spelling per value: sorted keys, no spaces, ASCII only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
