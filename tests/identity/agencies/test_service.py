"""Agencies, their systems and the systems' keys, on both databases."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest

from app.audit import Audit
from app.callers import Callers
from identity.access import AccessTokens
from identity.agencies.errors import ClientKeyUnknown, SecretsNotIssued
from identity.agencies.model import AgencyPolicy, Binding
from identity.agencies.service import Agencies, NewClient
from identity.agencies.tables import ClientTable
from identity.errors import (
    AgencyExists,
    AgencyUnknown,
    ClientUnknown,
    JwkInvalid,
    NameInvalid,
    ScopeInvalid,
    TokenClientGone,
)
from tests.identity.conftest import build
from tests.support.agency_system import AgencySystem
from tests.support.clock import FrozenClock
from tests.support.databases import Begin


def _keys(*systems: AgencySystem, names: tuple[str, ...] = ("one", "two")) -> str:
    """One JWK Set with the key of each system."""
    keys = [json.loads(system.jwks())["keys"][0] for system in systems]
    return json.dumps({"keys": [key | {"kid": name} for key, name in zip(keys, names, strict=False)]})


def test_a_client_is_registered_by_its_keys(
    agencies: Agencies, client: NewClient, clock: FrozenClock
) -> None:
    system = AgencySystem(clock)
    made = agencies.register_client(
        "dinas", name="keys", scopes=["documents.read"], jwks=system.jwks(), actor="test"
    )
    assert agencies.client(made.id) == made
    assert (made.binding, made.secret_hash) == (Binding.DPOP, None)
    (key,) = agencies.keys(made.id)
    assert (key.key_id, key.algorithm, key.ends_at) == ("main", "ES256", None)
    assert "d" not in json.loads(key.jwk)


@pytest.mark.parametrize(
    "jwks",
    ["", "{", "[]", "{}", '{"keys":[]}', '{"keys":[{"kty":"oct","k":"AA"}]}', '{"keys":[],"keys":[]}',
     "x" * 70_000, '{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}'],
    ids=range(9),
)  # fmt: skip
def test_a_key_set_that_cannot_be_used_is_refused_before_anything_is_stored(
    jwks: str, agencies: Agencies, client: NewClient
) -> None:
    with pytest.raises(JwkInvalid):
        agencies.register_client("dinas", name="x", scopes=["documents.read"], jwks=jwks, actor="test")
    with pytest.raises(JwkInvalid):
        agencies.replace_keys(client.client.id, jwks, actor="test")
    assert agencies.clients("dinas") == [client.client]


def test_a_private_key_is_refused_with_what_to_do_about_it(
    agencies: Agencies, client: NewClient, clock: FrozenClock
) -> None:
    private = json.dumps({"keys": [AgencySystem(clock).key.as_dict(private=True)]})
    with pytest.raises(JwkInvalid, match="public half only, and replace the key"):
        agencies.register_client("dinas", name="x", scopes=["documents.read"], jwks=private, actor="test")


def test_tokens_of_a_client_with_keys_are_never_bearer_tokens(
    agencies: Agencies, client: NewClient, clock: FrozenClock
) -> None:
    with pytest.raises(NameInvalid, match="dpop or mtls"):
        agencies.register_client(
            "dinas",
            name="x",
            scopes=["documents.read"],
            jwks=AgencySystem(clock).jwks(),
            binding=Binding.BEARER,
            actor="test",
        )


def test_replaced_keys_overlap_and_then_end(
    agencies: Agencies, system: AgencySystem, clock: FrozenClock
) -> None:
    new = AgencySystem(clock)
    good = agencies.replace_keys(system.id, _keys(new), actor="ani")
    assert {key.key_id: key.ends_at for key in good} == {
        "main": clock() + AgencyPolicy().key_overlap,
        "one": None,
    }
    # The old set again takes the end back: nothing has ended yet.
    again = agencies.replace_keys(system.id, system.jwks(), overlap=timedelta(0), actor="ani")
    assert [(key.key_id, key.ends_at) for key in again] == [("main", None)]


def test_a_kid_means_one_key_for_ever_and_a_removed_key_stays_removed(
    agencies: Agencies, system: AgencySystem, clock: FrozenClock
) -> None:
    other = AgencySystem(clock)
    with pytest.raises(JwkInvalid, match="new kid"):
        agencies.replace_keys(system.id, _keys(other, names=("main",)), actor="ani")
    agencies.replace_keys(system.id, _keys(other), actor="ani")
    agencies.remove_key(system.id, "main", actor="ani")
    with pytest.raises(JwkInvalid, match="was removed"):
        agencies.replace_keys(system.id, system.jwks(), actor="ani")
    with pytest.raises(ClientKeyUnknown, match="absah client keys"):
        agencies.remove_key(system.id, "main", actor="ani")


def test_keys_do_not_pile_up(agencies: Agencies, system: AgencySystem, clock: FrozenClock) -> None:
    def many(prefix: str) -> str:
        systems = [AgencySystem(clock) for _ in range(10)]
        return _keys(*systems, names=tuple(f"{prefix}{number}" for number in range(10)))

    agencies.replace_keys(system.id, many("a"), overlap=timedelta(0), actor="ani")
    agencies.replace_keys(system.id, many("b"), actor="ani")
    with pytest.raises(JwkInvalid, match="overlap"):
        agencies.replace_keys(system.id, many("c"), actor="ani")
    assert len([key for key in agencies.keys(system.id) if key.is_good_at(clock())]) == 20


def test_a_client_with_a_secret_moves_to_keys_and_its_secret_is_gone(
    agencies: Agencies, client: NewClient, clock: FrozenClock
) -> None:
    agencies.replace_keys(client.client.id, AgencySystem(clock).jwks(), actor="ani")
    moved = agencies.client(client.client.id)
    assert (moved.secret_hash, moved.binding) == (None, Binding.DPOP)


def test_in_production_no_secret_is_issued_or_honoured(
    begin: Begin, clock: FrozenClock, access_tokens: AccessTokens, callers: Callers, client: NewClient
) -> None:
    production = build(begin, clock, access_tokens, AgencyPolicy(secrets_allowed=False)).agencies
    with pytest.raises(SecretsNotIssued, match="--jwks"):
        production.add_client("dinas", name="x", scopes=["documents.read"], actor="test")
    issued = access_tokens.issue(
        client_id=client.client.id, scopes=frozenset({"documents.read"}), token_id="j"
    )
    claims = access_tokens.read(issued)
    assert callers.agencies.principal(claims).client == client.client
    with pytest.raises(TokenClientGone, match="no key yet"):
        production.principal(claims)


def test_the_secret_is_stored_nowhere(client: NewClient, begin: Begin) -> None:
    with begin() as tx:
        stored = ClientTable(tx).get(client.client.id)
    assert stored is not None
    assert stored.secret_hash == hashlib.sha256(client.secret.encode()).digest()
    assert client.secret not in repr(client) + repr(stored)
    assert repr(stored.secret_hash) not in repr(stored)
    assert len(client.secret) == len("absah_") + 43


def test_disabling_a_client_or_taking_a_scope_counts_for_tokens_that_it_already_has(
    agencies: Agencies, client: NewClient, clock: FrozenClock, access_tokens: AccessTokens
) -> None:
    token = access_tokens.issue(client_id=client.client.id, scopes=client.client.scopes, token_id="j")
    claims = access_tokens.read(token)
    assert agencies.principal(claims).scopes == client.client.scopes
    agencies.change_scopes(client.client.id, ["documents.read"], actor="test")
    assert agencies.principal(claims).scopes == {"documents.read"}
    disabled = agencies.disable_client(client.client.id, actor="test")
    assert disabled.disabled_at == clock()
    with pytest.raises(TokenClientGone):
        agencies.principal(claims)
    assert agencies.disable_client(client.client.id, actor="test").disabled_at == clock()


@pytest.mark.parametrize(
    "scopes",
    [
        [],
        ["documents.write"],
        ["documents.issue:"],
        ["documents.issue:A"],
        ["documents.read "],
        ["documents.issue:**"],
    ],
)
def test_a_scope_that_does_not_exist_is_not_given(
    scopes: list[str], agencies: Agencies, client: NewClient
) -> None:
    with pytest.raises(ScopeInvalid, match=r"documents\.read"):
        agencies.add_client("dinas", name="x", scopes=scopes, actor="test")


@pytest.mark.parametrize(
    ("agency_id", "name", "organization_identifier"),
    [
        ("Dinas", "Dinas", "NTRID-1"),
        ("-dinas", "Dinas", "NTRID-1"),
        ("d" * 41, "Dinas", "NTRID-1"),
        ("baru", "", "NTRID-1"),
        ("baru", "x" * 121, "NTRID-1"),
        ("baru", "tak\nterlihat", "NTRID-1"),
        ("baru", " Dinas", "NTRID-1"),
        ("baru", "Dinas", "1234"),
        ("baru", "Dinas", "NTRID-"),
    ],
)
def test_names_that_would_break_a_certificate_or_a_page_are_refused(
    agency_id: str, name: str, organization_identifier: str, agencies: Agencies
) -> None:
    with pytest.raises(NameInvalid):
        agencies.add_agency(
            agency_id, name=name, organization_identifier=organization_identifier, actor="test"
        )


def test_a_long_official_name_needs_a_short_one_for_the_certificate(agencies: Agencies) -> None:
    long = "Dinas Penanaman Modal dan Pelayanan Terpadu Satu Pintu Kabupaten Nusa Permata"
    with pytest.raises(NameInvalid, match="certified name"):
        agencies.add_agency("dpmptsp", name=long, organization_identifier="NTRID-2", actor="test")
    agency = agencies.add_agency(
        "dpmptsp",
        name=long,
        certified_name="DPMPTSP Nusa Permata",
        organization_identifier="NTRID-2",
        actor="test",
    )
    assert agencies.agencies() == [agency]


def test_an_agency_is_registered_once(agencies: Agencies, client: NewClient) -> None:
    with pytest.raises(AgencyExists, match="dinas"):
        agencies.add_agency("dinas", name="Lain", organization_identifier="NTRID-9", actor="test")
    assert agencies.agency("dinas").name == "Dinas Contoh"


def test_what_does_not_exist_is_named(agencies: Agencies) -> None:
    with pytest.raises(AgencyUnknown, match="nobody"):
        agencies.agency("nobody")
    with pytest.raises(AgencyUnknown):
        agencies.add_client("nobody", name="x", scopes=["documents.read"], actor="test")
    with pytest.raises(ClientUnknown, match="client-x"):
        agencies.disable_client("client-x", actor="test")


def test_every_change_leaves_a_trail_without_secrets(
    agencies: Agencies, client: NewClient, begin: Begin, clock: FrozenClock
) -> None:
    system = AgencySystem(clock)
    made = agencies.register_client(
        "dinas", name="keys", scopes=["documents.read"], jwks=system.jwks(), actor="budi"
    )
    agencies.replace_keys(made.id, _keys(AgencySystem(clock)), actor="budi")
    agencies.remove_key(made.id, "main", actor="budi")
    agencies.change_scopes(made.id, ["documents.revoke"], actor="budi")
    agencies.disable_client(client.client.id, actor="ani")
    with begin() as tx:
        entries = list(Audit(clock=clock).entries(tx))
    assert [(entry.action, entry.actor) for entry in entries] == [
        ("agency.added", "test"),
        ("client.added", "test"),
        ("client.added", "budi"),
        ("client.keys_replaced", "budi"),
        ("client.key_removed", "budi"),
        ("client.scopes_changed", "budi"),
        ("client.disabled", "ani"),
    ]
    assert json.loads(entries[2].facts)["keys"] == "main=ES256"
    assert json.loads(entries[3].facts) == {
        "added": "one=ES256",
        "left": "main",
        "left_until": (clock() + timedelta(days=1)).isoformat(),
    }
    assert client.secret not in repr(entries)
