"""A time-stamping unit of others that is to be believed again, after an operator distrusted it.

To distrust is the emergency and waits for nobody. To believe again gives every time that the unit ever wrote
its worth back, the thief's too if its key was lost: custodians agree to that.
"""

from __future__ import annotations

from cryptography import x509

from app.rotation.agreed import AgreedAct
from app.rotation.errors import RotationUnderWay, UnitNotDistrusted
from ca.subjects import shown_name
from ca.tables import DistrustedUnits
from keys.approvals import KeyAct, KeyRequest


class DistrustedTime(AgreedAct):
    """Requests to believe units again, and the step that does it."""

    act = KeyAct.TRUST

    def request(self, unit: bytes, *, requester: str, reason: str = "") -> KeyRequest:
        """``unit`` is the SHA-256 of its certificate.

        Raises :class:`UnitNotDistrusted`, :class:`RotationUnderWay`, or what dual control refuses.
        """
        parameters = {"unit": unit.hex(), "issuer": self.issuer(unit)}
        if (other := self._waiting_for("unit", unit.hex())) is not None:
            raise RotationUnderWay(f"Unit {unit.hex()[:16]}", other)
        return self._core.dual_control.request(
            self.act, parameters | ({"reason": reason} if reason else {}), requester=requester
        )

    def issuer(self, unit: bytes) -> str:
        """The name of whoever certified a distrusted unit. Raises :class:`UnitNotDistrusted`."""
        with self._core.database.read() as tx:
            found = DistrustedUnits(tx).all().get(unit)
        if found is None:
            raise UnitNotDistrusted(f"No unit whose certificate has the SHA-256 {unit.hex()} is distrusted.")
        name = shown_name(x509.load_der_x509_certificate(found).issuer)
        return "".join(letter for letter in name if letter.isprintable())[:200] or "-"

    def believe_again(self, unit: bytes, *, actor: str) -> None:
        """For callers to whom nobody has to agree. Repeatable."""
        self._core.distrust.lift(unit, by=self._core.clock(), actor=actor)
        self._forget(unit)

    def carry_out(self, request_id: str) -> None:
        """What was agreed to is to lift the distrust that there was: one that came since stays."""
        request = self._core.dual_control.resume(request_id, self.act)
        unit = bytes.fromhex(request.parameters["unit"])
        if self._core.distrust.lift(unit, by=request.requested_at, actor=request.id):
            self._forget(unit)

    def _forget(self, unit: bytes) -> None:
        """Out of the trust folder, where the export only adds: its rows alone must not lift a distrust."""
        (self._core.settings.trust_dir / "distrusted" / f"{unit.hex()}.crt").unlink(missing_ok=True)
