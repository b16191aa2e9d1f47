"""A certified client (npm openid-client) plays an agency's system: private_key_jwt and DPoP, no hooks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from identity.agencies.model import Client
from tests.pages.town import Town, served_town
from tests.support.needs import requires
from tests.support.node import NodeProgram, NodeRefused, running

pytestmark = [requires("node"), pytest.mark.network]


@dataclass
class System:
    program: NodeProgram
    registered: Client
    url: str

    def grant(self, **given: Any) -> Any:
        return self.program.ask("grant", **({"bound": True} | given))

    def documents(self, token: str, **given: Any) -> Any:
        return self.program.ask(
            "call", **({"url": f"{self.url}/v1/documents", "token": token, "bound": True} | given)
        )


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with served_town(tmp_path_factory.mktemp("systems")) as served:
        served.core.agencies.add_agency(
            "dinas", name="Dinas Perizinan", organization_identifier="NTRID-1", actor="test"
        )
        yield served


def _key(algorithm: str) -> ECKey | RSAKey | OKPKey:
    if algorithm == "ES256":
        return ECKey.generate_key("P-256", private=True)
    if algorithm == "PS256":
        return RSAKey.generate_key(2048, private=True)
    return OKPKey.generate_key("Ed25519", private=True)


def _registered(town: Town, program: NodeProgram, *, algorithm: str = "ES256", kid: str = "k1") -> System:
    key = _key(algorithm)
    named = {"kid": kid, "alg": algorithm}
    client = town.core.agencies.register_client(
        "dinas",
        name="licensing backend",
        scopes=["documents.read", "documents.issue:*"],
        jwks=json.dumps({"keys": [key.as_dict(private=False) | named]}),
        actor="test",
    )
    private = key.as_dict(private=True) | named
    program.ask("discover", issuer=town.url, clientId=client.id, key=private)
    return System(program, client, town.url)


@pytest.fixture
def system(town: Town) -> Iterator[System]:
    with running("agency.mjs", "openid-client") as program:
        made = _registered(town, program)
        program.ask("bind", algorithm="ES256")
        yield made


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "Ed25519"])
def test_a_certified_client_gets_a_bound_token_and_calls_the_api(algorithm: str, town: Town) -> None:
    with running("agency.mjs", "openid-client") as program:
        system = _registered(town, program, algorithm=algorithm)
        bound = program.ask("bind", algorithm=algorithm)
        granted = system.grant(scope="documents.read")
        assert granted["token_type"].lower() == "dpop"
        assert (granted["scope"], granted["expires_in"]) == ("documents.read", 600)
        # Twice, so that the nonce it learnt the first time is used the second.
        for _ in range(2):
            answer = system.documents(granted["access_token"])
            assert (answer["status"], answer["body"]["documents"]) == (200, [])
        told = program.ask("introspect", token=granted["access_token"])
        assert told["active"] is True
        assert told["cnf"] == {"jkt": bound["thumbprint"]}
        assert told["client_id"] == told["sub"] == system.registered.id


def test_what_it_discovers_is_what_it_then_uses(town: Town) -> None:
    with running("agency.mjs", "openid-client") as program:
        key = _key("ES256").as_dict(private=True) | {"kid": "k", "alg": "ES256"}
        said = program.ask("discover", issuer=town.url, clientId="x", key=key)
    assert {"private_key_jwt"} <= set(said["token_endpoint_auth_methods_supported"])
    assert "client_credentials" in said["grant_types_supported"]
    assert {"ES256", "PS256", "EdDSA"} <= set(said["dpop_signing_alg_values_supported"])


def test_a_token_without_a_key_is_not_granted_and_a_stolen_one_opens_nothing(
    system: System, town: Town
) -> None:
    with pytest.raises(NodeRefused) as refused:
        system.grant(bound=False)
    assert refused.value.code == "invalid_request"
    token = system.grant()["access_token"]
    with pytest.raises(NodeRefused) as refused:
        system.documents(token, bound=False)
    assert refused.value.code == "invalid_token"
    with running("agency.mjs", "openid-client") as program:
        thief = _registered(town, program)
        program.ask("bind", algorithm="ES256")
        with pytest.raises(NodeRefused) as refused:
            thief.documents(token)
    assert refused.value.code == "invalid_dpop_proof"
    assert system.documents(token)["status"] == 200


def test_a_client_that_was_shut_out_learns_it_at_once(system: System, town: Town) -> None:
    token = system.grant()["access_token"]
    town.core.agencies.disable_client(system.registered.id, actor="test")
    with pytest.raises(NodeRefused) as refused:
        system.documents(token)
    assert refused.value.code == "invalid_token"
    with pytest.raises(NodeRefused) as refused:
        system.grant()
    assert refused.value.code == "invalid_client"
