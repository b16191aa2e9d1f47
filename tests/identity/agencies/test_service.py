"""Agencies, clients and their tokens, on both databases."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from app.audit import Audit
from identity.errors import (
    AgencyExists,
    AgencyUnknown,
    ClientNotAuthenticated,
    ClientUnknown,
    NameInvalid,
    ScopeInvalid,
    ScopeNotGranted,
    TokenClientGone,
    TokenExpired,
)
from identity.service import IdentityService, NewClient
from identity.tables import ClientTable
from tests.support.clock import FrozenClock
from tests.support.databases import Begin


def test_a_client_gets_a_token_and_is_recognised_by_it(identity: IdentityService, client: NewClient) -> None:
    granted = identity.grant_token(client.client.id, client.secret, scope=None)
    principal = identity.principal(granted.access_token)
    assert granted.expires_in == 600
    assert principal.client == client.client
    assert principal.agency == identity.agency("dinas")
    assert principal.scopes == {"documents.issue:business_licence", "documents.read"}


def test_the_secret_is_stored_nowhere(identity: IdentityService, client: NewClient, begin: Begin) -> None:
    with begin() as tx:
        stored = ClientTable(tx).get(client.client.id)
    assert stored is not None
    assert stored.secret_hash == hashlib.sha256(client.secret.encode()).digest()
    assert client.secret not in repr(client) + repr(stored)
    assert len(client.secret) == len("absah_") + 43


def test_two_clients_never_share_a_secret(identity: IdentityService, client: NewClient) -> None:
    other = identity.add_client("dinas", name="other", scopes=["documents.read"], actor="test")
    with pytest.raises(ClientNotAuthenticated):
        identity.grant_token(other.client.id, client.secret, scope=None)


def test_unknown_wrong_and_disabled_are_refused_in_the_same_words(
    identity: IdentityService, client: NewClient
) -> None:
    words = set()
    attempts = [
        ("client-0000000000000000", client.secret),
        (client.client.id, "absah_wrong"),
        (client.client.id, ""),
    ]
    for client_id, secret in attempts:
        with pytest.raises(ClientNotAuthenticated) as refused:
            identity.grant_token(client_id, secret, scope="documents.revoke")
        words.add(str(refused.value))
    identity.disable_client(client.client.id, actor="test")
    with pytest.raises(ClientNotAuthenticated) as refused:
        identity.grant_token(client.client.id, client.secret, scope=None)
    assert words == {str(refused.value)}


def test_disabling_a_client_ends_the_tokens_that_it_already_has(
    identity: IdentityService, client: NewClient, clock: FrozenClock
) -> None:
    token = identity.grant_token(client.client.id, client.secret, scope=None).access_token
    disabled = identity.disable_client(client.client.id, actor="test")
    assert disabled.disabled_at == clock()
    with pytest.raises(TokenClientGone):
        identity.principal(token)
    assert identity.disable_client(client.client.id, actor="test").disabled_at == clock()


def test_a_token_can_carry_less_than_the_client_holds_and_never_more(
    identity: IdentityService, client: NewClient
) -> None:
    less = identity.grant_token(client.client.id, client.secret, scope="documents.read")
    assert identity.principal(less.access_token).scopes == {"documents.read"}
    beyond = (
        "documents.revoke",
        "documents.read documents.revoke",
        "documents.issue:decree",
        "documents.issue:*",
        "",
        "openid",
    )
    for scope in beyond:
        with pytest.raises(ScopeNotGranted):
            identity.grant_token(client.client.id, client.secret, scope=scope)


def test_a_client_that_may_issue_everything_may_ask_for_one_type(
    identity: IdentityService, client: NewClient
) -> None:
    wide = identity.add_client("dinas", name="wide", scopes=["documents.issue:*"], actor="test")
    granted = identity.grant_token(wide.client.id, wide.secret, scope="documents.issue:decree")
    assert identity.principal(granted.access_token).scopes == {"documents.issue:decree"}
    with pytest.raises(ScopeNotGranted):
        identity.grant_token(wide.client.id, wide.secret, scope="documents.issue:NOT A TYPE")


def test_a_token_ends_with_its_time(identity: IdentityService, client: NewClient, clock: FrozenClock) -> None:
    token = identity.grant_token(client.client.id, client.secret, scope=None).access_token
    clock.advance(timedelta(minutes=11))
    with pytest.raises(TokenExpired):
        identity.principal(token)


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
    scopes: list[str], identity: IdentityService, client: NewClient
) -> None:
    with pytest.raises(ScopeInvalid, match=r"documents\.read"):
        identity.add_client("dinas", name="x", scopes=scopes, actor="test")


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
    agency_id: str, name: str, organization_identifier: str, identity: IdentityService
) -> None:
    with pytest.raises(NameInvalid):
        identity.add_agency(
            agency_id, name=name, organization_identifier=organization_identifier, actor="test"
        )


def test_a_long_official_name_needs_a_short_one_for_the_certificate(identity: IdentityService) -> None:
    long = "Dinas Penanaman Modal dan Pelayanan Terpadu Satu Pintu Kabupaten Nusa Permata"
    with pytest.raises(NameInvalid, match="certified name"):
        identity.add_agency("dpmptsp", name=long, organization_identifier="NTRID-2", actor="test")
    agency = identity.add_agency(
        "dpmptsp",
        name=long,
        certified_name="DPMPTSP Nusa Permata",
        organization_identifier="NTRID-2",
        actor="test",
    )
    assert identity.agencies() == [agency]


def test_an_agency_is_registered_once(identity: IdentityService, client: NewClient) -> None:
    with pytest.raises(AgencyExists, match="dinas"):
        identity.add_agency("dinas", name="Lain", organization_identifier="NTRID-9", actor="test")
    assert identity.agency("dinas").name == "Dinas Contoh"


def test_what_does_not_exist_is_named(identity: IdentityService) -> None:
    with pytest.raises(AgencyUnknown, match="nobody"):
        identity.agency("nobody")
    with pytest.raises(AgencyUnknown):
        identity.add_client("nobody", name="x", scopes=["documents.read"], actor="test")
    with pytest.raises(ClientUnknown, match="client-x"):
        identity.disable_client("client-x", actor="test")


def test_every_registration_leaves_a_trail_without_secrets(
    identity: IdentityService, client: NewClient, begin: Begin, clock: FrozenClock
) -> None:
    identity.disable_client(client.client.id, actor="ani")
    with begin() as tx:
        entries = list(Audit(clock=clock).entries(tx))
    assert [(entry.action, entry.actor) for entry in entries] == [
        ("agency.added", "test"),
        ("client.added", "test"),
        ("client.disabled", "ani"),
    ]
    assert client.secret not in repr(entries)
