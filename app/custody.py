"""Where custody and certification meet sealing and identity: their ports, filled from `keys` and `ca`."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from app.database import Database
from app.remembered import Remembered
from app.settings import Settings
from app.vault import PURPOSES
from ca.chains import chain_of
from ca.in_use import certificate_in_use
from ca.model import ProfileName
from ca.status import is_issued_by
from ca.tables import Certificates
from identity.ports import TokenSigner
from keys.envelope import Envelope
from keys.errors import KeyCustodyError, KeyUnavailable
from keys.handle import KeyHandle
from keys.model import KeyAlgorithm, KeyPurpose, KeyRecord, KeyState
from keys.ports import Begin, Clock, KeyStore
from keys.rotation import Act, RotationPolicy, Step, is_published, next_acts
from keys.service import KeyService
from keys.stores.kek import KeyEncryptionKey, PassphraseKey, create_key_encryption_key
from keys.stores.pkcs11.store import Pkcs11KeyStore
from keys.stores.pkcs11.token import TokenAddress, token_at
from keys.stores.software import SoftwareKeyStore
from keys.tables import EncryptedKeyTable
from signing.errors import NoActiveSeal
from signing.ports import ReceiptSigner, SealingIdentity
from signing.receipt import key_id_of

TOKEN_ALGORITHMS: Final[Mapping[str, KeyAlgorithm]] = {
    "ES256": KeyAlgorithm.EC_P256,
    "RS256": KeyAlgorithm.RSA_3072,
}
"""What tokens are signed with (RFC 7518, 3.1): portals that know nothing better get RS256."""


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
        try:
            found, key = self._usable(ProfileName.SEAL, agency_id, KeyPurpose.SEAL)
        except KeyUnavailable:
            raise  # the agency's seal is in order; what holds it is away for now
        except KeyCustodyError as cause:
            raise NoActiveSeal(
                f"The seal key of agency {agency_id!r} may not sign now. Ask the operator to look at it."
            ) from cause
        return SealingIdentity(found.certificate, found.chain[1:], key.record.algorithm, key.sign)

    def receipt_signer(self) -> ReceiptSigner:
        """The certified receipt key. Its key id is what receipts carry as ``kid``."""
        _, key = self._usable(ProfileName.RECEIPT, "", KeyPurpose.RECEIPT)
        assert isinstance(key.public_key, ec.EllipticCurvePublicKey)
        return ReceiptSigner(key_id_of(key.public_key), key.sign)

    def _usable(self, profile: ProfileName, owner: str, purpose: KeyPurpose) -> tuple[_Certified, KeyHandle]:
        """A key may end in the moment for which it is remembered that it is in use; its successor has long
        been there then, and no request need fail."""
        found = self._current(profile, owner)
        try:
            return found, self._keys.handle(found.key_id, purpose=purpose)
        except KeyUnavailable:
            raise
        except KeyCustodyError:
            self._certified.forget(f"{profile}/{owner}")
            newer = self._current(profile, owner)
            if newer.key_id == found.key_id:
                raise
            return newer, self._keys.handle(newer.key_id, purpose=purpose)

    def _current(self, profile: ProfileName, owner: str) -> _Certified:
        found = self._certified.get(f"{profile}/{owner}", lambda: self._look_up(profile, owner))
        if found is not None and found.not_before <= self._clock() <= found.not_after:
            return found
        if profile is ProfileName.RECEIPT:
            raise NoActiveSeal("There is no certified receipt key. Have the operator run `absah init`.")
        raise NoActiveSeal(
            f"Agency {owner!r} has no seal certificate that is good now. "
            "Have the operator issue one: `absah agency certify`."
        )

    def _look_up(self, profile: ProfileName, owner: str) -> _Certified | None:
        record = certificate_in_use(self._begin, self._keys, profile, owner)
        if record is None:
            return None
        with self._begin() as tx:
            chain = chain_of(tx, record)
        return _Certified(record.der, chain, record.key_id, record.not_before, record.not_after)


class ReceiptKeys:
    """Call it for the public keys, by COSE ``kid``, whose receipts show that a document was issued here.

    Certified by a CA of ours, and never lost themselves. What became of the CA does not matter: a CA that was
    lost takes the belief of strangers along, not what custody knows of its own keys.
    """

    def __init__(
        self, *, read: Begin, keys: KeyService, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._keys = keys
        self._known: Remembered[Mapping[bytes, ec.EllipticCurvePublicKey]] = Remembered(monotonic)

    def __call__(self) -> Mapping[bytes, ec.EllipticCurvePublicKey]:
        return self._known.get("", self._look_up)

    def _look_up(self) -> Mapping[bytes, ec.EllipticCurvePublicKey]:
        doubtful = {KeyState.SUSPENDED, KeyState.COMPROMISED}
        lost = {key.id for key in self._keys.list() if key.state in doubtful}
        found: dict[bytes, ec.EllipticCurvePublicKey] = {}
        with self._read() as tx:
            for record in Certificates(tx).of_profile(ProfileName.RECEIPT):
                chain = [x509.load_der_x509_certificate(one) for one in chain_of(tx, record)]
                key = chain[0].public_key()
                stands = all(is_issued_by(one, above) for one, above in pairwise(chain))
                if stands and record.key_id not in lost and isinstance(key, ec.EllipticCurvePublicKey):
                    found[key_id_of(key)] = key
        return found


class CustodyTokenKeys:
    """Implements :class:`identity.ports.TokenKeys` over keys of purpose ``token``."""

    def __init__(
        self,
        keys: KeyService,
        *,
        clock: Clock,
        policy: RotationPolicy,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._policy = policy
        self._public: Remembered[Mapping[str, bytes]] = Remembered(monotonic)

    def signer(self, algorithm: str = "ES256") -> TokenSigner:
        """Raises :class:`keys.errors.NoActiveKey`."""
        key = self._keys.active(KeyPurpose.TOKEN, algorithm=TOKEN_ALGORITHMS[algorithm])
        return TokenSigner(key.record.id, key.sign, algorithm)

    def public_keys(self) -> Mapping[str, bytes]:
        return self._public.get("", self._look_up)

    def _look_up(self) -> Mapping[str, bytes]:
        now = self._clock()
        return {
            record.id: record.public_key
            for record in self._keys.list()
            if record.purpose is KeyPurpose.TOKEN and is_published(record, now, self._policy)
        }


def token_key_policy(settings: Settings) -> RotationPolicy:
    return RotationPolicy(
        max_age=timedelta(days=settings.identity.key_days),
        publish=timedelta(minutes=settings.identity.key_publish_minutes),
        keep=timedelta(minutes=settings.identity.key_keep_minutes),
    )


def rotate_token_keys(
    keys: KeyService,
    policy: RotationPolicy,
    *,
    clock: Clock,
    actor: str,
    successors: bool = True,
    spoken_for: Collection[str] = (),
) -> int:
    """Do what is due with the keys of tokens, of each algorithm; how many steps that were.

    Without ``successors`` a key in use gets none here: custodians are asked for one instead
    (:mod:`app.rotation.schedule`), and what they agreed to is published and takes over here. Keys that are
    ``spoken_for`` have not proved themselves yet, and do not.

    Repeatable: an interrupted round is finished by the next. Two rounds must not run at the same time, or
    they make two keys where one was needed; callers hold :meth:`app.database.Database.exclusively`.
    """
    done = 0
    for algorithm in TOKEN_ALGORITHMS.values():
        while acts := _token_acts(
            [key for key in _token_keys(keys, algorithm) if key.id not in spoken_for],
            clock(),
            policy,
            successors=successors,
        ):
            for act in acts:
                match act.step:
                    case Step.GENERATE:
                        keys.generate(KeyPurpose.TOKEN, algorithm, actor=actor)
                    case Step.ACTIVATE:
                        keys.activate(act.key_id, actor=actor)
                    case Step.DEACTIVATE:
                        keys.deactivate(act.key_id, actor=actor, reason="replaced")
            done += len(acts)
    return done


def _token_acts(
    mine: list[KeyRecord], now: datetime, policy: RotationPolicy, *, successors: bool
) -> list[Act]:
    wanted = successors or all(key.state is not KeyState.ACTIVE for key in mine)
    return [act for act in next_acts(mine, now, policy) if wanted or act.step is not Step.GENERATE]


def tokens_are_due(keys: KeyService, policy: RotationPolicy, *, clock: Clock) -> KeyRecord | None:
    """The key in use that should be getting a successor by now."""
    for algorithm in TOKEN_ALGORITHMS.values():
        mine = _token_keys(keys, algorithm)
        in_use = [key for key in mine if key.state is KeyState.ACTIVE]
        if in_use and any(act.step is Step.GENERATE for act in next_acts(mine, clock(), policy)):
            return in_use[-1]
    return None


def _token_keys(keys: KeyService, algorithm: KeyAlgorithm) -> list[KeyRecord]:
    return [key for key in keys.list() if (key.purpose, key.algorithm) == (KeyPurpose.TOKEN, algorithm)]


def ensure_data_keys(
    keys: KeyService, envelope: Envelope, *, actor: str, spoken_for: Collection[str] = ()
) -> None:
    """Make sure that personal data can be sealed: the wrapping key, and every data key that is missing.

    Repeatable; finishes what an interrupted run left, and leaves alone what is ``spoken_for``.
    """
    mine = [key for key in keys.list() if key.purpose is KeyPurpose.WRAPPING]
    if not any(key.state is KeyState.ACTIVE for key in mine):
        waiting = [key for key in mine if key.state is KeyState.PRE_ACTIVATION and key.id not in spoken_for]
        new = waiting[0] if waiting else keys.generate(KeyPurpose.WRAPPING, KeyAlgorithm.AES_256, actor=actor)
        keys.activate(new.id, actor=actor)
    envelope.ensure(PURPOSES, actor=actor)


def rotate_wrapping_key(keys: KeyService, envelope: Envelope, *, actor: str) -> KeyRecord:
    """Put every data key under a new wrapping key. What they sealed stays as it is, and goes on opening.

    1. The new key takes over; from here on data keys are wrapped by it only.
    2. The old ones stop wrapping, and go on unwrapping.
    3. Data keys move over. Upkeep finishes that after a crash. The old key can be destroyed afterwards.
    """
    new = keys.generate(KeyPurpose.WRAPPING, KeyAlgorithm.AES_256, actor=actor)
    new = keys.activate(new.id, actor=actor)
    for key in keys.list():
        if key.purpose is KeyPurpose.WRAPPING and key.state is KeyState.ACTIVE and key.id != new.id:
            keys.deactivate(key.id, actor=actor, reason="replaced")
    envelope.rewrap(actor=actor)
    return new


def key_stores(settings: Settings, database: Database) -> dict[str, KeyStore]:
    """Every place where keys may be. Loads no token's library: that happens when a key is first used.

    Software is left out when nothing new is made there and no key-encryption key was ever given or made.
    """
    stores: dict[str, KeyStore] = {}
    if settings.keys.in_software or settings.keys.passphrase_file or settings.kek_path.exists():
        encrypted = EncryptedKeyTable(database.begin, database.read)
        stores["software"] = SoftwareKeyStore(encrypted_keys=encrypted, kek=wrapping_key(settings))
    if (token := token_store(settings)) is not None:
        stores["pkcs11"] = token
    return stores


def token_store(settings: Settings) -> Pkcs11KeyStore | None:
    """The token that the settings name, if they do."""
    keys = settings.keys
    if keys.pkcs11_module is None or keys.pkcs11_pin_file is None:
        return None
    address = TokenAddress(keys.pkcs11_module, keys.pkcs11_token, keys.pkcs11_pin_file, keys.pkcs11_sessions)
    return Pkcs11KeyStore(token_at(address))


def store_of_purposes(settings: Settings) -> dict[KeyPurpose, str]:
    return {KeyPurpose(purpose): store for purpose, store in settings.keys.store_of.items()}


def limits_of_purposes(settings: Settings) -> dict[KeyPurpose, int]:
    return {KeyPurpose(purpose): uses for purpose, uses in settings.keys.limit_of.items()}


def wrapping_key(settings: Settings) -> KeyEncryptionKey | PassphraseKey:
    """What opens the software store. Raises a leaf of :class:`keys.errors.KeyCustodyError`."""
    if settings.keys.passphrase_file is not None:
        return PassphraseKey(settings.keys.passphrase_file)
    return KeyEncryptionKey(settings.kek_path)


def ensure_wrapping_key(settings: Settings) -> Path | None:
    """Create the key-encryption key when one is needed and there is none; returns where, if it did."""
    path = settings.kek_path
    if not settings.keys.in_software or settings.keys.passphrase_file is not None or path.exists():
        return None
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    create_key_encryption_key(path)
    return path
