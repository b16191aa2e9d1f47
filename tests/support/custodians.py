"""Custodians with keys of their own, as they sit at their own machines."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keys.approvals import Decision, KeyRequest, Statement, Verdict
from keys.custodians import Change, CustodianKey, parameters_of, read_public_key


@dataclass(frozen=True)
class KeyHolder:
    """A person with a P-256 key file."""

    name: str
    person_id: str = ""
    account: str = ""
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def pem(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def key(self) -> CustodianKey:
        return read_public_key(self.pem)

    @property
    def joining(self) -> dict[str, str]:
        """The change of the register that makes them a custodian."""
        return parameters_of(
            Change.ADD, self.name, key=self.key, person_id=self.person_id, account=self.account
        )

    def sign(self, statement: Statement) -> bytes:
        return self.sign_text(statement.message().decode())

    def sign_text(self, text: str) -> bytes:
        return self.private.sign(text.encode(), ec.ECDSA(hashes.SHA256()))

    def approves(self, request: KeyRequest) -> Decision:
        return self.decides(request, Verdict.APPROVE)

    def rejects(self, request: KeyRequest) -> Decision:
        return self.decides(request, Verdict.REJECT)

    def decides(self, request: KeyRequest, verdict: Verdict) -> Decision:
        return Decision(self.name, verdict, self.sign(Statement(request.digest, verdict, self.name)))
