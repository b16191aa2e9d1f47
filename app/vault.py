"""Where identity's personal data meets custody: the port :class:`identity.ports.Vault` over data keys."""

from __future__ import annotations

from typing import Final

from keys.envelope import Envelope

PURPOSES: Final = ("person", "totp", "mail", "session", "privacy", "oauth", "custodians")
"""Every data key of the service, made by ``absah init`` and by upkeep after an update brought a new one.

Declared, not made on first use: that would be a second writing transaction inside the caller's.
"""


class CustodyVault:
    """Implements :class:`identity.ports.Vault`. Raises leaves of :class:`keys.errors.KeyCustodyError`."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope

    def seal(self, purpose: str, plaintext: bytes, *, context: str) -> bytes:
        return self._envelope.seal(purpose, plaintext, context=context)

    def open(self, purpose: str, sealed: bytes, *, context: str) -> bytes:
        return self._envelope.open(purpose, sealed, context=context)

    def fingerprint(self, purpose: str, value: str) -> bytes:
        return self._envelope.fingerprint(purpose, value)
