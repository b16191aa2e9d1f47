"""Private keys in software: PKCS #8 encrypted with AES-256-GCM under a key-encryption key.

Only this file touches private bytes. What is at rest: nonce and ciphertext; the key's id and algorithm are
bound as associated data, so blobs cannot be swapped between records.
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

from keys.errors import KeyEncryptionKeyInvalid, KeyUnavailable
from keys.model import KeyAlgorithm, KeyRecord
from keys.ports import SigningKey


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
        private_key = _generate(algorithm)
        salted = self._encrypted_keys.sample(self._kek.kdf)
        salt = salted.salt if salted else self._kek.new_salt()
        nonce = secrets.token_bytes(12)
        ciphertext = AESGCM(self._kek.derive(self._kek.kdf, salt)).encrypt(
            nonce,
            private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
            _associated_data(key_id, algorithm),
        )
        self._encrypted_keys.put(EncryptedKey(key_id, self._kek.kdf, salt, nonce, ciphertext))
        return private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def open(self, record: KeyRecord) -> SigningKey:
        stored = self._encrypted_keys.get(record.id)
        if stored is None:
            raise KeyUnavailable(
                f"store {self.name!r} holds no private key {record.id}: it was destroyed, "
                "or the database was restored without it"
            )
        try:
            plain = AESGCM(self._kek.derive(stored.kdf, stored.salt)).decrypt(
                stored.nonce, stored.ciphertext, _associated_data(record.id, record.algorithm)
            )
        except (InvalidTag, KeyEncryptionKeyInvalid) as refused:
            raise KeyUnavailable(
                f"private key {record.id} cannot be decrypted: the key-encryption key is not the one that "
                f"wrote it, or the stored bytes were altered ({refused or 'authentication failed'})"
            ) from refused
        private_key = load_der_private_key(plain, password=None)
        public_key = private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if public_key != record.public_key:
            raise KeyUnavailable(
                f"private key {record.id} does not fit its recorded public key: the register was altered"
            )
        if isinstance(private_key, ec.EllipticCurvePrivateKey):
            return _EcSigningKey(private_key, record.algorithm)
        assert isinstance(private_key, rsa.RSAPrivateKey)
        return _RsaSigningKey(private_key)

    def destroy(self, record: KeyRecord) -> None:
        self._encrypted_keys.delete(record.id)


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


def _generate(algorithm: KeyAlgorithm) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    match algorithm:
        case KeyAlgorithm.EC_P256:
            return ec.generate_private_key(ec.SECP256R1())
        case KeyAlgorithm.EC_P384:
            return ec.generate_private_key(ec.SECP384R1())
        case KeyAlgorithm.RSA_3072:
            return rsa.generate_private_key(public_exponent=65537, key_size=3072)


def _associated_data(key_id: str, algorithm: KeyAlgorithm) -> bytes:
    return b"\0".join((b"absah private key v1", key_id.encode(), algorithm.value.encode()))
