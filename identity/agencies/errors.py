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
├── ClientKeyUnknown          no key of this client has this id
├── ClientShut                the client was disabled, for good
└── ProposalError
    ├── SecondPersonNeeded    a person asked for at once what two have to agree on
    ├── ProposalUnknown       no proposal has this id
    ├── ProposalNotOpen       it was confirmed or withdrawn before, or waited too long
    ├── ProposalWaits         one of this kind waits for this system already
    ├── ProposalChanged       it is not, or would not do, what the confirmer looked at
    └── ProposerGone          who proposed it no longer holds the role that it was proposed under
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


class ClientShut(IdentityError):
    """Disabling is for good: nothing can be given to this client any more."""

    def __init__(self) -> None:
        super().__init__("This system is disabled, and that cannot be undone. Register a new one.")


class ProposalError(IdentityError):
    """Root of what concerns changes that two people have to agree on."""


class SecondPersonNeeded(ProposalError):
    """A defence in depth: what a person may only propose was about to happen at once."""

    def __init__(self) -> None:
        super().__init__(
            "A person can only propose this, and somebody else confirms it. "
            "At once it happens from the command line of the service alone."
        )


class ProposalUnknown(ProposalError):
    """No proposal has this id."""

    def __init__(self) -> None:
        super().__init__("There is no such proposal. Look at the list again.")


class ProposalNotOpen(ProposalError):
    """The proposal waits for nobody."""

    def __init__(self) -> None:
        super().__init__(
            "This proposal was confirmed or withdrawn before, or it waited too long. Look at the list again."
        )


class ProposalWaits(ProposalError):
    """Two key sets, or two sets of scopes, for one system: the second would undo the first unseen."""

    def __init__(self) -> None:
        super().__init__(
            "A change of this kind waits for this system already. Have it confirmed, or withdraw it first."
        )


class ProposalChanged(ProposalError):
    """The system changed since the page was shown, or the proposal is not the one that was."""

    def __init__(self) -> None:
        super().__init__("This is not what you looked at any more. Look at it again, then confirm.")


class ProposerGone(ProposalError):
    """The account was suspended or restored since, or the role was ended."""

    def __init__(self) -> None:
        super().__init__(
            "Who proposed this no longer holds the role that it was proposed under. "
            "Withdraw it; an administrator can propose it anew."
        )
