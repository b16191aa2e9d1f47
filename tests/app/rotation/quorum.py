"""A service with three custodians, of whom two have to agree to acts on keys."""

from __future__ import annotations

from contextlib import ExitStack

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.settings import Settings
from app.wiring import Core, build_core
from keys.approvals import Decision, KeyRequest, Verdict
from keys.custodians import Change, parameters_of, read_public_key
from tests.support.clock import FrozenClock

NAMES = ("ani", "budi", "citra")


class Custodians:
    """Three of them, each with a key file; two have to agree."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in NAMES}
        for name, key in self._keys.items():
            pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            joining = parameters_of(Change.ADD, name, key=read_public_key(pem), account=f"cli:{name}")
            core.custodians.change_freely(joining, actor="cli:test")

    def approve(self, request: KeyRequest, name: str) -> None:
        draft = Decision(name, Verdict.APPROVE, b"")
        proof = self._keys[name].sign(draft.statement(request).message(), ec.ECDSA(hashes.SHA256()))
        self._core.dual_control.decide(request.id, Decision(name, Verdict.APPROVE, proof))

    def agree(self, request: KeyRequest) -> None:
        self.approve(request, "budi")
        self.approve(request, "citra")


def demanding(settings: Settings, approvals: int, *, closing: ExitStack, clock: FrozenClock) -> Core:
    keys = settings.keys.model_copy(update={"approvals": approvals})
    return build_core(settings.model_copy(update={"keys": keys}), closing=closing, clock=clock)


def with_custodians(settings: Settings, *, closing: ExitStack, clock: FrozenClock) -> tuple[Core, Custodians]:
    custodians = Custodians(demanding(settings, 3, closing=closing, clock=clock))  # not closed before three
    return demanding(settings, 2, closing=closing, clock=clock), custodians
