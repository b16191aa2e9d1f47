"""``absah client``: an agency's system from its first key to its last, by the command line and over HTTP."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from tests.support.agency_system import AgencySystem
from tests.support.server import RunningServer, absah, free_port


def _now() -> datetime:
    return datetime.now(UTC)


def _system(folder: Path, name: str, origin: str, settings: dict[str, str]) -> tuple[AgencySystem, Path]:
    """A system with the key that ``absah client new-key`` made for it."""
    private, jwks = folder / f"{name}.pem", folder / f"{name}.json"
    absah("client", "new-key", private, jwks, settings=settings)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    system = AgencySystem(_now, key=ECKey.import_key(private.read_bytes()), origin=origin)
    return system, jwks


def _kid(jwks: Path) -> str:
    kid: str = json.loads(jwks.read_text())["keys"][0]["kid"]
    return kid


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.network
def test_a_system_registers_its_key_calls_the_api_rotates_and_is_shut_out(
    tmp_path: Path, closing: ExitStack
) -> None:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    settings = {
        "ABSAH_DATA_DIR": str(tmp_path / "data"),
        "ABSAH_PUBLIC_URL": origin,
        "ABSAH_SERVER_UPKEEP": "false",
    }
    absah("init", settings=settings)
    system, jwks = _system(tmp_path, "one", origin, settings)
    said = absah(
        *("agency", "add", "dinas", "--name", "Dinas", "--organization-identifier", "NTRID-1"),
        *("--jwks", jwks),
        settings=settings,
    ).stdout
    assert "Secret" not in said
    found = re.search(r"^Client +(\S+)$", said, re.MULTILINE)
    assert found is not None
    system.named = found[1]
    server = RunningServer(settings, (), tmp_path / "serve.log", port)
    closing.callback(server.close)
    server.start()

    def token_status(who: AgencySystem, kid: str) -> int:
        """Asked twice, because the first answer brings the nonce."""
        status, nonce = 0, None
        for _ in range(2):
            form = who.form(who.assertion(header={"kid": kid}))
            answer = server.http.post("/oauth2/token", data=form, headers={"DPoP": who.proof(nonce=nonce)})
            status, nonce = answer.status_code, answer.headers.get("dpop-nonce")
        return status

    # 1. Its token opens the API, with a proof and not without.
    system_kid = _kid(jwks)
    assert token_status(system, system_kid) == 200
    # 2. A second key beside the first, then the first is stopped at once.
    renewed, new_jwks = _system(tmp_path, "two", origin, settings)
    renewed.named = system.named
    absah("client", "rotate", system.named, "--jwks", new_jwks, settings=settings)
    assert token_status(system, system_kid) == token_status(renewed, _kid(new_jwks)) == 200
    absah("client", "remove-key", system.named, system_kid, settings=settings)
    assert (token_status(system, system_kid), token_status(renewed, _kid(new_jwks))) == (401, 200)
    listed = absah("client", "keys", system.named, settings=settings).stdout
    assert "ended" in listed
    assert "authenticates" in listed
    # 3. What it may is changed, and then it is shut out.
    absah("client", "scopes", system.named, "--scope", "documents.read", settings=settings)
    absah("client", "disable", system.named, settings=settings)
    assert token_status(renewed, _kid(new_jwks)) == 401
    trail = absah("audit", "show", settings=settings).stdout
    for action in ("client.added", "client.keys_replaced", "client.key_removed", "client.scopes_changed",
                   "client.disabled"):  # fmt: skip
        assert action in trail
    again = absah("client", "new-key", tmp_path / "one.pem", jwks, settings=settings, check=False)
    assert again.returncode != 0
    assert "one.pem" in again.stderr
