"""Keys as facts: what a key is for, what state it is in, and which moves between states exist.

States follow NIST SP 800-57 part 1 rev. 5, section 7. Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType


class KeyPurpose(StrEnum):
    """One key, one purpose (SP 800-57 part 1, 5.2)."""

    ROOT_CA = "root-ca"
    ISSUING_CA = "issuing-ca"
    SEAL = "seal"
    TIMESTAMPING = "timestamping"
    OCSP = "ocsp"
    RECEIPT = "receipt"
    TOKEN = "token"  # noqa: S105 - the name of a purpose
    WRAPPING = "wrapping"
    CEREMONY = "ceremony"  # signs transcripts, on the machine of the ceremonies only


class KeyAlgorithm(StrEnum):
    """Key type together with the only signature scheme it is used with."""

    EC_P256 = "ec-p256"  # ECDSA with SHA-256
    EC_P384 = "ec-p384"  # ECDSA with SHA-384
    RSA_3072 = "rsa-3072"  # RSASSA-PKCS1-v1_5 with SHA-256
    AES_256 = "aes-256"  # wraps data keys with an authenticated mode (SP 800-38F, 3.1); no signatures

    @property
    def signs(self) -> bool:
        return self is not KeyAlgorithm.AES_256

    @property
    def hash_name(self) -> str:
        """Name of the scheme's hash as :mod:`hashlib` spells it."""
        return "sha384" if self is KeyAlgorithm.EC_P384 else "sha256"


class KeyState(StrEnum):
    """Key states of SP 800-57 part 1, section 7."""

    PRE_ACTIVATION = "pre-activation"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"
    COMPROMISED = "compromised"
    DESTROYED = "destroyed"


TRANSITIONS: Mapping[KeyState, frozenset[KeyState]] = MappingProxyType(
    {
        KeyState.PRE_ACTIVATION: frozenset({KeyState.ACTIVE, KeyState.COMPROMISED, KeyState.DESTROYED}),
        KeyState.ACTIVE: frozenset({KeyState.SUSPENDED, KeyState.DEACTIVATED, KeyState.COMPROMISED}),
        KeyState.SUSPENDED: frozenset({KeyState.ACTIVE, KeyState.DEACTIVATED, KeyState.COMPROMISED}),
        KeyState.DEACTIVATED: frozenset({KeyState.COMPROMISED, KeyState.DESTROYED}),
        KeyState.COMPROMISED: frozenset({KeyState.DESTROYED}),
        KeyState.DESTROYED: frozenset(),
    }
)
"""Every move that exists. Stricter than SP 800-57 in one place: a key that may still sign cannot be destroyed
in one step, so that its retirement is always a recorded decision of its own."""


MAY_PROCESS = frozenset({KeyState.ACTIVE, KeyState.SUSPENDED, KeyState.DEACTIVATED, KeyState.COMPROMISED})
"""States in which a key still unwraps what it wrapped before (SP 800-57 part 1, 7.2 to 7.5). A compromised
one too: how else would its data keys move under another?"""

SIGNATURE_ALGORITHMS = tuple(algorithm for algorithm in KeyAlgorithm if algorithm.signs)


def may_move(origin: KeyState, target: KeyState) -> bool:
    """Whether a key in state ``origin`` may be put into state ``target``."""
    return target in TRANSITIONS[origin]


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is known about a key outside its store. Holds nothing secret.

    ``owner`` is the agency whose seal this is, empty for keys of the service itself.
    ``public_key`` is a DER SubjectPublicKeyInfo, empty for a secret key. Times are aware UTC.
    """

    id: str
    purpose: KeyPurpose
    algorithm: KeyAlgorithm
    owner: str
    store: str
    state: KeyState
    public_key: bytes
    created_at: datetime
    not_after: datetime | None = None
    state_since: datetime | None = None

    @property
    def since(self) -> datetime:
        """When the key came into its state; for keys of before that was recorded, when they were made."""
        return self.state_since or self.created_at


@dataclass(frozen=True, slots=True)
class KeyUses:
    """How often a key signed or wrapped, and how often it unwrapped. Never fewer than there were
    (:mod:`keys.usage`)."""

    uses: int = 0
    unwraps: int = 0


@dataclass(frozen=True, slots=True)
class WrappedDataKey:
    """One version of a data key at rest: only ``wrapping_key``, a key in custody, makes it usable.

    ``wrapped`` is in the form of the store that holds the wrapping key.
    """

    purpose: str
    version: int
    wrapping_key: str
    wrapped: bytes
    created_at: datetime
