"""A case as a durable workflow: whichever process is alive goes on with it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from app.compromise.errors import DocumentsWait
from app.compromise.model import Step
from app.compromise.service import Compromise
from app.workflows.model import Steps, Workflow

_OVER = "over"


def answer_to(compromise: Compromise) -> Workflow:
    """Carries every case on that does not wait for people. The truth about a case is in its own row."""

    def run(step: Steps, case_id: str) -> None:
        for number in count(1):
            if step(f"part-{number}", lambda: _part(compromise, case_id)) == _OVER:
                return

    return Workflow("compromise-1", lambda: _unfinished(compromise), run)


def _part(compromise: Compromise, case_id: str) -> str:
    """What is next in the case, for some seconds. Raises to be asked again after a pause."""
    before = compromise.get(case_id)
    case = compromise.advance(case_id)
    if not case.is_open or (case.step is Step.DECIDE and not compromise.may_go_on(case)):
        return _OVER
    if case.step is Step.RESEAL is before.step and case.failed and not case.done:
        raise DocumentsWait(case.id, case.failed)
    return case.step.value


def _unfinished(compromise: Compromise) -> Iterable[str]:
    return [case.id for case in compromise.list_open() if compromise.may_go_on(case)]
