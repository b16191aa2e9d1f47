"""What every key store promises (:class:`keys.ports.KeyStore`), as tests that any store can run.

A store's own test module subclasses :class:`KeyStoreContract` and provides a fixture ``store``, and a fixture
``reopened`` that returns the same store as another process would open it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from keys.errors import KeyUnavailable, WrongScheme
from keys.handle import KeyHandle
from keys.model import SIGNATURE_ALGORITHMS, KeyAlgorithm, KeyPurpose, KeyRecord, KeyState
from keys.ports import KeyStore


def made(store: KeyStore, key_id: str, algorithm: KeyAlgorithm = KeyAlgorithm.EC_P256) -> KeyRecord:
    return KeyRecord(
        id=key_id,
        purpose=KeyPurpose.SEAL,
        algorithm=algorithm,
        owner="dinas",
        store=store.name,
        state=KeyState.ACTIVE,
        public_key=store.generate(key_id, algorithm),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def verify(record: KeyRecord, signature: bytes, data: bytes) -> None:
    """Raises ``InvalidSignature`` unless ``signature`` is the key's only scheme over ``data``."""
    public_key = load_der_public_key(record.public_key)
    digest = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384()}[record.algorithm.hash_name]
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        public_key.verify(signature, data, ec.ECDSA(digest))
    else:
        assert isinstance(public_key, rsa.RSAPublicKey)
        public_key.verify(signature, data, padding.PKCS1v15(), digest)


class KeyStoreContract:
    @pytest.mark.parametrize("algorithm", SIGNATURE_ALGORITHMS)
    def test_a_generated_key_signs_with_its_only_scheme(
        self, store: KeyStore, algorithm: KeyAlgorithm
    ) -> None:
        record = made(store, f"k-{algorithm}", algorithm)
        verify(record, store.open(record).sign(b"isi dokumen"), b"isi dokumen")

    @pytest.mark.parametrize("algorithm", SIGNATURE_ALGORITHMS)
    def test_a_handle_builds_certificates_with_the_library(
        self, store: KeyStore, algorithm: KeyAlgorithm
    ) -> None:
        record = made(store, f"c-{algorithm}", algorithm)
        handle = KeyHandle(record, store.open(record), lambda: None)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Uji")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(handle.public_key)
            .serial_number(1)
            .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
            .sign(
                handle.as_private_key(),
                hashes.SHA384() if record.algorithm.hash_name == "sha384" else hashes.SHA256(),
            )
        )
        certificate.verify_directly_issued_by(certificate)

    def test_a_key_outlives_the_process_that_generated_it(
        self, store: KeyStore, reopened: Callable[[], KeyStore]
    ) -> None:
        record = made(store, "durable")
        verify(record, reopened().open(record).sign(b"x"), b"x")

    def test_one_handle_signs_from_many_threads(self, store: KeyStore) -> None:
        record = made(store, "threads")
        key = store.open(record)
        messages = [bytes([n]) * 100 for n in range(64)]
        with ThreadPoolExecutor(8) as pool:
            for message, signature in zip(messages, pool.map(key.sign, messages), strict=True):
                verify(record, signature, message)

    def test_two_keys_never_share_a_public_key(self, store: KeyStore) -> None:
        assert made(store, "one").public_key != made(store, "two").public_key

    def test_an_unknown_key_cannot_be_opened(self, store: KeyStore) -> None:
        record = made(store, "known")
        stranger = KeyRecord(
            **{field: getattr(record, field) for field in KeyRecord.__slots__} | {"id": "stranger"}
        )
        with pytest.raises(KeyUnavailable, match="stranger"):
            store.open(stranger)

    def test_the_store_says_itself_whether_it_has_a_key(self, store: KeyStore) -> None:
        record = made(store, "held")
        assert store.holds(record.id)
        assert not store.holds(f"{record.id}-not")
        store.destroy(record)
        assert not store.holds(record.id)

    def test_a_destroyed_key_is_gone_and_destroying_again_is_harmless(self, store: KeyStore) -> None:
        record = made(store, "doomed")
        store.destroy(record)
        store.destroy(record)
        with pytest.raises(KeyUnavailable):
            store.open(record)

    def test_a_secret_key_wraps_and_only_it_unwraps_and_only_with_the_same_data(
        self, store: KeyStore, reopened: Callable[[], KeyStore]
    ) -> None:
        record = made(store, "wrapping", KeyAlgorithm.AES_256)
        other = made(store, "other", KeyAlgorithm.AES_256)
        assert record.public_key == b""
        wrapped = store.open_wrapper(record).wrap(bytes(32), b"person/1")
        assert reopened().open_wrapper(record).unwrap(wrapped, b"person/1") == bytes(32)
        with pytest.raises(KeyUnavailable):
            store.open_wrapper(record).unwrap(wrapped, b"person/2")
        with pytest.raises(KeyUnavailable):
            store.open_wrapper(other).unwrap(wrapped, b"person/1")

    def test_the_same_key_wrapped_twice_shows_no_sameness(self, store: KeyStore) -> None:
        wrapper = store.open_wrapper(made(store, "wrapping", KeyAlgorithm.AES_256))
        assert wrapper.wrap(bytes(32), b"") != wrapper.wrap(bytes(32), b"")

    def test_altered_and_shortened_wrapped_keys_are_refused(self, store: KeyStore) -> None:
        wrapper = store.open_wrapper(made(store, "wrapping", KeyAlgorithm.AES_256))
        wrapped = wrapper.wrap(bytes(32), b"")
        for place in range(len(wrapped)):
            altered = bytearray(wrapped)
            altered[place] ^= 1
            with pytest.raises(KeyUnavailable):
                wrapper.unwrap(bytes(altered), b"")
            with pytest.raises(KeyUnavailable):
                wrapper.unwrap(wrapped[:place], b"")

    def test_a_key_that_wraps_does_not_sign_and_the_other_way_round(self, store: KeyStore) -> None:
        with pytest.raises(WrongScheme):
            store.open(made(store, "wrapping", KeyAlgorithm.AES_256))
        with pytest.raises(WrongScheme):
            store.open_wrapper(made(store, "signing"))

    def test_a_destroyed_secret_key_is_gone(self, store: KeyStore) -> None:
        record = made(store, "wrapping", KeyAlgorithm.AES_256)
        store.destroy(record)
        with pytest.raises(KeyUnavailable):
            store.open_wrapper(record)
