"""Where custody and certification meet sealing and identity: their ports, filled from `keys` and `ca`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from app.remembered import Remembered
from app.settings import Settings
from app.vault import PURPOSES
from ca.chains import chain_of
from ca.model import ProfileName
from ca.tables import Certificates
from identity.ports import TokenSigner
from keys.envelope import Envelope
from keys.errors import KeyCustodyError
from keys.model import KeyAlgorithm, KeyPurpose, KeyState
from keys.ports import Begin, Clock
from keys.service import KeyService
from keys.stores.kek import KeyEncryptionKey, PassphraseKey, create_key_encryption_key
from signing.errors import NoActiveSeal
from signing.ports import ReceiptSigner, SealingIdentity
from signing.receipt import key_id_of

_HONOURED = {KeyState.ACTIVE, KeyState.DEACTIVATED}
"""Tokens of a retired key live on for their few minutes; those of a suspended or compromised key do not."""


@dataclass(frozen=True, slots=True)
class _Certified:
    certificate: bytes
    chain: tuple[bytes, ...]
    key_id: str
    not_before: datetime
    not_after: datetime


class CertifiedIdentities:
    """Implements :class:`signing.ports.SealingIdentities`. Safe to share between threads."""

    def __init__(
        self, *, begin: Begin, keys: KeyService, clock: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._begin = begin
        self._keys = keys
        self._clock = clock
        self._certified: Remembered[_Certified | None] = Remembered(monotonic)

    def seal_of(self, agency_id: str) -> SealingIdentity:
        """The agency's newest good seal, if certificate and key may sign now."""
        found = self._current(ProfileName.SEAL, agency_id)
        if found is None:
            raise NoActiveSeal(
                f"Agency {agency_id!r} has no seal certificate that is good now. "
                "Have the operator issue one: `absah agency certify`."
            )
        try:
            key = self._keys.handle(found.key_id, purpose=KeyPurpose.SEAL)
        except KeyCustodyError as cause:
            raise NoActiveSeal(
                f"The seal key of agency {agency_id!r} may not sign now. Ask the operator to look at it."
            ) from cause
        return SealingIdentity(found.certificate, found.chain[1:], key.record.algorithm, key.sign)

    def receipt_signer(self) -> ReceiptSigner:
        """The certified receipt key. Its key id is what receipts carry as ``kid``."""
        found = self._current(ProfileName.RECEIPT, "")
        if found is None:
            raise NoActiveSeal("There is no certified receipt key. Have the operator run `absah init`.")
        key = self._keys.handle(found.key_id, purpose=KeyPurpose.RECEIPT)
        assert isinstance(key.public_key, ec.EllipticCurvePublicKey)
        return ReceiptSigner(key_id_of(key.public_key), key.sign)

    def _current(self, profile: ProfileName, owner: str) -> _Certified | None:
        found = self._certified.get(f"{profile}/{owner}", lambda: self._look_up(profile, owner))
        return found if found and found.not_before <= self._clock() <= found.not_after else None

    def _look_up(self, profile: ProfileName, owner: str) -> _Certified | None:
        with self._begin() as tx:
            record = Certificates(tx).newest_good(profile, owner)
            if record is None:
                return None
            chain = chain_of(tx, record)
        return _Certified(record.der, chain, record.key_id, record.not_before, record.not_after)


class CustodyTokenKeys:
    """Implements :class:`identity.ports.TokenKeys` over keys of purpose ``token``."""

    def __init__(self, keys: KeyService, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._public: Remembered[Mapping[str, bytes]] = Remembered(monotonic)

    def signer(self, algorithm: str = "ES256") -> TokenSigner:
        key = self._keys.active(KeyPurpose.TOKEN)
        return TokenSigner(key.record.id, key.sign, algorithm)

    def public_keys(self) -> Mapping[str, bytes]:
        return self._public.get("", self._look_up)

    def _look_up(self) -> Mapping[str, bytes]:
        return {
            record.id: record.public_key
            for record in self._keys.list()
            if record.purpose is KeyPurpose.TOKEN and record.state in _HONOURED
        }


def ensure_token_key(keys: KeyService, *, actor: str) -> None:
    """Make sure that access tokens can be signed."""
    _ensure_active(keys, KeyPurpose.TOKEN, KeyAlgorithm.EC_P256, actor)


def ensure_data_keys(keys: KeyService, envelope: Envelope, *, actor: str) -> None:
    """Make sure that personal data can be sealed: the wrapping key, and every data key that is missing."""
    _ensure_active(keys, KeyPurpose.WRAPPING, KeyAlgorithm.AES_256, actor)
    envelope.ensure(PURPOSES, actor=actor)


def _ensure_active(keys: KeyService, purpose: KeyPurpose, algorithm: KeyAlgorithm, actor: str) -> None:
    """Repeatable; finishes what an interrupted run left."""
    mine = [record for record in keys.list() if record.purpose is purpose]
    if any(record.state is KeyState.ACTIVE for record in mine):
        return
    waiting = [record for record in mine if record.state is KeyState.PRE_ACTIVATION]
    record = waiting[0] if waiting else keys.generate(purpose, algorithm, actor=actor)
    keys.activate(record.id, actor=actor)


def wrapping_key(settings: Settings) -> KeyEncryptionKey | PassphraseKey:
    """What opens the software store. Raises a leaf of :class:`keys.errors.KeyCustodyError`."""
    if settings.keys.passphrase_file is not None:
        return PassphraseKey(settings.keys.passphrase_file)
    return KeyEncryptionKey(settings.kek_path)


def ensure_wrapping_key(settings: Settings) -> Path | None:
    """Create the key-encryption key when there is none yet; returns where, if it did."""
    path = settings.kek_path
    if settings.keys.passphrase_file is not None or path.exists():
        return None
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    create_key_encryption_key(path)
    return path
