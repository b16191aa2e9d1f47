"""Private keys in software: PKCS #8 encrypted with AES-256-GCM under a key-encryption key.

Secret keys, which wrap data keys, rest in the same way as 32 bytes. Only this file touches private bytes.
What is at rest: nonce and ciphertext; id and algorithm are bound as associated data, so that blobs cannot
be swapped between records.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from keys.errors import KeyEncryptionKeyInvalid, KeyUnavailable, WrongScheme
from keys.model import KeyAlgorithm, KeyRecord
from keys.ports import KeyWrapper, SigningKey

_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class EncryptedKey:
    """A private key at rest. ``kdf`` names how the AES key comes from the secret and ``salt``."""

    key_id: str
    kdf: str
    salt: bytes
    nonce: bytes
    ciphertext: bytes


class EncryptedKeys(Protocol):
    """Where encrypted keys rest. ``put`` and ``delete`` are durable on return; ``put`` never overwrites."""

    def put(self, key: EncryptedKey) -> None: ...

    def get(self, key_id: str) -> EncryptedKey | None: ...

    def sample(self, kdf: str) -> EncryptedKey | None:
        """Any one key written with ``kdf``: new keys share its salt, so that opening many stretches once."""
        ...

    def delete(self, key_id: str) -> None: ...


class WrappingKey(Protocol):
    """The key-encryption key (:mod:`keys.stores.kek`)."""

    @property
    def kdf(self) -> str: ...

    def new_salt(self) -> bytes: ...

    def derive(self, kdf: str, salt: bytes) -> bytes: ...


class SoftwareKeyStore:
    """:class:`keys.ports.KeyStore` without hardware. Safe to use from several threads."""

    name = "software"

    def __init__(self, *, encrypted_keys: EncryptedKeys, kek: WrappingKey) -> None:
        self._encrypted_keys = encrypted_keys
        self._kek = kek

    def generate(self, key_id: str, algorithm: KeyAlgorithm) -> bytes:
        secret, public_key = _generate(algorithm)
        salted = self._encrypted_keys.sample(self._kek.kdf)
        salt = salted.salt if salted else self._kek.new_salt()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        ciphertext = AESGCM(self._kek.derive(self._kek.kdf, salt)).encrypt(
            nonce, secret, _associated_data(key_id, algorithm)
        )
        self._encrypted_keys.put(EncryptedKey(key_id, self._kek.kdf, salt, nonce, ciphertext))
        return public_key

    def open(self, record: KeyRecord) -> SigningKey:
        _require_kind(record, signs=True)
        private_key = load_der_private_key(self._decrypt(record), password=None)
        public_key = private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if public_key != record.public_key:
            raise KeyUnavailable(
                f"private key {record.id} does not fit its recorded public key: the register was altered"
            )
        if isinstance(private_key, ec.EllipticCurvePrivateKey):
            return _EcSigningKey(private_key, record.algorithm)
        assert isinstance(private_key, rsa.RSAPrivateKey)
        return _RsaSigningKey(private_key)

    def open_wrapper(self, record: KeyRecord) -> KeyWrapper:
        _require_kind(record, signs=False)
        return _AesWrapper(record.id, self._decrypt(record))

    def destroy(self, record: KeyRecord) -> None:
        self._encrypted_keys.delete(record.id)

    def holds(self, key_id: str) -> bool:
        return self._encrypted_keys.get(key_id) is not None

    def _decrypt(self, record: KeyRecord) -> bytes:
        stored = self._encrypted_keys.get(record.id)
        if stored is None:
            raise KeyUnavailable(
                f"store {self.name!r} holds no private key {record.id}: it was destroyed, "
                "or the database was restored without it"
            )
        try:
            return AESGCM(self._kek.derive(stored.kdf, stored.salt)).decrypt(
                stored.nonce, stored.ciphertext, _associated_data(record.id, record.algorithm)
            )
        except (InvalidTag, KeyEncryptionKeyInvalid) as refused:
            raise KeyUnavailable(
                f"private key {record.id} cannot be decrypted: the key-encryption key is not the one that "
                f"wrote it, or the stored bytes were altered ({refused or 'authentication failed'})"
            ) from refused


class _EcSigningKey:
    def __init__(self, key: ec.EllipticCurvePrivateKey, algorithm: KeyAlgorithm) -> None:
        self._key = key
        digest = hashes.SHA384() if algorithm is KeyAlgorithm.EC_P384 else hashes.SHA256()
        self._scheme = ec.ECDSA(digest)

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data, self._scheme)


class _RsaSigningKey:
    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())


class _AesWrapper:
    """AES-256-GCM with a random nonce in front: 2^32 wraps are allowed (SP 800-38D, 8.3), dozens happen."""

    def __init__(self, key_id: str, secret: bytes) -> None:
        self._key_id = key_id
        self._cipher = AESGCM(secret)

    def wrap(self, key: bytes, associated_data: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, associated_data)

    def unwrap(self, wrapped: bytes, associated_data: bytes) -> bytes:
        try:
            return self._cipher.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], associated_data)
        except (InvalidTag, ValueError) as refused:
            raise KeyUnavailable(
                f"key {self._key_id} did not wrap this: it was altered, or wrapped for something else"
            ) from refused


def _generate(algorithm: KeyAlgorithm) -> tuple[bytes, bytes]:
    """What is kept secret, and the DER SubjectPublicKeyInfo of a key pair."""
    private_key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    match algorithm:
        case KeyAlgorithm.AES_256:
            return secrets.token_bytes(32), b""
        case KeyAlgorithm.EC_P256:
            private_key = ec.generate_private_key(ec.SECP256R1())
        case KeyAlgorithm.EC_P384:
            private_key = ec.generate_private_key(ec.SECP384R1())
        case KeyAlgorithm.RSA_3072:
            private_key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    return (
        private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    )


def _require_kind(record: KeyRecord, *, signs: bool) -> None:
    if record.algorithm.signs is not signs:
        raise WrongScheme(
            f"key {record.id} ({record.algorithm}) {'wraps keys' if signs else 'signs'}; it does nothing else"
        )


def _associated_data(key_id: str, algorithm: KeyAlgorithm) -> bytes:
    return b"\0".join((b"absah private key v1", key_id.encode(), algorithm.value.encode()))
