"""The new key of a rotation that does not come to its switch: destroyed, and its certificate revoked."""

from __future__ import annotations

from contextlib import suppress

from app.rotation.model import Rotation
from app.rotation.uses import KeyUses
from ca.errors import CertificationError
from ca.model import CertificateStatus, ProfileName, RevocationReason
from ca.revocation import Revocation
from keys.model import KeyRecord, KeyState
from keys.service import KeyService


class Discarding:
    """Steps may be repeated at any time."""

    def __init__(self, *, keys: KeyService, revocation: Revocation, uses: KeyUses) -> None:
        self._keys = keys
        self._revocation = revocation
        self._uses = uses

    def discard(self, key: KeyRecord, rotation: Rotation) -> None:
        """Destroy a new key that never came into use, and revoke its certificate."""
        if key.state is KeyState.ACTIVE:
            # Upkeep found its certificate and let it be used, for the one before is about to end.
            self._keys.suspend(key.id, actor=rotation.id, reason="it failed its canary")
        if key.state is KeyState.PRE_ACTIVATION:
            key = self._keys.destroy(key.id, actor=rotation.id, reason="the rotation ended before its switch")
        if key.state is KeyState.DESTROYED:
            self.revoke(key.id, rotation)

    def revoke(self, key_id: str, rotation: Rotation) -> None:
        """Revoke the certificate of a key that is gone, where this service can: tidiness, not safety."""
        certificate = self._uses.certificate(rotation, key_id)
        if certificate is None or certificate.profile is ProfileName.OCSP:
            return
        if certificate.status is CertificateStatus.GOOD:
            with suppress(CertificationError):
                self._revocation.revoke(
                    certificate.serial, RevocationReason.CESSATION_OF_OPERATION, actor=rotation.id
                )
