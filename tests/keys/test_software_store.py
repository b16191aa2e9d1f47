"""The software store: the contract of all stores, then what is at rest."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key
from sqlalchemy import Engine, select, update
from sqlalchemy.exc import IntegrityError

from keys.errors import KeyEncryptionKeyInvalid, KeyEncryptionKeyUnsafe, KeyUnavailable
from keys.model import KeyAlgorithm
from keys.ports import KeyStore
from keys.stores.kek import KeyEncryptionKey, PassphraseKey, create_key_encryption_key
from keys.stores.software import SoftwareKeyStore
from keys.tables import EncryptedKeyTable, encrypted_keys
from tests.keys.store_contract import KeyStoreContract, made, verify


class TestSoftwareStore(KeyStoreContract):
    @pytest.fixture
    def store(self, software_store: SoftwareKeyStore) -> KeyStore:
        return software_store

    @pytest.fixture
    def reopened(self, engine: Engine, kek_file: Path) -> Callable[[], KeyStore]:
        return lambda: SoftwareKeyStore(
            encrypted_keys=EncryptedKeyTable(engine.begin), kek=KeyEncryptionKey(kek_file)
        )


def test_nothing_at_rest_parses_as_a_private_key(software_store: SoftwareKeyStore, engine: Engine) -> None:
    made(software_store, "secret")
    with engine.begin() as tx:
        row = tx.execute(select(encrypted_keys)).one()
    with pytest.raises(ValueError, match=r"."):
        load_der_private_key(bytes(row.ciphertext), None)
    assert ec.SECP256R1().name.encode() not in bytes(row.ciphertext)


@pytest.mark.parametrize("column", ["nonce", "ciphertext"])
def test_one_flipped_bit_at_rest_is_noticed(
    software_store: SoftwareKeyStore, engine: Engine, column: str
) -> None:
    record = made(software_store, "k")
    with engine.begin() as tx:
        value = bytearray(tx.scalar(select(encrypted_keys.c[column])))
        value[0] ^= 1
        tx.execute(update(encrypted_keys).values({column: bytes(value)}))
    with pytest.raises(KeyUnavailable, match="cannot be decrypted"):
        software_store.open(record)


def test_a_stored_key_cannot_be_passed_off_as_another(
    software_store: SoftwareKeyStore, engine: Engine
) -> None:
    victim, other = made(software_store, "victim"), made(software_store, "other")
    with engine.begin() as tx:
        blob = tx.execute(select(encrypted_keys).where(encrypted_keys.c.key_id == "other")).one()
        tx.execute(
            update(encrypted_keys)
            .where(encrypted_keys.c.key_id == "victim")
            .values(nonce=blob.nonce, ciphertext=blob.ciphertext)
        )
    with pytest.raises(KeyUnavailable):
        software_store.open(victim)
    with pytest.raises(KeyUnavailable):
        software_store.open(replace(other, algorithm=KeyAlgorithm.EC_P384))


def test_a_public_key_replaced_in_the_register_is_noticed(software_store: SoftwareKeyStore) -> None:
    record, other = made(software_store, "a"), made(software_store, "b")
    with pytest.raises(KeyUnavailable, match="does not fit"):
        software_store.open(replace(record, public_key=other.public_key))


def test_the_wrong_key_encryption_key_opens_nothing(
    software_store: SoftwareKeyStore, engine: Engine, tmp_path: Path
) -> None:
    record = made(software_store, "k")
    create_key_encryption_key(tmp_path / "another")
    stranger = SoftwareKeyStore(
        encrypted_keys=EncryptedKeyTable(engine.begin), kek=KeyEncryptionKey(tmp_path / "another")
    )
    with pytest.raises(KeyUnavailable, match="key-encryption key"):
        stranger.open(record)


def test_generating_under_a_used_id_never_overwrites_the_first_key(software_store: SoftwareKeyStore) -> None:
    record = made(software_store, "k")
    with pytest.raises(IntegrityError):
        software_store.generate("k", KeyAlgorithm.EC_P256)
    verify(record, software_store.open(record).sign(b"x"), b"x")


def test_a_passphrase_opens_what_it_wrote_and_keys_share_its_salt(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    path.write_text("kuda berlari di tepi danau\n")
    path.chmod(0o600)

    def store() -> SoftwareKeyStore:
        return SoftwareKeyStore(encrypted_keys=EncryptedKeyTable(engine.begin), kek=PassphraseKey(path))

    first, second = made(store(), "a"), made(store(), "b")
    verify(first, store().open(first).sign(b"x"), b"x")
    with engine.begin() as tx:
        salts = set(tx.scalars(select(encrypted_keys.c.salt)))
    assert len(salts) == 1
    path.write_text("kuda berlari di tepi sungai\n")
    with pytest.raises(KeyUnavailable):
        store().open(second)


def test_a_key_file_is_made_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    create_key_encryption_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(base64.b64decode(path.read_bytes())) == 32
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        create_key_encryption_key(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["kek"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_key_file_that_others_can_use_is_refused(kek_file: Path, mode: int) -> None:
    kek_file.chmod(mode)
    with pytest.raises(KeyEncryptionKeyUnsafe, match="chmod 600"):
        KeyEncryptionKey(kek_file)
    with pytest.raises(KeyEncryptionKeyUnsafe):
        PassphraseKey(kek_file)


@pytest.mark.parametrize(
    "content",
    [b"", b"short", base64.b64encode(bytes(31)), base64.b64encode(bytes(33)), b"*" * 44, bytes(5000)],
)
def test_a_file_without_a_key_is_refused(kek_file: Path, content: bytes) -> None:
    kek_file.write_bytes(content)
    with pytest.raises(KeyEncryptionKeyInvalid):
        KeyEncryptionKey(kek_file)


def test_a_missing_file_and_a_weak_passphrase_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyEncryptionKeyInvalid, match="cannot be read"):
        KeyEncryptionKey(tmp_path / "absent")
    weak = tmp_path / "weak"
    weak.write_text("rahasia\n")
    weak.chmod(0o600)
    with pytest.raises(KeyEncryptionKeyInvalid, match="several words"):
        PassphraseKey(weak)
