"""What a durable workflow is to those who write one. The engine is :mod:`app.workflows.durable`.

Who owns the work keeps the truth about it in a table of its own. The engine only sees to it that somebody
goes on: it can be lost with everything in it, and what is unfinished is begun again from the first step. So
every step looks at what is there before it acts, and a step that is repeated changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol


class StepRefused(Exception):
    """A step ended in one of :attr:`Workflow.refusals`, now or before the process died.

    ``reason`` is what the refusal said.
    """

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step = step
        self.reason = reason


class Steps(Protocol):
    """Carries out the steps of one workflow, each at least once, and never again once it is done."""

    def __call__(self, name: str, act: Callable[[], str | None]) -> str:
        """What ``act`` returned, now or before the process died.

        Results are kept in the engine's database in plain text: identifiers and words, nothing secret and
        nothing personal. Raises :class:`StepRefused` for what is one of :attr:`Workflow.refusals`. Every
        other failure is taken to pass: the step is tried again after a pause, for as long as it takes.
        """
        ...


@dataclass(frozen=True, slots=True)
class Workflow:
    """One kind of work.

    ``name`` stands for the sequence of its steps: runs that began before an upgrade go on after it, so
    whoever changes the sequence changes the name. ``unfinished`` returns the ids of what is to be worked on
    now, cheap enough to be asked every few seconds. ``run`` carries out one of them; when a step is refused,
    it is ``run`` that records the end and the reason where ``unfinished`` looks. ``passing`` are those among
    the refusals that pass, such as a token that is away.
    """

    name: str
    unfinished: Callable[[], Iterable[str]]
    run: Callable[[Steps, str], None]
    refusals: tuple[type[Exception], ...] = ()
    passing: tuple[type[Exception], ...] = ()
