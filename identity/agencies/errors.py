"""What agencies' systems are refused for. Leaves are named for the fact; see :mod:`identity.errors`.

OAuthError
├── AssertionRefused          invalid_client: a client assertion that does not authenticate, and why
├── SecretsForDevelopment     invalid_client: client secrets are not accepted here
├── DpopProofInvalid          invalid_dpop_proof (RFC 9449, 5)
├── DpopNonceNeeded           use_dpop_nonce (RFC 9449, 8); ``nonce`` is the one to use
├── CertificateUnreadable     invalid_request: the proxy's certificate header is not what it should be
└── BindingMissing            invalid_request: this client's tokens are bound, and nothing to bind to came
AccessTokenError
├── TokenNotBoundSo           presented by the wrong scheme, or without what it is bound to
├── ProofNotAccepted          the DPoP proof beside it is not good
└── ProofNonceNeeded          the DPoP proof beside it lacks our current nonce; ``nonce`` is that
IdentityError
├── SecretsNotIssued          a client secret was asked for where none is accepted
└── ClientKeyUnknown          no key of this client has this id
"""

from __future__ import annotations

from identity.errors import AccessTokenError, IdentityError, OAuthError


class AssertionRefused(OAuthError):
    """A client assertion (RFC 7523, 3) that proves nothing. The words say why; who sent it holds the key."""

    code = "invalid_client"


class SecretsForDevelopment(OAuthError):
    """A client secret at a service that runs in production."""

    code = "invalid_client"

    def __init__(self) -> None:
        super().__init__(
            "Client secrets are for development only. Register a public key for this client "
            "(absah client add --jwks, or the agency's pages) and authenticate by private_key_jwt."
        )


class DpopProofInvalid(OAuthError):
    """A DPoP proof that proves nothing (RFC 9449, 4.3)."""

    code = "invalid_dpop_proof"


class DpopNonceNeeded(OAuthError):
    """The proof must carry the nonce that stands in the answer's ``DPoP-Nonce`` (RFC 9449, 8)."""

    code = "use_dpop_nonce"

    def __init__(self, nonce: str) -> None:
        super().__init__("Repeat the request with the nonce of the DPoP-Nonce header in a new proof.")
        self.nonce = nonce


class CertificateUnreadable(OAuthError):
    """The header in which the TLS proxy hands on the client's certificate holds none."""

    code = "invalid_request"


class BindingMissing(OAuthError):
    """The client's tokens are bound to a key, and the request showed none."""

    code = "invalid_request"


class TokenNotBoundSo(AccessTokenError):
    """Genuine, but presented without what it is bound to (RFC 9449, 7.1; RFC 8705, 3)."""


class ProofNotAccepted(AccessTokenError):
    """The DPoP proof beside the token is not good (RFC 9449, 7.1)."""


class ProofNonceNeeded(AccessTokenError):
    """The proof beside the token must carry the nonce that stands in ``DPoP-Nonce`` (RFC 9449, 9)."""

    def __init__(self, nonce: str) -> None:
        super().__init__("Repeat the request with the nonce of the DPoP-Nonce header in a new proof.")
        self.nonce = nonce


class SecretsNotIssued(IdentityError):
    """A client with a secret was to be made where secrets do not authenticate."""

    def __init__(self) -> None:
        super().__init__(
            "Client secrets are for development only, and ABSAH_ENV is production. "
            "Register the client with its public keys instead: absah client add --jwks FILE."
        )


class ClientKeyUnknown(IdentityError):
    """No key of this client has this id, or it has ended."""
