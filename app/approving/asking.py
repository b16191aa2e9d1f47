"""Asking for acts from outside the command line: each by whoever will carry it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from app.rotation.errors import UnitNotDistrusted
from app.rotation.seals import AgencySeals, registered
from app.rotation.units import DistrustedTime
from identity.errors import AgencyUnknown
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
                case KeyAct.CERTIFY:
                    return self._seal(parameters, requester=requester, reason=reason)
                case KeyAct.TRUST:
                    return self._unit(parameters, requester=requester, reason=reason)
                case KeyAct.COMPROMISE:
                    # Its first half waits for nobody, and the case that asks knows what comes after.
                    raise RequestInvalid(
                        "a lost key is stopped before anybody is asked: `absah keys compromise` does both"
                    )
        except KeyUnknown as unknown:
            raise RequestInvalid(str(unknown)) from unknown
        return core.dual_control.request(act, parameters, requester=requester)

    def _seal(self, parameters: Mapping[str, str], *, requester: str, reason: str) -> KeyRequest:
        try:
            agency = self._core.agencies.agency(parameters["owner"])
        except AgencyUnknown as unknown:
            raise RequestInvalid(str(unknown)) from unknown
        if not registered(agency).items() <= parameters.items():
            raise RequestInvalid(
                f"agency {agency.id} is registered under another name or identifier: give what is registered"
            )
        return AgencySeals(self._core).request(agency, requester=requester, reason=reason)

    def _unit(self, parameters: Mapping[str, str], *, requester: str, reason: str) -> KeyRequest:
        units = DistrustedTime(self._core)
        try:
            unit = bytes.fromhex(parameters["unit"])
            issuer = units.issuer(unit)
        except (ValueError, UnitNotDistrusted) as unknown:
            raise RequestInvalid("no distrusted unit has a certificate with this SHA-256") from unknown
        if parameters["issuer"] != issuer:
            raise RequestInvalid(f"that unit was certified by {issuer}: say so")
        return units.request(unit, requester=requester, reason=reason)


def _purpose(text: str) -> KeyPurpose:
    try:
        return KeyPurpose(text)
    except ValueError:
        raise RequestInvalid(
            f"there are no keys for {text[:40]!r}; there are for {', '.join(KeyPurpose)}"
        ) from None
