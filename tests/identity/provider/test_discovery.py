"""What discovery says is what there is: nothing is promised that a client would then miss."""

from __future__ import annotations

from typing import Any

import pytest

from identity.agencies.model import Method
from identity.provider.discovery import metadata
from identity.provider.model import SCOPES


def said(**changes: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "grant_types": ["refresh_token", "authorization_code", "client_credentials"],
        "api_scopes": ["documents.read"],
        "secrets_allowed": False,
        "certificates_seen": False,
    }
    return metadata("https://masuk.absah.example", **asked | changes)


@pytest.mark.parametrize("seen", [True, False])
def test_tokens_bound_to_certificates_are_promised_only_where_certificates_are_seen(seen: bool) -> None:
    """RFC 8705, 3.3."""
    assert said(certificates_seen=seen)["tls_client_certificate_bound_access_tokens"] is seen


def test_who_proves_nothing_is_not_invited_to_introspect() -> None:
    """RFC 7662, 2.1; an app without a secret may still take its own tokens back (RFC 7009, 2.1)."""
    document = said(secrets_allowed=True)
    assert Method.NONE not in document["introspection_endpoint_auth_methods_supported"]
    assert Method.NONE in document["revocation_endpoint_auth_methods_supported"]
    assert Method.NONE in document["token_endpoint_auth_methods_supported"]


def test_client_secrets_are_offered_in_development_only() -> None:
    for name, methods in said().items():
        if name.endswith("_auth_methods_supported"):
            assert not {Method.SECRET_BASIC, Method.SECRET_POST} & set(methods)
            assert {Method.SECRET_BASIC, Method.SECRET_POST} <= set(said(secrets_allowed=True)[name])


def test_every_endpoint_with_authentication_names_its_methods_and_algorithms() -> None:
    """RFC 8414, 2: clients that sign assertions need both."""
    document = said()
    for endpoint in ("token", "introspection", "revocation"):
        assert document[f"{endpoint}_endpoint_auth_methods_supported"]
        algorithms = document[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
        assert algorithms
        assert "none" not in algorithms


def test_what_the_profiles_demand_is_there() -> None:
    """OpenID Connect Discovery, 3; RFC 9126, 5; RFC 9207, 3; RFC 9449, 5.1; Back-Channel Logout, 2.1."""
    document = said()
    for name in (
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "userinfo_endpoint",
        "pushed_authorization_request_endpoint",
        "end_session_endpoint",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
        "dpop_signing_alg_values_supported",
        "code_challenge_methods_supported",
        "acr_values_supported",
    ):
        assert document[name], name
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["backchannel_logout_session_supported"] is True
    assert document["require_pushed_authorization_requests"] is False
    assert document["grant_types_supported"] == sorted(document["grant_types_supported"])
    opened = {claim for claims in SCOPES.values() for claim in claims}
    assert opened | {"sub", "sid", "acr", "amr", "auth_time"} <= set(document["claims_supported"])
