"""The token endpoint behind its door: which grants there are, and the one of agencies' systems."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from identity.access import AccessTokens, Confirmation
from identity.agencies.authentication import AuthenticatedClient
from identity.agencies.errors import BindingMissing
from identity.agencies.model import Binding, Client, covered
from identity.agencies.requests import Holder
from identity.errors import GrantNotSupported, ScopeNotGranted, TokenRequestInvalid
from identity.provider.errors import GrantNotForClient

CLIENT_CREDENTIALS: Final = "client_credentials"


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request for tokens whose client is known. ``holder`` has the keys that tokens may be bound to."""

    client: AuthenticatedClient
    form: Mapping[str, str] = field(repr=False)
    holder: Holder
    address: str = ""


TokenAnswer = Mapping[str, Any]
"""The members of a successful answer (RFC 6749, 5.1)."""

Grant = Callable[[TokenRequest], TokenAnswer]
"""One grant type. Raises leaves of :class:`identity.errors.OAuthError`."""


class Grants:
    """The grant types of this service by name; what is not here does not exist."""

    def __init__(self, grants: Mapping[str, Grant]) -> None:
        self._grants = dict(grants)

    @property
    def names(self) -> list[str]:
        return sorted(self._grants)

    def answer(self, request: TokenRequest) -> TokenAnswer:
        """Raises :class:`identity.errors.TokenRequestInvalid`, ``GrantNotSupported`` or as grants do."""
        name = request.form.get("grant_type")
        if not name:
            raise TokenRequestInvalid(f"grant_type is missing; there are {', '.join(self.names)}.")
        grant = self._grants.get(name)
        if grant is None:
            raise GrantNotSupported(f"There is no such grant_type here; there are {', '.join(self.names)}.")
        return grant(request)


class ClientCredentials:
    """The grant for a system that acts for its agency (RFC 6749, 4.4). Safe to share between threads."""

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    def __call__(self, request: TokenRequest) -> TokenAnswer:
        """``scope`` left out asks for all that the client holds.

        Raises :class:`identity.provider.errors.GrantNotForClient`,
        :class:`identity.errors.ScopeNotGranted` or :class:`identity.agencies.errors.BindingMissing`.
        """
        # 1. An agency's system. A portal is none: nothing is granted to it in nobody's name.
        client = request.client.client
        if client is None:
            raise GrantNotForClient("This grant is for agencies' systems. Portals ask in a person's name.")
        # 2. Everything that was asked for, or nothing: a client that gets less would find out too late.
        scope = request.form.get("scope")
        wanted = client.scopes if scope is None else frozenset(scope.split())
        granted = covered(wanted, client.scopes)
        if not wanted or granted != wanted:
            raise ScopeNotGranted(
                "This client does not hold every scope that was asked for. Leave scope out to get all it has."
            )
        # 3. Bind, and sign.
        confirmation = _confirmation(client, request.holder)
        token = self._tokens.issue(
            client_id=client.id,
            scopes=granted,
            token_id=secrets.token_urlsafe(16),
            confirmation=confirmation,
        )
        return {
            "access_token": token,
            "token_type": "DPoP" if confirmation and confirmation.jkt else "Bearer",
            "expires_in": int(self._tokens.lifetime.total_seconds()),
            "scope": " ".join(sorted(granted)),
        }


def _confirmation(client: Client, holder: Holder) -> Confirmation | None:
    """What the client's registration demands; a bearer client may still choose DPoP for itself."""
    if client.binding is Binding.MTLS:
        if holder.certificate is None:
            raise BindingMissing(
                "This client's tokens are bound to its TLS client certificate; this connection shows none. "
                "Use the certificate, or have the client registered for DPoP."
            )
        return Confirmation(x5t_s256=holder.certificate)
    if holder.proof_key is not None:
        return Confirmation(jkt=holder.proof_key)
    if client.binding is Binding.DPOP:
        raise BindingMissing(
            "This client's tokens are bound to a key: send a DPoP proof with the request (RFC 9449, 5)."
        )
    return None
