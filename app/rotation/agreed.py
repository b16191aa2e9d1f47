"""Acts of one step that custodians agree to: what all of them have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from keys.approvals import KeyAct, Outcome
from keys.errors import DualControlError

if TYPE_CHECKING:
    from app.wiring import Core


class AgreedAct(ABC):
    """Safe to use from several threads and processes. Steps may be repeated at any time."""

    act: ClassVar[KeyAct]

    def __init__(self, core: Core) -> None:
        self._core = core

    @abstractmethod
    def carry_out(self, request_id: str) -> None:
        """Do what the approved request says, by :meth:`keys.dual_control.DualControl.resume`."""

    def unfinished(self) -> list[str]:
        """Ids of requests that were approved or started, looked for in the order of their states."""
        control = self._core.dual_control
        asked = [*control.ready(self.act), *control.under_way(self.act)]
        return list(dict.fromkeys(request.id for request in asked))

    def finish(self, request_id: str, failure: str = "") -> None:
        with suppress(DualControlError):  # it never started: its own state says why
            self._core.dual_control.finish(
                request_id, Outcome.FAILED if failure else Outcome.DONE, detail=failure
            )

    def _waiting_for(self, name: str, value: str) -> str | None:
        """The id of an open request that says so."""
        asked = self._core.dual_control.open(self.act)
        return next((one.id for one in asked if one.parameters.get(name) == value), None)
