"""An agency's seal outside of a rotation: its first, one under a new name, one in the place of a lost key.

Whoever can have a seal certified under a name can seal in that name. So where custodians have to agree to
acts on keys they agree to this one, to exactly this agency, name and identifier; what is registered of the
agency when it is carried out must still say the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.rotation.agreed import AgreedAct
from app.rotation.errors import RotationUnderWay, SealRefused
from ca.model import CertificateRecord
from identity.agencies.model import Agency
from keys.approvals import KeyAct, KeyRequest

if TYPE_CHECKING:
    from app.wiring import Core


class AgencySeals(AgreedAct):
    """Requests for seals, and the step that certifies them."""

    act = KeyAct.CERTIFY

    def obtain(
        self, agency: Agency, *, actor: str, reason: str = ""
    ) -> tuple[CertificateRecord | None, KeyRequest | None]:
        """The agency's good certificate, made at once where nobody has to agree; else the request for it.

        Raises what :meth:`request` does, or what :class:`ca.hierarchy.Hierarchy` refuses.
        """
        if (seal := good_seal(self._core, agency)) is not None:
            return seal, None
        if self._core.custodians.decide():
            return None, self.request(agency, requester=actor, reason=reason)
        return certify_agreed(self._core, agency, actor=actor), None

    def request(self, agency: Agency, *, requester: str, reason: str = "") -> KeyRequest:
        """Ask for a seal under the agency's registered name.

        Raises :class:`RotationUnderWay` when that was asked for, :class:`SealRefused` when it is not needed,
        or what dual control refuses.
        """
        if good_seal(self._core, agency) is not None:
            raise SealRefused(
                f"{agency.id} has a good seal: `absah keys rotate seal --owner {agency.id}` replaces it."
            )
        if (other := self._waiting_for("owner", agency.id)) is not None:
            raise RotationUnderWay(f"The seal of {agency.id}", other)
        parameters = registered(agency) | ({"reason": reason} if reason else {})
        return self._core.dual_control.request(self.act, parameters, requester=requester)

    def carry_out(self, request_id: str) -> None:
        """Raises :class:`SealRefused`, or what certification refuses."""
        core = self._core
        request = core.dual_control.resume(request_id, self.act)
        agency = core.agencies.agency(request.parameters["owner"])
        if not registered(agency).items() <= request.parameters.items():
            raise SealRefused(
                f"Agency {agency.id} is registered under another name or identifier than custodians agreed "
                "to. Find out who changed it (`absah audit verify`), then ask anew."
            )
        with core.database.exclusively():
            certify_agreed(core, agency, actor=request.id)


def registered(agency: Agency) -> dict[str, str]:
    """What a request says of the agency, and its certificate too."""
    return {
        "owner": agency.id,
        "organisation": agency.certified_name,
        "organization_identifier": agency.organization_identifier,
    }


def good_seal(core: Core, agency: Agency) -> CertificateRecord | None:
    """The certificate that makes a new one unnecessary."""
    return core.hierarchy.good_seal(
        agency.id,
        organisation=agency.certified_name,
        organization_identifier=agency.organization_identifier,
        country=core.settings.ca.country,
    )


def certify_agreed(core: Core, agency: Agency, *, actor: str) -> CertificateRecord:
    """The agency's seal certificate: a new one unless a good one is there. For callers who hold the consent
    that it takes: to this seal, or to give up the key before it."""
    return core.hierarchy.certify_seal(
        agency.id,
        organisation=agency.certified_name,
        organization_identifier=agency.organization_identifier,
        country=core.settings.ca.country,
        actor=actor,
    )
