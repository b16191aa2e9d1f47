"""A private key as the rest of the service sees it: something that signs while it is allowed to.

:meth:`KeyHandle.as_private_key` dresses it as a key of ``cryptography``, whose certificate, CRL and OCSP
builders call back only ``public_key`` and ``sign``; that works the same for software and hardware.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.utils import Buffer

from keys.errors import KeyNotExportable, WrongScheme
from keys.model import KeyRecord
from keys.ports import SigningKey

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class KeyHandle:
    """One opened key. Made by :class:`keys.service.KeyService` and kept for the process's life.

    ``record`` is the key as it was when it was opened; whether it may sign is asked anew for every signature.
    """

    def __init__(self, record: KeyRecord, key: SigningKey, require_usable: Callable[[], object]) -> None:
        public_key = load_der_public_key(record.public_key)
        assert isinstance(public_key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
        self.record = record
        self.public_key: PublicKey = public_key
        self._key = key
        self._require_usable = require_usable

    def sign(self, data: bytes) -> bytes:
        """Hash and sign ``data`` with the key's only scheme.

        Raises :class:`keys.errors.KeyNotActive` or :class:`keys.errors.KeyExpired`.
        """
        self._require_usable()
        return self._key.sign(data)

    def as_private_key(self) -> PrivateKey:
        """The same key for the builders of ``cryptography.x509``."""
        if isinstance(self.public_key, ec.EllipticCurvePublicKey):
            return _EcHandle(self, self.public_key)
        return _RsaHandle(self, self.public_key)


class _Unexportable:
    _handle: KeyHandle

    def _refuse(self) -> NoReturn:
        raise KeyNotExportable(
            f"key {self._handle.record.id} never leaves its store: sign through its handle instead"
        )

    def private_numbers(self) -> NoReturn:
        self._refuse()

    def private_bytes(self, encoding: object, format: object, encryption_algorithm: object) -> NoReturn:
        self._refuse()

    def _require_hash(self, algorithm: object) -> None:
        name = algorithm.name if isinstance(algorithm, hashes.HashAlgorithm) else "data hashed elsewhere"
        expected = self._handle.record.algorithm.hash_name
        if name != expected:
            raise WrongScheme(
                f"key {self._handle.record.id} ({self._handle.record.algorithm}) signs with {expected} only, "
                f"not with {name}"
            )


class _EcHandle(_Unexportable, ec.EllipticCurvePrivateKey):
    def __init__(self, handle: KeyHandle, public_key: ec.EllipticCurvePublicKey) -> None:
        self._handle = handle
        self._public_key = public_key

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public_key

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public_key.curve

    @property
    def key_size(self) -> int:
        return self._public_key.key_size

    def sign(self, data: Buffer, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        self._require_hash(signature_algorithm.algorithm)
        return self._handle.sign(bytes(data))

    def exchange(self, algorithm: object, peer_public_key: object) -> NoReturn:
        raise WrongScheme(f"key {self._handle.record.id} signs; it does not agree on keys")

    def __copy__(self) -> _EcHandle:
        return self

    def __deepcopy__(self, memo: object) -> _EcHandle:
        return self


class _RsaHandle(_Unexportable, rsa.RSAPrivateKey):
    def __init__(self, handle: KeyHandle, public_key: rsa.RSAPublicKey) -> None:
        self._handle = handle
        self._public_key = public_key

    def public_key(self) -> rsa.RSAPublicKey:
        return self._public_key

    @property
    def key_size(self) -> int:
        return self._public_key.key_size

    def sign(self, data: bytes, padding_scheme: object, algorithm: object) -> bytes:
        if not isinstance(padding_scheme, padding.PKCS1v15):
            raise WrongScheme(f"key {self._handle.record.id} signs with PKCS #1 v1.5 padding only")
        self._require_hash(algorithm)
        return self._handle.sign(data)

    def decrypt(self, ciphertext: bytes, padding: object) -> NoReturn:
        raise WrongScheme(f"key {self._handle.record.id} signs; it does not decrypt")

    def __copy__(self) -> _RsaHandle:
        return self

    def __deepcopy__(self, memo: object) -> _RsaHandle:
        return self
