"""Rotations as durable workflows: whichever process runs them, and however often it dies, they go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from app.rotation.agreed import AgreedAct
from app.rotation.cancelling import Cancellations
from app.rotation.endings import KeyEndings
from app.rotation.errors import RotationError
from app.rotation.service import WAITS, Rotations
from app.workflows.model import StepRefused, Steps, Workflow
from ca.errors import CertificationError, TimeNotAvailable
from identity.errors import AgencyUnknown
from keys.approvals import KeyAct
from keys.errors import KeyCustodyError, KeyUnavailable

log = structlog.get_logger(__name__)

_REFUSALS = (RotationError, CertificationError, KeyCustodyError, AgencyUnknown)
_PASSING = (KeyUnavailable, TimeNotAvailable)


def rotation_workflows(
    rotations: Rotations, cancellations: Cancellations, *, publish: Callable[[], object]
) -> tuple[Workflow, ...]:
    """``publish`` writes lists and the trust folder anew; it may be repeated."""

    def rotate(step: Steps, rotation_id: str) -> None:
        try:
            step("begin", lambda: rotations.begin(rotation_id))
            step("generate", lambda: rotations.generate(rotation_id))
            if step("certify", lambda: rotations.certify(rotation_id)) == WAITS:
                log.info("rotation_waits", rotation=rotation_id)
                return  # it is begun again when the certificate is there
            step("publish", lambda: _published(publish))
            step("canary", lambda: rotations.canary(rotation_id))
            step("switch", lambda: rotations.switch(rotation_id))
        except StepRefused as refused:
            reason = refused.reason
            step("abandon", lambda: rotations.abandon(rotation_id, reason))
            return
        try:
            step("settle", lambda: rotations.settle(rotation_id))
        except StepRefused as refused:  # the new key is in use; upkeep does the same in every round
            log.warning("rotation_not_settled", rotation=rotation_id, reason=refused.reason)
        step("publish again", lambda: _published(publish))
        step("finish", lambda: rotations.finish(rotation_id))

    def retire(step: Steps, rotation_id: str) -> None:
        step("retire", lambda: rotations.retire(rotation_id))

    def call_off(step: Steps, rotation_id: str) -> None:
        work = {
            "destroy": lambda: cancellations.destroy(rotation_id),
            "prove": lambda: cancellations.prove(rotation_id),
        }
        if _each(step, work, fail=lambda reason: cancellations.fail(rotation_id, reason)):
            step("finish", lambda: cancellations.finish(rotation_id))

    return (
        Workflow("rotation", rotations.to_switch, rotate, _REFUSALS, _PASSING),
        Workflow("cancellation", cancellations.unfinished, call_off, _REFUSALS, _PASSING),
        Workflow("retirement", rotations.to_retire, retire),
    )


def ending_workflows(endings: KeyEndings) -> tuple[Workflow, ...]:
    """Keys that are retired, reinstated or destroyed by a request of their own."""

    def moving(act: KeyAct) -> Callable[[Steps, str], None]:
        def move(step: Steps, request_id: str) -> None:
            work = {"move": lambda: endings.move(request_id, act)}
            if _each(step, work, fail=lambda reason: endings.finish(request_id, reason)):
                step("finish", lambda: endings.finish(request_id))

        return move

    def destroy(step: Steps, request_id: str) -> None:
        work = {
            "note": lambda: endings.note_destruction(request_id),
            "destroy": lambda: endings.destroy(request_id),
            "prove": lambda: endings.prove(request_id),
        }
        if _each(step, work, fail=lambda reason: endings.finish(request_id, reason)):
            step("finish", lambda: endings.finish(request_id))

    def of(act: KeyAct) -> Callable[[], list[str]]:
        return lambda: endings.unfinished(act)

    return (
        Workflow("retire-key", of(KeyAct.RETIRE), moving(KeyAct.RETIRE), _REFUSALS, _PASSING),
        Workflow("reinstate-key", of(KeyAct.REINSTATE), moving(KeyAct.REINSTATE), _REFUSALS, _PASSING),
        Workflow("destroy-key", of(KeyAct.DESTROY), destroy, _REFUSALS, _PASSING),
    )


def agreed_workflow(name: str, agreed: AgreedAct) -> Workflow:
    """An act of one step, by a request of its own."""

    def carry_out(step: Steps, request_id: str) -> None:
        work = {"carry out": lambda: agreed.carry_out(request_id)}
        if _each(step, work, fail=lambda reason: agreed.finish(request_id, reason)):
            step("finish", lambda: agreed.finish(request_id))

    return Workflow(name, agreed.unfinished, carry_out, _REFUSALS, _PASSING)


def _each(
    step: Steps, work: Mapping[str, Callable[[], str | None]], *, fail: Callable[[str], str | None]
) -> bool:
    """The steps by their names, in order; a refusal ends them, and ``fail`` is the step that notes why."""
    try:
        for name, done in work.items():
            step(name, done)
    except StepRefused as refused:
        reason = refused.reason
        step("fail", lambda: fail(reason))
        return False
    return True


def _published(publish: Callable[[], object]) -> None:
    """A list that cannot be signed now is no reason to give up a key: upkeep tries again in every round."""
    try:
        publish()
    except (CertificationError, KeyCustodyError) as refused:
        log.warning("rotation_not_published", error=type(refused).__name__)
