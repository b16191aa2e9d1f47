"""What the ceremonies' machine keeps: its keys, and a register of what they signed, as files in one folder.

``register.json`` is replaced as a whole after each act, so that a crash leaves the state before or after it.
Copies of the folder are the backup: private keys in it are encrypted, or in the token.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.ceremony.script import Custody
from ca.errors import CeremonyRefused
from ca.issuing import Issuer, new_serial, self_signed
from ca.model import CertificateStanding, CertificateStatus, RevocationReason
from ca.profiles import Profile
from keys.handle import KeyHandle
from keys.model import KeyAlgorithm, KeyPurpose, KeyRecord, KeyState
from keys.ports import KeyStore
from keys.stores.folder import EncryptedKeyFolder, synchronise
from keys.stores.kek import PassphraseKey
from keys.stores.pkcs11.store import Pkcs11KeyStore
from keys.stores.pkcs11.token import TokenAddress, token_at
from keys.stores.software import EncryptedKey, SoftwareKeyStore

_FORMAT = "absah-ceremony-register/1"
_LARGEST = 16 * 1024**2


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that a root here signed; ``issuer`` is the root's name, its own for a root."""

    name: str
    issuer: str
    der: bytes
    key_id: str = ""
    revoked_at: datetime | None = None
    reason: RevocationReason | None = None
    invalidity_date: datetime | None = None

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.der)

    @property
    def standing(self) -> CertificateStanding:
        status = CertificateStatus.GOOD if self.revoked_at is None else CertificateStatus.REVOKED
        serial = self.certificate.serial_number
        return CertificateStanding(serial, status, self.revoked_at, self.reason, self.invalidity_date)


@dataclass(frozen=True, slots=True)
class SignedList:
    """The newest list of a root."""

    number: int
    der: bytes


@dataclass(slots=True)
class Home:
    """Keys and register. ``save`` makes the register durable; a rehearsal's does nothing."""

    store: KeyStore
    save: Callable[[Home], None]
    keys: dict[str, KeyRecord] = field(default_factory=dict)
    certificates: dict[str, Issued] = field(default_factory=dict)
    lists: dict[str, SignedList] = field(default_factory=dict)
    transcripts: list[str] = field(default_factory=list)

    def generate(self, purpose: KeyPurpose, algorithm: KeyAlgorithm, now: datetime) -> KeyRecord:
        """The record counts once the register is saved; a crash before leaves a key that nobody uses."""
        key_id = f"{purpose}-{secrets.token_hex(10)}"
        public_key = self.store.generate(key_id, algorithm)
        record = KeyRecord(
            key_id, purpose, algorithm, "", self.store.name, KeyState.ACTIVE, public_key, created_at=now
        )
        self.keys[key_id] = record
        return record

    def handle(self, key_id: str) -> KeyHandle:
        record = self.keys[key_id]
        return KeyHandle(record, self.store.open(record), lambda: None)

    def issuer(self, name: str) -> Issuer:
        """Raises :class:`ca.errors.CeremonyRefused` when there is no root of that name here."""
        root = self.certificates.get(name)
        if root is None or root.issuer != name:
            raise CeremonyRefused(f"there is no {name} here, nor does an earlier step make it")
        return Issuer(name, root.certificate, self.handle(root.key_id))

    def signing_key(self) -> KeyRecord | None:
        """The key that signs transcripts, once the first ceremony made it."""
        return next((key for key in self.keys.values() if key.purpose is KeyPurpose.CEREMONY), None)

    def rehearsal(self, root_profile: Profile) -> Home:
        """The same, where acts can be tried without consequence: roots stand in under throw-away keys."""
        store = SoftwareKeyStore(encrypted_keys=_InMemory(), kek=_ThrowAway())
        tried = Home(store, lambda _: None, {}, dict(self.certificates), dict(self.lists), [])
        for name, root in self.certificates.items():
            if root.issuer != name:
                continue
            certificate = root.certificate
            begins = certificate.not_valid_before_utc
            key = tried.generate(KeyPurpose.ROOT_CA, self.keys[root.key_id].algorithm, begins)
            stand_in = self_signed(
                profile=root_profile,
                subject=certificate.subject,
                key=tried.handle(key.id),
                serial=new_serial(),
                not_before=begins,
            )
            der = stand_in.public_bytes(Encoding.DER)
            tried.certificates[name] = replace(root, der=der, key_id=key.id)
        return tried


def open_home(folder: Path, custody: Custody, beside: Path) -> Home:
    """The machine's own, empty before the first ceremony. Paths of ``custody`` are relative to ``beside``.

    Raises :class:`ca.errors.CeremonyRefused` or a leaf of :class:`keys.errors.KeyCustodyError`.
    """
    store: KeyStore
    if custody.kind == "token":
        address = TokenAddress(Path(custody.module), custody.token, beside / custody.pin_file, sessions=1)
        store = Pkcs11KeyStore(token_at(address))
    else:
        passphrase = PassphraseKey(beside / custody.passphrase_file)
        store = SoftwareKeyStore(encrypted_keys=EncryptedKeyFolder(folder / "keys"), kek=passphrase)
    home = Home(store, lambda changed: _write(folder / "register.json", changed))
    register = folder / "register.json"
    if register.exists():
        _fill(home, register)
    return home


def _write(path: Path, home: Home) -> None:
    content = {
        "format": _FORMAT,
        "keys": [
            {
                "id": key.id,
                "purpose": key.purpose,
                "algorithm": key.algorithm,
                "store": key.store,
                "public_key": _text(key.public_key),
                "created_at": key.created_at.isoformat(),
            }
            for key in home.keys.values()
        ],
        "certificates": [
            {
                "name": one.name,
                "issuer": one.issuer,
                "der": _text(one.der),
                "key_id": one.key_id,
                "revoked_at": one.revoked_at and one.revoked_at.isoformat(),
                "reason": one.reason and one.reason.name,
                "invalidity_date": one.invalidity_date and one.invalidity_date.isoformat(),
            }
            for one in home.certificates.values()
        ],
        "lists": {name: {"number": one.number, "der": _text(one.der)} for name, one in home.lists.items()},
        "transcripts": home.transcripts,
    }
    write_durably(path, json.dumps(content, indent=1).encode())


def _fill(home: Home, path: Path) -> None:
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_LARGEST))
        if content["format"] != _FORMAT:
            raise ValueError("another format")
        home.keys = {
            one["id"]: KeyRecord(
                one["id"],
                KeyPurpose(one["purpose"]),
                KeyAlgorithm(one["algorithm"]),
                "",
                one["store"],
                KeyState.ACTIVE,
                _bytes(one["public_key"]),
                datetime.fromisoformat(one["created_at"]),
            )
            for one in content["keys"]
        }
        home.certificates = {
            one["name"]: Issued(
                one["name"],
                one["issuer"],
                _bytes(one["der"]),
                one["key_id"],
                one["revoked_at"] and datetime.fromisoformat(one["revoked_at"]),
                one["reason"] and RevocationReason[one["reason"]],
                one["invalidity_date"] and datetime.fromisoformat(one["invalidity_date"]),
            )
            for one in content["certificates"]
        }
        home.lists = {
            name: SignedList(int(one["number"]), _bytes(one["der"])) for name, one in content["lists"].items()
        }
        home.transcripts = [str(digest) for digest in content["transcripts"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as broken:
        raise CeremonyRefused(f"{path} is not the register that was written: bring the copy back") from broken
    for key in home.keys.values():
        if key.store != home.store.name:
            raise CeremonyRefused(
                f"key {key.id} is kept in {key.store}, the script names {home.store.name}: correct custody"
            )


def write_durably(path: Path, content: bytes) -> None:
    """Whole or not at all, and still there after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    synchronise(path.parent)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


class _InMemory:
    """Keys of a rehearsal."""

    def __init__(self) -> None:
        self._keys: dict[str, EncryptedKey] = {}

    def put(self, key: EncryptedKey) -> None:
        self._keys[key.key_id] = key

    def get(self, key_id: str) -> EncryptedKey | None:
        return self._keys.get(key_id)

    def sample(self, kdf: str) -> EncryptedKey | None:
        return next((key for key in self._keys.values() if key.kdf == kdf), None)

    def delete(self, key_id: str) -> None:
        self._keys.pop(key_id, None)


class _ThrowAway:
    """A key-encryption key that ends with the rehearsal."""

    kdf = "none"

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def new_salt(self) -> bytes:
        return b""

    def derive(self, kdf: str, salt: bytes) -> bytes:
        del kdf, salt
        return self._key
