"""Private keys in a PKCS #11 token. They are made there, used there, and never leave it.

A key's id is its CKA_ID and its CKA_LABEL, so that `pkcs11-tool --list-objects` shows what the service knows.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

import pkcs11
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11 import Attribute, GCMParams, Mechanism, ObjectClass

from keys.errors import KeyUnavailable, TokenUnfit, WrongScheme
from keys.model import KeyAlgorithm, KeyRecord
from keys.ports import KeyWrapper, SigningKey
from keys.stores.pkcs11.objects import generate, kind_of, public_key_info, require_guarded
from keys.stores.pkcs11.token import Session, Token, objects

_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_PIECE: Final = 16 * 1024
"""Network HSMs limit a message; what is longer (a large CRL under an RSA key) is handed over in pieces."""

_MECHANISMS: Final[Mapping[KeyAlgorithm, tuple[Mechanism, Mechanism]]] = {
    KeyAlgorithm.EC_P256: (Mechanism.EC_KEY_PAIR_GEN, Mechanism.ECDSA),
    KeyAlgorithm.EC_P384: (Mechanism.EC_KEY_PAIR_GEN, Mechanism.ECDSA),
    KeyAlgorithm.RSA_3072: (Mechanism.RSA_PKCS_KEY_PAIR_GEN, Mechanism.SHA256_RSA_PKCS),
    KeyAlgorithm.AES_256: (Mechanism.AES_KEY_GEN, Mechanism.AES_GCM),
}


class Pkcs11KeyStore:
    """:class:`keys.ports.KeyStore` in hardware. Opens nothing before it is used. Safe for several threads."""

    name = "pkcs11"

    def __init__(self, token: Token) -> None:
        self._token = token

    def generate(self, key_id: str, algorithm: KeyAlgorithm) -> bytes:
        """Make the key in the token.

        1. Nothing may be there under this id: a whole key is never replaced, and halves that a crash left
           are removed.
        2. The token makes the key.
        3. What it made is read back: guarded as it must be, and private and public half fit. Else it is
           removed again.
        """
        with _translated(f"key {key_id} cannot be made"):
            self._require_free(key_id)

            def work(session: pkcs11.Session) -> bytes:
                try:
                    return _made(session, key_id, algorithm)
                except (TokenUnfit, pkcs11.PKCS11Error):
                    with suppress(pkcs11.PKCS11Error):
                        _remove(session, key_id)
                    raise

            return self._token.run_once(work)

    def open(self, record: KeyRecord) -> SigningKey:
        _require_kind(record, signs=True)
        self._require_present(record)
        if record.algorithm is KeyAlgorithm.RSA_3072:
            return _RsaSigningKey(self._token, record)
        return _EcSigningKey(self._token, record)

    def open_wrapper(self, record: KeyRecord) -> KeyWrapper:
        _require_kind(record, signs=False)
        self._require_present(record)
        return _AesWrapper(self._token, record)

    def destroy(self, record: KeyRecord) -> None:
        with _translated(f"key {record.id} cannot be destroyed"):
            self._token.run_once(lambda session: _remove(session, record.id))

    def holds(self, key_id: str) -> bool:
        whole, halves = self.inventory()
        return key_id in whole | halves

    def watch(self, failed: Callable[[str], object]) -> None:
        """From now on call ``failed`` with the name of each error of the token, for metrics."""
        self._token.watch(failed)

    def ping(self) -> None:
        """Ask the token for something small, and connect anew if it was away. Raises ``KeyUnavailable``."""
        with _translated("the token does not answer"):
            self._token.run(lambda session: session.raw.generate_random(64))

    def examine(self, algorithms: Iterable[KeyAlgorithm] = tuple(KeyAlgorithm)) -> str:
        """Log in and look: what this token is. Raises :class:`keys.errors.TokenUnfit` when it has not the
        mechanisms for keys of these ``algorithms``, and ``KeyUnavailable``.
        """
        with _translated("the token cannot be examined"):
            token, able = self._token.run(
                lambda session: (session.raw.token, session.raw.token.slot.get_mechanisms())
            )
        needed = {mechanism for algorithm in algorithms for mechanism in _MECHANISMS[algorithm]}
        missing = sorted(mechanism.name for mechanism in needed - able)
        if missing:
            raise TokenUnfit(
                f"token {token.label!r} cannot do {', '.join(missing)}: use another one, or keep keys that "
                "need it in software (ABSAH_KEYS_STORES)"
            )
        return f"{token.label!r}, {token.manufacturer_id} {token.model}".strip()

    def inventory(self) -> tuple[set[str], set[str]]:
        """Ids of whole keys in the token, and of halves that a crash left. Others' keys are among them."""

        def ids(session: Session, kind: ObjectClass) -> set[str]:
            found = objects(session.raw, {Attribute.CLASS: kind})
            return {key[Attribute.ID].decode(errors="replace") for key in found}

        with _translated("the keys of the token cannot be listed"):
            private, public, secret = self._token.run(
                lambda session: (
                    ids(session, ObjectClass.PRIVATE_KEY),
                    ids(session, ObjectClass.PUBLIC_KEY),
                    ids(session, ObjectClass.SECRET_KEY),
                )
            )
        return secret | (private & public), private ^ public

    def _require_free(self, key_id: str) -> None:
        def halves(session: Session) -> tuple[bool, bool]:
            private = session.find(key_id, ObjectClass.PRIVATE_KEY)
            secret = session.find(key_id, ObjectClass.SECRET_KEY)
            public = session.find(key_id, ObjectClass.PUBLIC_KEY)
            return bool(secret or (private and public)), bool(private or public)

        whole, half = self._token.run(halves)
        if whole:
            raise KeyUnavailable(f"the token holds a key {key_id} already: a key is never replaced")
        if half:
            self._token.run_once(lambda session: _remove(session, key_id))

    def _require_present(self, record: KeyRecord) -> None:
        """The key is there, guarded as it must be, and its public half is the recorded one."""

        def work(session: Session) -> bytes:
            require_guarded(session.key(record.id, kind_of(record.algorithm)), record.algorithm)
            if not record.algorithm.signs:
                return b""
            public = session.find(record.id, ObjectClass.PUBLIC_KEY)
            if len(public) != 1:
                raise pkcs11.NoSuchKey(record.id)
            return public_key_info(public[0], record.algorithm)

        with _translated(f"key {record.id} cannot be opened"):
            public_key = self._token.run(work)
        if public_key != record.public_key:
            raise KeyUnavailable(
                f"private key {record.id} does not fit its recorded public key: the register was altered, or "
                "somebody put another key into the token"
            )


class _EcSigningKey:
    """Hashed here: every token takes a digest, few hash for ECDSA themselves, and none of it is secret."""

    def __init__(self, token: Token, record: KeyRecord) -> None:
        self._token = token
        self._record = record

    def sign(self, data: bytes) -> bytes:
        digest = hashlib.new(self._record.algorithm.hash_name, data).digest()
        key_id = self._record.id
        with _translated(f"key {key_id} cannot sign"):
            return _der(self._token.run(lambda session: _ecdsa(_private(session, key_id), digest)))


class _RsaSigningKey:
    def __init__(self, token: Token, record: KeyRecord) -> None:
        self._token = token
        self._record = record

    def sign(self, data: bytes) -> bytes:
        key_id = self._record.id
        with _translated(f"key {key_id} cannot sign"):
            return self._token.run(lambda session: _rsa(_private(session, key_id), data))


class _AesWrapper:
    """AES-256-GCM in the token, a random nonce in front (SP 800-38D, 8.2.2)."""

    def __init__(self, token: Token, record: KeyRecord) -> None:
        self._token = token
        self._record = record

    def wrap(self, key: bytes, associated_data: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        with _translated(f"key {self._record.id} cannot wrap"):
            return nonce + self._run("encrypt", key, nonce, associated_data)

    def unwrap(self, wrapped: bytes, associated_data: bytes) -> bytes:
        nonce, sealed = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
        foreign = f"key {self._record.id} did not wrap this: it was altered, or wrapped for something else"
        if len(sealed) < _TAG_BYTES:
            raise KeyUnavailable(foreign)
        with _translated(foreign):
            return self._run("decrypt", sealed, nonce, associated_data)

    def _run(self, act: str, data: bytes, nonce: bytes, associated_data: bytes) -> bytes:
        def work(session: Session) -> bytes:
            key = session.key(self._record.id, ObjectClass.SECRET_KEY)
            return _gcm(getattr(key, act), data, nonce, associated_data)

        return self._token.run(work)


def _made(session: pkcs11.Session, key_id: str, algorithm: KeyAlgorithm) -> bytes:
    public = generate(session, key_id, algorithm)
    (key,) = objects(session, {Attribute.CLASS: kind_of(algorithm), Attribute.ID: key_id.encode()})
    require_guarded(key, algorithm)
    if public is None:
        _require_wraps(key)
        return b""
    info = public_key_info(public, algorithm)
    _require_pair(key, info, algorithm)
    return info


def _require_pair(key: Any, info: bytes, algorithm: KeyAlgorithm) -> None:
    """Pairwise consistency (FIPS 140-3 IG 10.3.A): what the private half signs, the public half verifies."""
    probe = b"absah pairwise consistency"
    public_key = load_der_public_key(info)
    try:
        if isinstance(public_key, ec.EllipticCurvePublicKey):
            digest = hashlib.new(algorithm.hash_name, probe).digest()
            scheme = hashes.SHA384() if algorithm is KeyAlgorithm.EC_P384 else hashes.SHA256()
            public_key.verify(_der(_ecdsa(key, digest)), probe, ec.ECDSA(scheme))
        else:
            assert isinstance(public_key, rsa.RSAPublicKey)
            public_key.verify(_rsa(key, probe), probe, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature as cause:
        raise TokenUnfit(
            "the token made a private and a public key that do not fit: look at its maker's software"
        ) from cause


def _require_wraps(key: Any) -> None:
    """Some tokens list AES-GCM and take it with nonces of their own only; some wires do not carry it."""
    nonce, probe = secrets.token_bytes(_NONCE_BYTES), secrets.token_bytes(32)
    try:
        opened = _gcm(key.decrypt, _gcm(key.encrypt, probe, nonce, b"probe"), nonce, b"probe")
    except (pkcs11.MechanismInvalid, pkcs11.MechanismParamInvalid) as cause:
        raise TokenUnfit(
            f"the token does not wrap with AES-256-GCM as we need it ({type(cause).__name__}): keep wrapping "
            "keys in software, with ABSAH_KEYS_STORES='pkcs11 wrapping=software'"
        ) from cause
    if opened != probe:
        raise TokenUnfit("the token's AES-GCM does not give back what it was given: ask its maker")


def _gcm(act: Callable[..., bytes], data: bytes, nonce: bytes, associated_data: bytes) -> bytes:
    parameters = GCMParams(nonce, associated_data, _TAG_BYTES * 8)
    return act(data, mechanism=Mechanism.AES_GCM, mechanism_param=parameters)


def _private(session: Session, key_id: str) -> Any:
    return session.key(key_id, ObjectClass.PRIVATE_KEY)


def _ecdsa(key: Any, digest: bytes) -> bytes:
    signature: bytes = key.sign(digest, mechanism=Mechanism.ECDSA)
    return signature


def _rsa(key: Any, data: bytes) -> bytes:
    pieces = [data[at : at + _PIECE] for at in range(0, len(data), _PIECE)] if len(data) > _PIECE else data
    signature: bytes = key.sign(pieces, mechanism=Mechanism.SHA256_RSA_PKCS)
    return signature


def _der(signature: bytes) -> bytes:
    """r and s side by side, as PKCS #11 has them, as the Ecdsa-Sig-Value of RFC 3279, 2.2.3."""
    half = len(signature) // 2
    return encode_dss_signature(
        int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    )


def _remove(session: pkcs11.Session, key_id: str) -> None:
    """The private half first: from then on the key is gone, whatever happens."""
    for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY, ObjectClass.PUBLIC_KEY):
        for half in objects(session, {Attribute.CLASS: kind, Attribute.ID: key_id.encode()}):
            half.destroy()


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Errors of the binding as errors of custody."""
    try:
        yield
    except pkcs11.NoSuchKey as cause:
        raise KeyUnavailable(
            f"{what}: the token holds no such key. It was destroyed, or this is another token"
        ) from cause
    except pkcs11.MultipleObjectsReturned as cause:
        raise KeyUnavailable(
            f"{what}: the token holds more than one key with this id. Remove the foreign one"
        ) from cause
    except pkcs11.PKCS11Error as cause:
        raise KeyUnavailable(f"{what} ({type(cause).__name__})") from cause


def _require_kind(record: KeyRecord, *, signs: bool) -> None:
    if record.algorithm.signs is not signs:
        raise WrongScheme(
            f"key {record.id} ({record.algorithm}) {'wraps keys' if signs else 'signs'}; it does nothing else"
        )
