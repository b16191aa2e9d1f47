"""The public process holds no private key, and no code that could."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.provisioning import publish_trust
from app.wiring import Core
from tests.support.server import environment

PROGRAM = """
import asyncio, sys
import httpx
from app.public import create_public_app

async def main():
    transport = httpx.ASGITransport(create_public_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://absah.test") as http:
        for path in ("/healthz", "/readyz", "/verify", "/pki/root-1.crt", "/pki/issuing-1.crl", "/metrics",
                     "/d/0000000000000000", "/v1/verifications/0000000000000000", "/nowhere"):
            answer = await http.get(path)
            print(path, answer.status_code)
        refused = await http.post("/v1/verifications", json={"receipt": "1" * 300})
        print("receipt", refused.json()["outcome"])
        for path in ("/v1/documents", "/oauth2/token", "/tsa", "/ocsp/issuing-1"):
            answer = await http.post(path)
            print(path, answer.status_code)

asyncio.run(main())
print("keys" in sys.modules, any(name.startswith("keys.") for name in sys.modules))
"""


@pytest.fixture
def served(core: Core) -> list[str]:
    """What a public process printed that may read the database and has no key-encryption key at all."""
    publish_trust(core)
    core.settings.kek_path.unlink()
    settings = {"ABSAH_DATA_DIR": str(core.settings.home), "ABSAH_DATABASE_URL": core.settings.database_url}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


@pytest.mark.either_database
def test_after_answering_every_kind_of_question_keys_was_never_imported(served: list[str]) -> None:
    assert served[-1] == "False False"


def test_it_verifies_and_publishes_and_offers_nothing_else(served: list[str]) -> None:
    assert served[:-1] == [
        "/healthz 200",
        "/readyz 200",
        "/verify 200",
        "/pki/root-1.crt 200",
        "/pki/issuing-1.crl 200",
        "/metrics 200",
        "/d/0000000000000000 404",
        "/v1/verifications/0000000000000000 404",
        "/nowhere 404",
        "receipt unreadable",
        "/v1/documents 404",
        "/oauth2/token 404",
        "/tsa 404",
        "/ocsp/issuing-1 404",
    ]
