"""``seal_blt_qr`` and ``timestamp``: the acts themselves, one thread, keys of the software store (P-256)."""

from __future__ import annotations

import hashlib
import io
from datetime import date
from pathlib import Path

from asn1crypto import tsp

from app.evidence import RegisterEvidence
from app.wiring import Core
from benchmarks import inputs
from benchmarks.harness import Figure, compare_times
from benchmarks.house import AGENCY, AGENCY_NAME
from benchmarks.peers import pki, pyhanko_sealing
from signing import receipt
from signing.ids import new_document_id
from signing.model import StampPlace
from signing.pdf import prepare, seal_pdf
from signing.stamp import StampText


def seal_once(core: Core, evidence: RegisterEvidence, source: bytes) -> bytes:
    """Everything between the request and the released bytes, but for the register and the store."""
    document_id = new_document_id()
    with prepare(io.BytesIO(source)) as prepared:
        signer = core.identities.receipt_signer()
        encoded = receipt.encode(
            receipt.Receipt(
                issuer=AGENCY_NAME,
                document_id=document_id,
                type_number=1,
                number="503/0217/DPMPTSP/2026",
                holder="B*** S***",
                issued_on=date(2026, 11, 22),
                valid_until=date(2031, 11, 21),
                status_index=123456,
                source_digest=prepared.digest,
            ),
            key_id=signer.key_id,
            sign=signer.sign,
        )
        identity = core.identities.seal_of(AGENCY)
        target = io.BytesIO()
        seal_pdf(
            source=prepared,
            target=target,
            stamp=StampText(
                issuer=AGENCY_NAME,
                signatory="Kepala Dinas Penanaman Modal",
                issued_on=date(2026, 11, 22),
                document_id=document_id,
            ),
            link=receipt.link("https://absah.example", document_id, encoded),
            receipt_digits=receipt.to_digits(encoded),
            place=StampPlace(page=-1, x=60, y=60),
            identity=identity,
            timestamper=core.tsa,
            evidence=evidence.evidence_for((identity.certificate, *identity.chain), core.tsa.chain),
            at=core.clock(),
        )
    return target.getvalue()


def run(core: Core, scratch: Path) -> list[Figure]:
    """Both peers seal the same two pages with a code of the same length."""
    source = inputs.two_pages()
    evidence = RegisterEvidence(read=core.database.read, revocation=core.revocation, clock=core.clock)
    peer_pki = pki.build()
    tuned = pyhanko_sealing.Sealer(peer_pki, tuned=True)
    documented = pyhanko_sealing.Sealer(peer_pki, tuned=False)
    link = "https://absah.example/d/7K3M9QXF4TB2W6ZD#" + "1" * 640
    (scratch / "ours.pdf").write_bytes(seal_once(core, evidence, source))
    (scratch / "peer.pdf").write_bytes(tuned.seal(source, link))
    digest = hashlib.sha256(b"signature").digest()
    imprint = tsp.MessageImprint({"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": digest})
    chain = (peer_pki.issuing.asn1, peer_pki.root.asn1)
    tsu, tsu_key = peer_pki.tsu.asn1, peer_pki.tsu.key
    return [
        compare_times(
            "seal_blt_qr",
            lambda: seal_once(core, evidence, source),
            lambda: tuned.seal(source, link),
            peer_name="pyHanko, keys cached, bytes reserved, context reused",
        ),
        compare_times(
            "seal_blt_qr_documented",
            lambda: seal_once(core, evidence, source),
            lambda: documented.seal(source, link),
            peer_name="pyHanko as documented (SimpleSigner, DummyTimeStamper)",
        ),
        compare_times(
            "timestamp",
            lambda: core.tsa.token(digest),
            lambda: pyhanko_sealing.build_token(imprint, tsu, tsu_key, chain).dump(),
            peer_name="token built with asn1crypto, key cached",
            batch=20,
        ),
    ]
