"""An agency's system, whole: get a token, seal a PDF, and ask as a citizen would whether it is genuine.

    CLIENT_ID=… CLIENT_KEY=key.pem python examples/agency.py letter.pdf sealed.pdf \\
        --type letter --number 045/12/2026 --title "Undangan rapat" --signatory "Sekretaris Daerah" \\
        --issued-on 2026-11-20

Needs httpx and joserfc. In development ``CLIENT_SECRET`` does instead of ``CLIENT_KEY``. ``BASE_URL`` says
where the service is, as it is publicly known (http://127.0.0.1:8000 unless set).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path

import httpx
from access import KeyToken, SecretToken

FACTS = ("type", "number", "title", "signatory", "issued_on")  # what the document itself says


def seal(agency: httpx.Client, pdf: bytes, facts: dict[str, str]) -> tuple[str, bytes]:
    """Seal ``pdf``; returns the document's id and the sealed PDF.

    The idempotency key follows from what is sealed, so a call that is repeated after a time-out returns the
    document that the first call made.
    """
    metadata = json.dumps(facts, sort_keys=True)
    answer = agency.post(
        "/v1/documents",
        headers={
            "Accept": "application/pdf",
            "Idempotency-Key": hashlib.sha256(pdf + metadata.encode()).hexdigest(),
        },
        data={"metadata": metadata},
        files={"file": ("document.pdf", pdf, "application/pdf")},
    )
    if answer.is_error:
        problem = answer.json()  # RFC 9457: the title names the cause, the detail the remedy
        raise SystemExit(f"{problem['title']}. {problem.get('detail', '')}")
    return answer.headers["Absah-Document-Id"], answer.content


def main() -> int:
    arguments = argparse.ArgumentParser(description="Seal a PDF through the API and verify it.")
    arguments.add_argument("source", type=Path)
    arguments.add_argument("target", type=Path)
    for name in FACTS:
        arguments.add_argument(f"--{name.replace('_', '-')}", required=True)
    given = arguments.parse_args()
    base = os.environ.get("BASE_URL", "http://127.0.0.1:8000")
    client_id = os.environ["CLIENT_ID"]
    if "CLIENT_KEY" in os.environ:
        auth: httpx.Auth = KeyToken(base, client_id, Path(os.environ["CLIENT_KEY"]))
    else:
        auth = SecretToken(base, client_id, os.environ["CLIENT_SECRET"])
    facts = {name: getattr(given, name) for name in FACTS}

    with httpx.Client(base_url=base, auth=auth, timeout=120) as agency:
        document_id, sealed = seal(agency, given.source.read_bytes(), facts)
    given.target.write_bytes(sealed)
    print(f"Sealed    {document_id} → {given.target}")

    with httpx.Client(base_url=base, timeout=120) as anybody:  # no token: this is open to everyone
        verdict = anybody.post("/v1/verifications", files={"file": ("document.pdf", sealed)}).json()
    print(f"Verified  {verdict['outcome']}")
    return 0 if verdict["outcome"] == "valid" else 1


if __name__ == "__main__":
    sys.exit(main())
