"""What custody can refuse. One root; leaves are named for the fact.

KeyCustodyError
├── KeyUnknown · NoActiveKey · StoreUnknown
├── KeyUnavailable            the store cannot open it
│   └── TokenUnreachable · TokenPinRefused · TokenBusy
├── TokenUnfit                the token does not keep what it must promise about a key
├── KeyNotUsable
│   ├── KeyNotActive · KeyStateUnexplained · KeyExpired · KeyWornOut
│   └── WrongPurpose · WrongScheme · KeyNotExportable
├── TransitionForbidden · KeyStillNeeded
├── DualControlError          what nobody does alone
│   ├── RequestUnknown · RequestInvalid · RequestNotOpen · RequestExpired · RequestAltered
│   ├── NotApproved           fewer custodians agreed than have to
│   ├── DecisionRefused
│   │   └── CustodianUnknown · RequesterDecides · DecidedBefore · ProofRefused
│   ├── CustodiansChangeRefused · CustodianKeyRefused
│   └── RegisterAltered       the register of custodians is not what custody sealed
├── DataKeyMissing · DataKeyUnknown · DataKeyFixed
├── SealedValueInvalid        what was sealed was altered, or sealed for another purpose or place
└── KeyEncryptionKeyUnsafe · KeyEncryptionKeyInvalid
"""

from __future__ import annotations


class KeyCustodyError(Exception):
    """Root of everything the keys slice raises on purpose. Messages never hold secrets."""


class KeyUnknown(KeyCustodyError):
    """No key with this id was ever generated here."""


class NoActiveKey(KeyCustodyError):
    """No key with this purpose and owner is active."""


class StoreUnknown(KeyCustodyError):
    """A key record names a store that this process was not configured with."""


class KeyUnavailable(KeyCustodyError):
    """The store holds no such private key, or cannot decrypt or reach it."""


class TokenUnreachable(KeyUnavailable):
    """The token's library does not load, or the token is not there or does not answer. It may come back."""


class TokenPinRefused(KeyUnavailable):
    """The token did not take the PIN, is locked, or is one wrong PIN away from that. A person must act."""


class TokenBusy(KeyUnavailable):
    """All sessions of the token are in use."""


class TokenUnfit(KeyCustodyError):
    """The token lacks a mechanism, or a key in it is not kept as custody demands."""


class KeyNotUsable(KeyCustodyError):
    """A key exists but must not sign this."""


class KeyNotActive(KeyNotUsable):
    """The key's state does not allow signing."""


class KeyStateUnexplained(KeyNotUsable):
    """The key is active by its row, and the audit trail does not say that anybody made it so."""


class KeyExpired(KeyNotUsable):
    """The key is past the end of its cryptoperiod."""


class KeyWornOut(KeyNotUsable):
    """The key was used as often as a key of its purpose may be."""


class WrongPurpose(KeyNotUsable):
    """The key was asked for under a purpose that is not its own."""


class WrongScheme(KeyNotUsable):
    """A signature scheme or operation was asked for that is not the key's only one."""


class KeyNotExportable(KeyNotUsable):
    """Private key material was asked for; it never leaves its store."""


class TransitionForbidden(KeyCustodyError):
    """The move between key states does not exist (SP 800-57 part 1, section 7)."""


class KeyStillNeeded(KeyCustodyError):
    """Destroying the wrapping key would destroy every data key that it still wraps."""


class DataKeyMissing(KeyCustodyError):
    """No data key was ever made for this purpose."""


class DataKeyUnknown(KeyCustodyError):
    """A sealed value names a version of its data key that is not here."""


class DataKeyFixed(KeyCustodyError):
    """This data key cannot be rotated: what was computed with it is found by being equal."""


class SealedValueInvalid(KeyCustodyError):
    """Not what was sealed for this purpose and context: altered, swapped, or of another form."""


class KeyEncryptionKeyUnsafe(KeyCustodyError):
    """The file with the key-encryption key or passphrase can be read by others."""


class KeyEncryptionKeyInvalid(KeyCustodyError):
    """The file does not hold a key-encryption key or a usable passphrase."""


class DualControlError(KeyCustodyError):
    """Root of what is refused because nobody does it alone."""


class RequestUnknown(DualControlError):
    """No request has this id."""

    def __init__(self, request_id: str) -> None:
        super().__init__(f"There is no request {request_id[:80]!r}: `absah keys requests` lists them.")


class RequestInvalid(DualControlError):
    """A request for an act lacks a parameter, or has one that cannot be shown to those who approve."""


class RequestNotOpen(DualControlError):
    """The request does not wait any more: it started, ended or was rejected. One claim of many wins."""

    def __init__(self, request_id: str, state: str) -> None:
        super().__init__(
            f"Request {request_id} does not wait any more, it is {state}. Ask anew if it is still needed."
        )
        self.state = state


class RequestExpired(DualControlError):
    """The request waited too long; what was said to it counts no more."""

    def __init__(self, request_id: str) -> None:
        super().__init__(f"Request {request_id} waited too long. Ask anew.")


class RequestAltered(DualControlError):
    """The request, or a decision on it, is not what was asked for and signed. It is void."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"Request {request_id} or a decision on it was altered in the database, and is void. Find out "
            "who did that (`absah audit verify`) before you ask anew."
        )


class NotApproved(DualControlError):
    """Fewer custodians agreed than have to. ``missing`` is how many are still wanted."""

    def __init__(self, request_id: str, missing: int) -> None:
        super().__init__(
            f"Request {request_id} lacks {missing} approval{'s' if missing > 1 else ''}: "
            "custodians give it by `absah keys approve`."
        )
        self.missing = missing


class DecisionRefused(DualControlError):
    """Root of why a decision is not taken down."""


class CustodianUnknown(DecisionRefused):
    """Nobody of this name is a custodian."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No custodian is called {name[:40]!r}: `absah keys custodian list` shows them.")


class RequesterDecides(DecisionRefused):
    """Whoever asks for an act does not decide on it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} asked for this: another custodian has to decide.")


class DecidedBefore(DecisionRefused):
    """A custodian decides once."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} decided otherwise before, and a decision is final. Ask anew if need be.")


class ProofRefused(DecisionRefused):
    """No key of the custodian proves this decision on this request."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The signature is not by a key of {name} over this verdict on this request. "
            "Show the request again, and sign what is shown."
        )


class CustodiansChangeRefused(DualControlError):
    """The register of custodians cannot change that way, or not without approvals."""


class CustodianKeyRefused(DualControlError):
    """This cannot be a custodian's key."""


class RegisterAltered(DualControlError):
    """The register of custodians is not what custody sealed: it was altered in the database."""
