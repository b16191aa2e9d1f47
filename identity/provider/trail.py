"""How the audit trail hears of refreshes: in batches, each with a digest of the uses that it stands for.

An entry of the trail waits for the entry before it to reach the disk. One per refresh would hold the whole
service to a few hundred refreshes a second, on however many cores (measured: ADR 17). The row of each
use is written with the use itself; upkeep then chains a digest of all new rows. Whoever changes or removes a
row afterwards contradicts the trail, as long as the row is kept.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from typing import Final

from identity.ports import AuditTrail, Begin
from identity.provider.grant_tables import RefreshTable
from identity.provider.model import RefreshToken

ACTOR: Final = "service"
_MOST: Final = 5_000


def note_refreshes(*, begin: Begin, audit: AuditTrail) -> int:
    """One entry for what was refreshed since the last one. Returns how many; meant to be repeated."""
    batch = secrets.token_urlsafe(16)
    with begin() as tx:
        used = RefreshTable(tx).take_batch(batch, most=_MOST)
        if not used:
            return 0
        audit.append(
            tx,
            action="portal.refreshes",
            actor=ACTOR,
            subject=batch,
            facts={"count": str(len(used)), "sha256": digest_of(used)},
        )
    return len(used)


def digest_of(used: Iterable[RefreshToken]) -> str:
    """SHA-256 over family, token, successor and time of each use, in order; hexadecimal."""
    digest = hashlib.sha256()
    for token in used:
        assert token.used_at is not None
        successor = token.successor_hash.hex() if token.successor_hash else ""
        line = f"{token.grant_id} {token.token_hash.hex()} {successor} {token.used_at.isoformat()}\n"
        digest.update(line.encode("ascii"))
    return digest.hexdigest()
