"""What identity needs from the outside. It imports no other slice; ``app.wiring`` fills these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

Clock = Callable[[], datetime]
"""Returns the current time, aware, in UTC."""

Begin = Callable[[], AbstractContextManager[Connection]]
"""Opens a transaction that commits when its block ends and rolls back when it raises."""


class AuditTrail(Protocol):
    """Append-only record of what happened. Part of the caller's transaction, and its last act."""

    def append(
        self, tx: Connection, *, action: str, actor: str, subject: str, facts: Mapping[str, str] | None = None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class TokenSigner:
    """The key that signs new tokens. ``sign`` hashes with SHA-256 and returns a DER ``Ecdsa-Sig-Value``.

    The private key stays in its custody; only this act crosses the border.
    """

    key_id: str
    sign: Callable[[bytes], bytes]


class TokenKeys(Protocol):
    """The keys of our own tokens."""

    def signer(self) -> TokenSigner:
        """The key in use now."""
        ...

    def public_keys(self) -> Mapping[str, bytes]:
        """DER SubjectPublicKeyInfo (P-256) by key id: all whose tokens are still to be honoured.

        Cheap enough to be asked for every request.
        """
        ...
