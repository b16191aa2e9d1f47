"""``validate_own``: a file that we sealed, validated in full and by its known digest, beside pyHanko."""

from __future__ import annotations

import io

from app.wiring import Core
from benchmarks import inputs
from benchmarks.harness import Figure, compare_times
from benchmarks.house import AGENCY, AGENCY_NAME, SCOPES
from benchmarks.peers.pyhanko_validation import Validator
from signing.model import DocumentFacts, StampPlace
from signing.ports import Caller
from verify.verdict import Outcome


def run(core: Core, client_id: str) -> list[Figure]:
    """The file is sealed and registered as an agency's request would have it."""
    caller = Caller(client_id, AGENCY, AGENCY_NAME, frozenset(SCOPES))
    facts = DocumentFacts(
        "decree", "1/2026", "Keputusan", "Bupati", core.clock().date(), place=StampPlace(-1, 60, 60)
    )
    document = core.sealing.seal(caller, facts, io.BytesIO(inputs.two_pages()))
    with core.files.open(document.sealed_key) as stream:
        sealed = stream.read()
    peer = Validator(core.identities.seal_of(AGENCY).chain[-1])

    def ours(*, thorough: bool) -> None:
        verdict = core.verification.by_file(io.BytesIO(sealed), thorough=thorough)
        if verdict.outcome is not Outcome.VALID:
            raise RuntimeError(f"our verdict is {verdict.outcome}")

    return [
        compare_times(
            name,
            lambda thorough=thorough: ours(thorough=thorough),
            lambda: peer.validate(sealed),
            peer_name="pyHanko ades_with_time_validation",
            batch=batch,
        )
        for name, thorough, batch in (
            ("validate_own", True, 4),
            ("validate_own_known_digest", False, 20),
        )
    ]
