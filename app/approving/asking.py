"""Asking for acts from outside the command line: each by whoever will carry it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from keys.approvals import KeyAct, KeyRequest, require_tellable
from keys.errors import KeyUnknown, RequestInvalid
from keys.model import KeyPurpose

if TYPE_CHECKING:
    from app.wiring import Core


class Asking:
    """Implements :class:`keys.ports.Ask`: what cannot be carried out is not put before custodians."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def __call__(self, act: KeyAct, parameters: Mapping[str, str], *, requester: str) -> KeyRequest:
        require_tellable(act, parameters)
        core, reason = self._core, parameters.get("reason", "")
        try:
            match act:
                case KeyAct.ROTATE:
                    purpose, owner = _purpose(parameters["purpose"]), parameters.get("owner", "")
                    return core.rotations.request(purpose, owner, requester=requester, reason=reason)
                case KeyAct.RETIRE | KeyAct.REINSTATE | KeyAct.DESTROY:
                    return core.key_endings.request(
                        act, parameters["key"], requester=requester, reason=reason
                    )
                case KeyAct.COMPROMISE:
                    # Its first half waits for nobody, and the case that asks knows what comes after.
                    raise RequestInvalid(
                        "a lost key is stopped before anybody is asked: `absah keys compromise` does both"
                    )
        except KeyUnknown as unknown:
            raise RequestInvalid(str(unknown)) from unknown
        return core.dual_control.request(act, parameters, requester=requester)


def _purpose(text: str) -> KeyPurpose:
    try:
        return KeyPurpose(text)
    except ValueError:
        raise RequestInvalid(
            f"there are no keys for {text[:40]!r}; there are for {', '.join(KeyPurpose)}"
        ) from None
