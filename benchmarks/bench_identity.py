"""Logins, grants, refreshes and introspections: one server process on one core, PostgreSQL, audit on.

Peers: the sizing figures that Keycloak publishes, as constants with their source, and npm's `oidc-provider`
on the same core where Node.js is present. It keeps everything in memory and hashes no password; ours commits.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk, jws

from benchmarks.harness import Figure, cpu_seconds
from benchmarks.house import AGENCY, house
from benchmarks.peers.oidc_provider import Peer, running_peer
from identity.encoding import base64url
from identity.jwks import jwk_of
from identity.provider.portals import PortalRegistration
from tests.journeys.portals import Browser
from tests.pages.town import PASSWORD, Citizen, Town
from tests.support.needs import tool_path
from tests.support.postgres import running_cluster
from tests.support.server import RunningServer, free_port

SECONDS: Final = 8.0
ACCOUNTS: Final = 150
CALLBACK: Final = "http://127.0.0.1:9/callback"
KEYCLOAK: Final = "https://www.keycloak.org/high-availability/single-cluster/concepts-memory-and-cpu-sizing"
KEYCLOAK_LOGINS, KEYCLOAK_GRANTS = 15.0, 120.0
"""Per vCPU, from the page above: 15 password logins/s, 120 client credential grants or refreshes/s."""


def run(scratch: Path) -> list[Figure]:
    """Needs PostgreSQL; the peer from npm is left out where Node.js is missing."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    with (
        running_cluster(tool_path("initdb"), tool_path("postgres"), durable=True) as cluster,
        cluster.database() as url,
        house(scratch, database_url=url, public_url=origin) as (core, _, _),
    ):
        values = {
            "ABSAH_DATA_DIR": str(scratch),
            "ABSAH_DATABASE_URL": url,
            "ABSAH_PUBLIC_URL": origin,
            "ABSAH_LOG_LEVEL": "warning",
            "ABSAH_SERVER_UPKEEP": "false",
        }
        server = RunningServer(values, (), scratch / "serve.log", port)
        with _on_one_core():
            server.start()
        try:
            town = Town(server, core)
            return [*_logins(town), *_machines(town)]
        finally:
            server.close()


def _logins(town: Town) -> Iterator[Figure]:
    accounts = [_account(town) for _ in range(ACCOUNTS)]
    result = _load(town.server, kind="login", accounts=accounts, origin=town.url, connections=3)
    rate = result["per_second"]
    yield Figure(
        "login", rate, "logins/s", f"Keycloak's sizing ({KEYCLOAK})", KEYCLOAK_LOGINS, rate / KEYCLOAK_LOGINS
    )
    yield Figure("login_p95", result["p95_ms"], "ms", "the target", 300.0, 300.0 / result["p95_ms"])
    yield _per_core("login", result, 15.0)


def _per_core(name: str, result: dict[str, float], target: float) -> Figure:
    """Requests per second of processor time: what a core gives when nobody else is on it."""
    rate = result["per_cpu_second"]
    return Figure(f"{name}_per_core", rate, "per CPU second", "the target", target, rate / target)


def _account(town: Town) -> dict[str, str]:
    citizen = town.citizen(codes=False)
    return {"email": citizen.email, "password": PASSWORD, "secret": citizen.totp.secret}


def _machines(town: Town) -> Iterator[Figure]:
    key = ec.generate_private_key(ec.SECP256R1())
    public = jwk_of(key.public_key(), key_id="bench", algorithm="ES256").as_json()
    private = public | {"d": base64url(key.private_numbers().private_value.to_bytes(32))}
    system = town.core.agencies.register_client(
        AGENCY,
        name="benchmark",
        scopes=["documents.read"],
        jwks=json.dumps({"keys": [public]}),
        actor="benchmark",
    )
    server = town.server
    forms = _grants(private, system.id, town.url, path="/oauth2/token")
    grants = _load(server, kind="forms", path="/oauth2/token", forms=forms, connections=8)
    families, basic, token = _families(town)
    refreshes = _load(server, kind="refresh", path="/oauth2/token", families=families, connections=8)
    asking = {
        "kind": "same",
        "path": "/oauth2/introspect",
        "form": {"token": token},
        "basic": basic,
        "says": '"active":true',
        "connections": 8,
    }
    introspections = _load(server, **asking)
    peers = _peer(private, public)
    for name, ours, target, constant in (
        ("grant_private_key_jwt", grants, 150.0, KEYCLOAK_GRANTS),
        ("refresh", refreshes, 150.0, KEYCLOAK_GRANTS),
        ("introspection", introspections, 300.0, None),
    ):
        rate = ours["per_second"]
        yield Figure(f"{name}_target", rate, "requests/s", "the target", target, rate / target)
        yield _per_core(name, ours, target)
        if constant is not None:
            yield Figure(
                name, rate, "requests/s", f"Keycloak's sizing ({KEYCLOAK})", constant, rate / constant
            )
        if name in peers:
            yield Figure(
                f"{name}_npm", rate, "requests/s", "oidc-provider, in memory", peers[name], rate / peers[name]
            )


def _families(town: Town) -> tuple[list[dict[str, str]], str, str]:
    """Eight people logged in at a portal; the portal's credentials, and an access token of one of them."""
    made = town.core.provider.portals.add(
        PortalRegistration(
            agency_id=AGENCY,
            name="Portal",
            redirect_uris=(CALLBACK,),
            scopes=frozenset({"profile", "email", "offline_access"}),
        ),
        actor="benchmark",
    )
    assert made.secret is not None
    basic = "Basic " + base64.b64encode(f"{made.portal.id}:{made.secret}".encode()).decode()
    families, access_token = [], ""
    for _ in range(8):
        tokens = _at_portal(town, town.citizen(codes=False), made.portal.id, basic)
        families.append({"token": tokens["refresh_token"], "basic": basic})
        access_token = tokens["access_token"]
    return families, basic, access_token


def _at_portal(town: Town, citizen: Citizen, client_id: str, basic: str) -> dict[str, str]:
    verifier = secrets.token_urlsafe(48)
    challenge = base64url(hashlib.sha256(verifier.encode()).digest())
    query = httpx.QueryParams(
        response_type="code",
        client_id=client_id,
        redirect_uri=CALLBACK,
        code_challenge=challenge,
        scope="openid profile email offline_access",
        state="s",
        nonce="n",
        code_challenge_method="S256",
        prompt="consent",
    )
    with Browser(town.url) as browser:
        browser.open(f"{town.url}/oauth2/authorize?{query}")
        browser.log_in(citizen)
        came_back = browser.send("/oauth2/consent", decision="agree")
        answer = browser.http.post(
            f"{town.url}/oauth2/token",
            data={
                "grant_type": "authorization_code",
                "code": httpx.URL(came_back).params["code"],
                "redirect_uri": CALLBACK,
                "code_verifier": verifier,
            },
            headers={"Authorization": basic},
        )
    tokens: dict[str, str] = answer.raise_for_status().json()
    return tokens


def _grants(
    private: dict[str, str], client_id: str, audience: str, *, path: str, scope: str | None = None
) -> list[dict[str, Any]]:
    """Grants that can be used once each, with their DPoP proofs: more than the server answers in the time."""
    key = jwk.construct(private, "ES256")
    public = {name: private[name] for name in ("kty", "crv", "x", "y")}
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": audience, "iat": now, "exp": now + 55}
    proof = {"htm": "POST", "htu": audience + path, "iat": now}
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    } | ({"scope": scope} if scope else {})

    def request(nonce: str | None) -> dict[str, Any]:
        def signed(said: dict[str, Any], headers: dict[str, Any]) -> str:
            return jws.sign(
                said | {"jti": secrets.token_urlsafe(16)}, key, algorithm="ES256", headers=headers
            )

        shown = signed(proof | ({"nonce": nonce} if nonce else {}), {"typ": "dpop+jwt", "jwk": public})
        return {
            "form": form | {"client_assertion": signed(claims, {"kid": private["kid"], "typ": "JWT"})},
            "headers": {"DPoP": shown},
        }

    first = request(None)
    answer = httpx.post(audience + path, data=first["form"], headers=first["headers"], trust_env=False)
    nonce = answer.headers.get("dpop-nonce")
    return [request(nonce) for _ in range(int(SECONDS * 700))]


def _peer(private: dict[str, str], public: dict[str, str]) -> dict[str, float]:
    if shutil.which("node") is None or shutil.which("npm") is None:
        return {}
    with ExitStack() as closing:
        with _on_one_core():
            peer = closing.enter_context(running_peer(public))
        # Its memory holds a thousand entries: grants come last, or they would push the people out.
        families = [{"token": token, "basic": peer.basic} for token in peer.refresh_tokens]
        first = httpx.post(
            f"{peer.origin}/token",
            data={"grant_type": "refresh_token", "refresh_token": families[0]["token"]},
            headers={"Authorization": peer.basic},
            trust_env=False,
        )
        tokens = first.raise_for_status().json()
        families[0]["token"] = tokens["refresh_token"]
        asked = _load(
            peer,
            kind="same",
            path="/token/introspection",
            form={"token": tokens["access_token"]},
            basic=peer.basic,
            says='"active":true',
            connections=8,
        )
        refreshed = _load(peer, kind="refresh", path="/token", families=families, connections=8)
        grants = _load(
            peer,
            kind="forms",
            path="/token",
            connections=8,
            forms=_grants(private, "system", peer.origin, path="/token", scope="documents.read"),
        )
    return {
        "grant_private_key_jwt": grants["per_second"],
        "refresh": refreshed["per_second"],
        "introspection": asked["per_second"],
    }


def _load(server: RunningServer | Peer, *, seconds: float = SECONDS, **job: Any) -> dict[str, float]:
    asked = {"host": "127.0.0.1", "port": server.port, "seconds": seconds} | job
    before = cpu_seconds(server.pid)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load_identity"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    result: dict[str, float] = json.loads(done.stdout)
    result["per_cpu_second"] = result["done"] / (cpu_seconds(server.pid) - before)
    return result


@contextmanager
def _on_one_core() -> Iterator[None]:
    """What starts inside stays on the first core we may use; load and database go where they like."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)
