"""``seal_hsm``: sealing with every key in a SoftHSM2 token, beside the same with keys in software (P-256)."""

from __future__ import annotations

import os
from pathlib import Path

from app.evidence import RegisterEvidence
from app.wiring import Core
from benchmarks import inputs
from benchmarks.bench_sealing import seal_once
from benchmarks.harness import Figure, compare_times
from benchmarks.house import house
from keys.model import KeyPurpose
from keys.stores.pkcs11.module import close_modules
from tests.support.hsm import LABEL, made_hsm, softhsm


def run(scratch: Path) -> list[Figure]:
    """Two services, one token. The ratio is to be 0.8 or more."""
    source = inputs.two_pages()
    for name in ("software", "token"):
        (scratch / name).mkdir()
    with made_hsm() as hsm:
        os.environ |= hsm.environment
        keys = {
            "stores": "pkcs11",
            "pkcs11_module": softhsm(),
            "pkcs11_token": LABEL,
            "pkcs11_pin_file": hsm.pin_file,
        }
        try:
            with (
                house(scratch / "software") as (in_software, _, _),
                house(scratch / "token", keys=keys) as (in_token, _, _),
            ):
                ours, peer = _evidence(in_token), _evidence(in_software)
                receipts = (
                    in_token.keys.active(KeyPurpose.RECEIPT),
                    in_software.keys.active(KeyPurpose.RECEIPT),
                )
                return [
                    compare_times(
                        "seal_hsm",
                        lambda: seal_once(in_token, ours, source),
                        lambda: seal_once(in_software, peer, source),
                        peer_name="the software store",
                    ),
                    compare_times(
                        "sign_hsm",
                        lambda: receipts[0].sign(b"x" * 300),
                        lambda: receipts[1].sign(b"x" * 300),
                        peer_name="the software store",
                        batch=20,
                        seconds=2.0,
                    ),
                ]
        finally:
            close_modules()


def _evidence(core: Core) -> RegisterEvidence:
    return RegisterEvidence(read=core.database.read, revocation=core.revocation, clock=core.clock)
