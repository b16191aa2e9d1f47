"""What custody can refuse. One root; leaves are named for the fact.

KeyCustodyError
├── KeyUnknown · NoActiveKey · StoreUnknown
├── KeyUnavailable            the store cannot open it
│   └── TokenUnreachable · TokenPinRefused · TokenBusy
├── TokenUnfit                the token does not keep what it must promise about a key
├── KeyNotUsable              ├── KeyNotActive · KeyExpired · WrongPurpose · WrongScheme · KeyNotExportable
├── TransitionForbidden · KeyStillNeeded
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


class KeyExpired(KeyNotUsable):
    """The key is past the end of its cryptoperiod."""


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
