"""An agency's system, whole: get a token, seal a PDF, and ask as a citizen would whether it is genuine.

    CLIENT_ID=… CLIENT_SECRET=… python examples/agency.py letter.pdf sealed.pdf \\
        --type letter --number 045/12/2026 --title "Undangan rapat" --signatory "Sekretaris Daerah" \\
        --issued-on 2026-11-20

Needs httpx. ``BASE_URL`` says where the service is (http://127.0.0.1:8000 unless set).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from base64 import b64encode
from collections.abc import Generator
from pathlib import Path

import httpx

FACTS = ("type", "number", "title", "signatory", "issued_on")  # what the document itself says


class AgencyToken(httpx.Auth):
    """Gets an access token when there is none, and a new one when the service no longer takes it."""

    requires_response_body = True

    def __init__(self, token_url: str, client_id: str, client_secret: str) -> None:
        self._request = httpx.Request(
            "POST",
            token_url,
            data={"grant_type": "client_credentials"},
            headers={"Authorization": f"Basic {b64encode(f'{client_id}:{client_secret}'.encode()).decode()}"},
        )
        self._token: str | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        for _ in range(2):
            if self._token is None:
                answer = yield self._request
                answer.raise_for_status()
                self._token = answer.json()["access_token"]
            request.headers["Authorization"] = f"Bearer {self._token}"
            answer = yield request
            if answer.status_code != 401:
                return
            self._token = None


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
    auth = AgencyToken(f"{base}/oauth2/token", os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
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
