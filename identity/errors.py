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
├── SignedTokenError              a JWS that must not be believed, ours or somebody else's; whoever reads one
│   │                             for a protocol turns it into that protocol's own refusal
│   ├── TokenFormWrong            not a compact JWS of the one right spelling, or not JSON objects in it
│   ├── AlgorithmRefused          alg is not one of those asked for, or not the key's own
│   ├── TokenTypeWrong            typ names another kind of token
│   ├── CriticalHeader            crit is there; we know no extension
│   ├── KeyNotFound               no key of the set has this kid
│   └── SignatureWrong            the key did not make this signature
├── JwkInvalid                    a public key that is not accepted, and why
├── ScopeInvalid · NameInvalid    what an administrator asked for breaks a rule
├── AgencyExists · AgencyUnknown
├── ClientUnknown
└── RegistryUnavailable           the population registry does not answer
"""

from __future__ import annotations


class IdentityError(Exception):
    """Root of everything that the identity slice raises on purpose. Messages never hold secrets."""


class OAuthError(IdentityError):
    """A refusal at the token endpoint."""

    code: str


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


class SignedTokenError(IdentityError):
    """A JWS that must not be believed."""


class TokenFormWrong(SignedTokenError):
    """Not a compact JWS in the only right spelling, or header and payload are not JSON objects."""


class AlgorithmRefused(SignedTokenError):
    """``alg`` is not one of those that are asked for here, or not the one of the key."""


class TokenTypeWrong(SignedTokenError):
    """``typ`` names another kind of token (RFC 8725, 3.11)."""


class CriticalHeader(SignedTokenError):
    """``crit`` demands that an extension be understood; there is none that is (RFC 7515, 4.1.11)."""


class KeyNotFound(SignedTokenError):
    """No key of the set that was asked has this ``kid``."""


class SignatureWrong(SignedTokenError):
    """The named key did not make this signature."""


class JwkInvalid(IdentityError):
    """A public key that is not accepted."""


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
