"""What identity can refuse. Leaves are named for the fact.

IdentityError
├── OAuthError                    answered in the form of RFC 6749, 5.2; ``code`` is the protocol's word
│   ├── TokenRequestInvalid       invalid_request
│   ├── ClientNotAuthenticated    invalid_client
│   ├── TooManyAttempts           temporarily_unavailable, with status 429
│   ├── GrantNotSupported         unsupported_grant_type
│   └── ScopeNotGranted           invalid_scope
├── AccessTokenError              answered as RFC 6750, 3.1 says: invalid_token
│   ├── TokenMalformed · TokenNotOurs · TokenExpired · TokenClaimsInvalid
│   └── TokenClientGone           the token is genuine, its client no longer is
├── ScopeInvalid · NameInvalid    what an administrator asked for breaks a rule
├── AgencyExists · AgencyUnknown
├── ClientUnknown
└── RegistryUnavailable           the population registry does not answer
"""

from __future__ import annotations

from typing import ClassVar


class IdentityError(Exception):
    """Root of everything that the identity slice raises on purpose. Messages never hold secrets."""


class OAuthError(IdentityError):
    """A refusal at the token endpoint."""

    code: ClassVar[str]


class TokenRequestInvalid(OAuthError):
    """A parameter is missing, unknown in this place, or there twice."""

    code = "invalid_request"


class ClientNotAuthenticated(OAuthError):
    """Unknown client, wrong secret or disabled client: the three are never told apart."""

    code = "invalid_client"

    def __init__(self) -> None:
        super().__init__(
            "Client id and secret do not match an active client. Check both, or ask for new ones."
        )


class TooManyAttempts(OAuthError):
    """Too many wrong secrets for this client from this address. RFC 6749 has no code of its own for it."""

    code = "temporarily_unavailable"

    def __init__(self, *, retry_after: int) -> None:
        super().__init__(
            "Too many wrong secrets came from this address. "
            f"Check the secret, and try again in {retry_after} s."
        )
        self.retry_after = retry_after


class GrantNotSupported(OAuthError):
    """The grant type is not one that this endpoint serves."""

    code = "unsupported_grant_type"


class ScopeNotGranted(OAuthError):
    """The client asked for more than it holds."""

    code = "invalid_scope"


class AccessTokenError(IdentityError):
    """An access token that must not be honoured."""


class TokenMalformed(AccessTokenError):
    """Not a compact JWS with exactly the header that we write."""


class TokenNotOurs(AccessTokenError):
    """No key of ours made this signature."""


class TokenExpired(AccessTokenError):
    """Genuine, but its time is over or has not come."""


class TokenClaimsInvalid(AccessTokenError):
    """Genuine, but a claim is missing, of the wrong type, or meant for someone else."""


class TokenClientGone(AccessTokenError):
    """The client that the token was made for was disabled since."""


class ScopeInvalid(IdentityError):
    """A scope that does not exist."""


class NameInvalid(IdentityError):
    """An identifier or a name that cannot stand where it would be printed."""


class AgencyExists(IdentityError):
    """An agency with this id exists already."""


class AgencyUnknown(IdentityError):
    """No agency has this id."""


class ClientUnknown(IdentityError):
    """No client has this id."""


class RegistryUnavailable(IdentityError):
    """The population registry does not answer; nothing was decided."""
