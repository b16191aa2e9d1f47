"""What the provider says of itself (OpenID Connect Discovery 1.0; RFC 8414). Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from identity.agencies.model import Method
from identity.jwks import FAPI_ALGORITHMS
from identity.login.model import Acr
from identity.provider.model import SCOPES, IdTokenAlgorithm, Prompt, ResponseMode


def metadata(
    issuer: str,
    *,
    grant_types: Collection[str],
    api_scopes: Collection[str],
    secrets_allowed: bool,
    certificates_seen: bool,
) -> dict[str, Any]:
    """``api_scopes`` are those of the documents' API. ``certificates_seen``: a proxy tells of connections'
    certificates, without which no token can be bound to one (RFC 8705, 3.3).
    """
    secret = {Method.SECRET_BASIC, Method.SECRET_POST}
    methods = [method.value for method in Method if secrets_allowed or method not in secret]
    proven = [method for method in methods if method != Method.NONE]  # RFC 7662, 2.1
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth2/authorize",
        "pushed_authorization_request_endpoint": f"{issuer}/oauth2/par",
        "token_endpoint": f"{issuer}/oauth2/token",
        "userinfo_endpoint": f"{issuer}/oauth2/userinfo",
        "introspection_endpoint": f"{issuer}/oauth2/introspect",
        "revocation_endpoint": f"{issuer}/oauth2/revoke",
        "end_session_endpoint": f"{issuer}/oauth2/logout",
        "jwks_uri": f"{issuer}/oauth2/jwks",
        "scopes_supported": [*SCOPES, *sorted(api_scopes)],
        "response_types_supported": ["code"],
        "response_modes_supported": [mode.value for mode in ResponseMode],
        "grant_types_supported": sorted(grant_types),
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": [algorithm.value for algorithm in IdTokenAlgorithm],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": list(FAPI_ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": proven,
        "introspection_endpoint_auth_signing_alg_values_supported": list(FAPI_ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": list(FAPI_ALGORITHMS),
        "tls_client_certificate_bound_access_tokens": certificates_seen,
        "dpop_signing_alg_values_supported": list(FAPI_ALGORITHMS),
        "code_challenge_methods_supported": ["S256"],
        "acr_values_supported": [acr.value for acr in Acr],
        "prompt_values_supported": [prompt.value for prompt in Prompt],
        "claim_types_supported": ["normal"],
        "claims_supported": sorted(
            {"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"}.union(
                *SCOPES.values()
            )
        ),
        "ui_locales_supported": ["id", "en"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "require_pushed_authorization_requests": False,
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
    }
