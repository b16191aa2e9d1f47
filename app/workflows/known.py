"""Every durable workflow of the service: what the engine goes on with, whichever process runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.compromise.building import build_compromise
from app.compromise.workflow import answer_to
from app.provisioning import publish_trust
from app.rotation.seals import AgencySeals
from app.rotation.units import DistrustedTime
from app.rotation.workflow import agreed_workflow, ending_workflows, rotation_workflows
from app.workflows.model import Workflow

if TYPE_CHECKING:
    from app.wiring import Core


def known_workflows(core: Core) -> tuple[Workflow, ...]:
    """In the order in which what is unfinished is looked for."""
    return (
        answer_to(build_compromise(core)),
        *rotation_workflows(core.rotations, core.cancellations, publish=lambda: publish_trust(core)),
        *ending_workflows(core.key_endings),
        agreed_workflow("certify-seal", AgencySeals(core)),
        agreed_workflow("believe-unit", DistrustedTime(core)),
    )
