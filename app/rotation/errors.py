"""What a rotation can refuse. One root; leaves are named for the fact.

RotationError
├── NothingToRotate     there is no key of this use, or it is not changed this way
├── RotationUnderWay    the same use is being rotated, or waits for approval
├── RotationUnknown     no rotation was ever begun under this id
├── RotationNotWaiting  only a rotation that waits for people is called off
├── CanaryFailed        what the new key signed did not verify; the old key stays in use
├── DestructionRefused  others still need the key
├── SealRefused         custodians have to agree, or agreed to another name than the registered one
└── UnitNotDistrusted   no such unit of others is distrusted
"""

from __future__ import annotations

from app.errors import ApplicationError


class RotationError(ApplicationError):
    """Root of everything that rotations raise on purpose. The message names cause and remedy."""


class NothingToRotate(RotationError):
    """There is no key of this use yet, or keys of this use are changed another way."""


class RotationUnderWay(RotationError):
    """A rotation of the same use waits for approval or has not come to its end."""

    def __init__(self, use: str, request_id: str) -> None:
        super().__init__(
            f"{use} is being changed already by {request_id}: let that one end, or have it rejected "
            "(`absah keys requests`)."
        )


class RotationUnknown(RotationError):
    """No rotation was ever begun under this id."""

    def __init__(self, rotation_id: str) -> None:
        super().__init__(
            f"No rotation {rotation_id[:80]!r} was ever begun: `absah keys rotations` lists them."
        )


class RotationNotWaiting(RotationError):
    """The rotation does not wait for anybody: it goes on, or has come to its end, by itself."""

    def __init__(self, rotation_id: str, phase: str) -> None:
        super().__init__(
            f"{rotation_id} is {phase} and waits for nobody, so there is nothing to call off: what fails "
            "ends by itself, and a new key in use is replaced by `absah keys rotate`."
        )


class CanaryFailed(RotationError):
    """The new key was tried and did not prove itself. Nothing that it signed was released."""


class DestructionRefused(RotationError):
    """The key is still needed, or its state does not allow destroying it."""


class UnitNotDistrusted(RotationError):
    """No time-stamping unit of others with this certificate is distrusted."""


class SealRefused(RotationError):
    """Custodians have to agree to a seal and did not, or agreed to another name than the registered one."""
