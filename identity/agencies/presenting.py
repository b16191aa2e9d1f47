"""An access token as a request presents it: by which scheme, and with what it is bound to.

Every guard goes through here, for the API, for UserInfo and for whatever comes: a bound token that one place
takes as a bearer token is a bearer token.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from identity.access import AccessClaims, AccessTokens
from identity.agencies.dpop import Proofs
from identity.agencies.errors import (
    DpopNonceNeeded,
    DpopProofInvalid,
    ProofNonceNeeded,
    ProofNotAccepted,
    TokenNotBoundSo,
)
from identity.encoding import equal


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """``scheme`` in lower case, ``path`` as sent and without query, ``proofs`` the values of ``DPoP``,
    ``certificate`` the ``x5t#S256`` of the connection's certificate."""

    scheme: str
    token: str = field(repr=False)
    method: str
    path: str
    proofs: tuple[str, ...] = field(default=(), repr=False)
    certificate: str | None = None


class TokenGate:
    """Decides whether a presented token is honoured. Safe to share between threads."""

    def __init__(self, *, tokens: AccessTokens, proofs: Proofs) -> None:
        self._tokens = tokens
        self._proofs = proofs

    def accept(self, presented: PresentedToken) -> AccessClaims:
        """Raises a leaf of :class:`identity.errors.AccessTokenError`."""
        claims = self._tokens.read(presented.token)
        wanted = claims.token_type.lower()
        if presented.scheme != wanted:
            raise TokenNotBoundSo(
                f"This access token is presented by the scheme {claims.token_type}, and by no other."
            )
        confirmation = claims.confirmation
        if confirmation is None:
            return claims
        if confirmation.x5t_s256 is not None and not equal(presented.certificate, confirmation.x5t_s256):
            raise TokenNotBoundSo(
                "This access token is bound to a TLS client certificate, which this connection did not show."
            )
        if confirmation.jkt is not None and not equal(self._thumbprint(presented), confirmation.jkt):
            raise ProofNotAccepted("The DPoP proof is signed by another key than the token is bound to.")
        return claims

    def _thumbprint(self, presented: PresentedToken) -> str:
        if len(presented.proofs) != 1:
            raise ProofNotAccepted(
                "One DPoP header with one proof belongs to a token that is bound to a key."
            )
        try:
            return self._proofs.check(
                presented.proofs[0],
                method=presented.method,
                path=presented.path,
                access_token=presented.token,
            )
        except DpopNonceNeeded as cause:
            raise ProofNonceNeeded(cause.nonce) from cause
        except DpopProofInvalid as cause:
            raise ProofNotAccepted(str(cause)) from cause
