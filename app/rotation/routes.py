"""``/v1/keys/rotations``: how far rotations have come, and calling one off. They are asked for at
``/v1/keys/requests``."""

# No postponed annotations here: FastAPI could not resolve the guard, which is local to `router`.

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from app.rotation.cancelling import Cancellations
from app.rotation.model import Phase, Rotation
from app.rotation.service import Rotations
from keys.model import KeyPurpose
from keys.ports import KeyCaller


class RotationOut(BaseModel):
    """A rotation; its id is that of the approved request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    purpose: KeyPurpose
    owner: str = Field(description="The agency whose seal it is, or the CA that a responder answers for.")
    phase: Phase
    requester: str
    keys: list[str] = Field(description="The new keys.")
    began_at: datetime
    switched_at: datetime | None
    retire_at: datetime | None = Field(description="When the predecessors stop signing.")
    ended_at: datetime | None
    detail: str


class CancellationIn(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: str = Field(
        default="", max_length=200, description="Why, for whoever asked for it; no personal data."
    )


def router(
    rotations: Rotations, cancellations: Cancellations, *, guard: Callable[[Request], KeyCaller]
) -> APIRouter:
    """``guard`` is that of ``/v1/keys``: auditors read, and nobody but custodians calls anything off."""
    routes = APIRouter(prefix="/v1/keys/rotations", tags=["keys"])
    Caller = Annotated[KeyCaller, Depends(guard)]
    RotationId = Annotated[str, Path(max_length=40, pattern="^key-request-[0-9a-f]+$")]

    @routes.get("", summary="Rotations, newest first")
    def list_rotations(caller: Caller, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> list[RotationOut]:
        return [_shown(rotation) for rotation in rotations.newest(limit)]

    @routes.get("/{rotation_id}", summary="How far one rotation has come")
    def read_rotation(rotation_id: RotationId, caller: Caller) -> RotationOut:
        return _shown(rotations.get(rotation_id))

    @routes.post(
        "/{rotation_id}/cancellation",
        status_code=202,
        summary="Call off a rotation that waits for its certificate",
    )
    def cancel_rotation(rotation_id: RotationId, given: CancellationIn, caller: Caller) -> RotationOut:
        """The key before it stays in use; the worker destroys the new one."""
        return _shown(cancellations.cancel(rotation_id, actor=caller.person_id, reason=given.reason))

    return routes


def _shown(rotation: Rotation) -> RotationOut:
    return RotationOut(
        id=rotation.id,
        purpose=rotation.purpose,
        owner=rotation.owner,
        phase=rotation.phase,
        requester=rotation.requester,
        keys=list(rotation.keys),
        began_at=rotation.began_at,
        switched_at=rotation.switched_at,
        retire_at=rotation.retire_at,
        ended_at=rotation.ended_at,
        detail=rotation.detail,
    )
