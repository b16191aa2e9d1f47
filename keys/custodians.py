"""Who may approve acts on keys, by which keys of their own, and how that register changes. Pure.

The register is one document with versions. It is free to change until enough custodians are in it to approve
anything; from then on it is **closed**: every change is itself a request that they approve, and no change may
leave fewer of them than that.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from keys.errors import CustodianKeyRefused, CustodiansChangeRefused, RegisterAltered

NAME: Final = re.compile(r"[a-z][a-z0-9-]{1,39}")
_MOST_CUSTODIANS: Final = 50


class ProofKind(StrEnum):
    """What a custodian's key is. Values are stored."""

    P256 = "p256"  # a key file: ECDSA over P-256 with SHA-256; the public key is a SubjectPublicKeyInfo
    PASSKEY = "passkey"  # the public key is a COSE_Key (WebAuthn Level 3, 6.5.1)


@dataclass(frozen=True, slots=True)
class CustodianKey:
    """A public key; ``credential_id`` is there exactly for passkeys."""

    kind: ProofKind
    public_key: bytes
    credential_id: bytes = b""

    @property
    def id(self) -> str:
        """SHA-256 of the public key, 64 hexadecimal digits.

        For a key file that is what ``openssl pkey -pubin -outform DER -in FILE | openssl sha256`` prints.
        """
        return hashlib.sha256(self.public_key).hexdigest()


@dataclass(frozen=True, slots=True)
class Custodian:
    """One person, however many keys. ``person_id`` is their account, ``account`` their login at the shell.

    Neither makes anybody a custodian: they only say under which other names the same person asks for things.
    """

    name: str
    keys: tuple[CustodianKey, ...]
    person_id: str = ""
    account: str = ""

    def key(self, key_id: str) -> CustodianKey | None:
        return next((key for key in self.keys if key.id == key_id), None)

    def acts_as(self, actor: str) -> bool:
        """Whether the audit trail's ``actor`` is this person."""
        return actor in {self.name, f"custodian:{self.name}", self.person_id or None, self.account or None}


class PasskeyProofs(Protocol):
    """Verifies passkeys' answers; the rules are those of the login's relying party."""

    def is_proof(self, answer: bytes, *, key: CustodianKey, person_id: str, challenge: bytes) -> bool:
        """Whether ``answer`` (JSON) is by this passkey of this person over ``challenge``, the user verified.

        Never raises for what ``answer`` holds.
        """
        ...


class NoPasskeys:
    """Where nobody logs in: no passkey proves anything."""

    def is_proof(self, answer: bytes, *, key: CustodianKey, person_id: str, challenge: bytes) -> bool:
        return False


def proves(
    proof: bytes, key: CustodianKey, custodian: Custodian, *, message: bytes, passkeys: PasskeyProofs
) -> bool:
    """Whether ``proof`` is this custodian's over ``message``. Hostile bytes are a False."""
    if key.kind is ProofKind.PASSKEY:
        return passkeys.is_proof(
            proof, key=key, person_id=custodian.person_id, challenge=hashlib.sha256(message).digest()
        )
    public = load_der_public_key(key.public_key)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    try:
        public.verify(proof, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def read_public_key(text: bytes) -> CustodianKey:
    """A P-256 public key from PEM, or DER SubjectPublicKeyInfo. Raises :class:`CustodianKeyRefused`."""
    try:
        public = (
            load_pem_public_key(text) if text.lstrip().startswith(b"-----") else load_der_public_key(text)
        )
    except (ValueError, UnsupportedAlgorithm):
        public = None
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
        raise CustodianKeyRefused(
            "a custodian's key is a public key on the curve P-256 (PEM): make one by "
            "`absah keys custodian new-key`"
        )
    # Encoded anew: the same key has one spelling, whatever point compression it came with.
    return CustodianKey(ProofKind.P256, public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


@dataclass(frozen=True, slots=True)
class Register:
    """All custodians. ``is_closed``: it had a quorum once, and changes only by approved requests since."""

    version: int = 0
    is_closed: bool = False
    custodians: tuple[Custodian, ...] = ()

    def find(self, name: str) -> Custodian | None:
        return next((one for one in self.custodians if one.name == name), None)

    def of_person(self, person_id: str) -> Custodian | None:
        """The custodian whose account this is."""
        return next((one for one in self.custodians if person_id and one.person_id == person_id), None)

    def is_free(self, required: int) -> bool:
        """Whether it changes without approvals: before the first quorum, or where nobody need approve."""
        return required == 0 or (not self.is_closed and len(self.custodians) < required)

    def content(self) -> str:
        """Canonical JSON: what custody seals."""
        value = {
            "type": "absah custodians v1",
            "version": self.version,
            "closed": self.is_closed,
            "custodians": [
                {
                    "name": one.name,
                    "person": one.person_id,
                    "account": one.account,
                    "keys": [
                        {
                            "kind": key.kind.value,
                            "public_key": encoded(key.public_key),
                            "credential": encoded(key.credential_id),
                        }
                        for key in one.keys
                    ],
                }
                for one in self.custodians
            ],
        }
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @classmethod
    def read(cls, content: str) -> Register:
        """The reverse of :meth:`content`, of content whose seal was found whole.

        Raises :class:`keys.errors.RegisterAltered` for a form of another release.
        """
        value = json.loads(content)
        if value.get("type") != "absah custodians v1":
            raise RegisterAltered("the register of custodians is in the form of another release: update")
        return cls(
            version=value["version"],
            is_closed=value["closed"],
            custodians=tuple(
                Custodian(
                    name=one["name"],
                    person_id=one["person"],
                    account=one["account"],
                    keys=tuple(
                        CustodianKey(
                            ProofKind(key["kind"]), decoded(key["public_key"]), decoded(key["credential"])
                        )
                        for key in one["keys"]
                    ),
                )
                for one in value["custodians"]
            ),
        )


class Change(StrEnum):
    """Changes of the register; the ``change`` of a request's parameters."""

    ADD = "add"
    REPLACE_KEY = "replace-key"  # all keys of one kind by one
    REMOVE = "remove"


def parameters_of(
    change: Change,
    custodian: str,
    *,
    key: CustodianKey | None = None,
    person_id: str = "",
    account: str = "",
    reason: str = "",
) -> dict[str, str]:
    """A change as the parameters of a request for it."""
    given = {"change": change.value, "custodian": custodian, "person": person_id, "account": account}
    if key is not None:
        given |= {
            "kind": key.kind.value,
            "public_key": encoded(key.public_key),
            "credential": encoded(key.credential_id),
        }
    return {name: value for name, value in (given | {"reason": reason}).items() if value}


def key_in(parameters: Mapping[str, str]) -> CustodianKey | None:
    """The key that a change brings. Raises :class:`CustodianKeyRefused`."""
    if "public_key" not in parameters:
        return None
    try:
        kind = ProofKind(parameters.get("kind", ""))
        public_key, credential = decoded(parameters["public_key"]), decoded(parameters.get("credential", ""))
    except (ValueError, binascii.Error):
        raise CustodianKeyRefused(
            "the key of a custodian is its kind (p256 or passkey) and its bytes in base64url: write both"
        ) from None
    if kind is ProofKind.PASSKEY:
        if not credential or not public_key:
            raise CustodianKeyRefused("a passkey has a credential id: give it with the public key")
        return CustodianKey(kind, public_key, credential)
    found = read_public_key(public_key)
    if credential or found.public_key != public_key:
        raise CustodianKeyRefused(
            "the key is not in the form of a plain SubjectPublicKeyInfo: encode it anew"
        )
    return found


def changed(register: Register, parameters: Mapping[str, str], *, required: int) -> Register:
    """The next version. Raises :class:`CustodiansChangeRefused` or :class:`CustodianKeyRefused`."""
    name = parameters["custodian"]
    try:
        change = Change(parameters["change"])
    except ValueError:
        raise CustodiansChangeRefused(
            f"there is no such change of custodians; there are {', '.join(Change)}"
        ) from None
    match change:
        case Change.ADD:
            custodians = _with(register, name, parameters)
        case Change.REPLACE_KEY:
            custodians = _rekeyed(register, name, parameters)
        case Change.REMOVE:
            custodians = _without(register, name, required)
    _require_distinct(custodians)
    closed = register.is_closed or (required > 0 and len(custodians) >= required)
    return Register(register.version + 1, closed, custodians)


def _with(register: Register, name: str, parameters: Mapping[str, str]) -> tuple[Custodian, ...]:
    if not NAME.fullmatch(name):
        raise CustodiansChangeRefused(
            "a custodian's name has 2 to 40 lower-case letters, digits and hyphens: choose another one"
        )
    if register.find(name) is not None:
        raise CustodiansChangeRefused(f"{name} is a custodian already: replace the key instead")
    if len(register.custodians) >= _MOST_CUSTODIANS:
        raise CustodiansChangeRefused(f"there are {_MOST_CUSTODIANS} custodians: remove one first")
    key = _key(parameters)
    custodian = Custodian(name, (key,), parameters.get("person", ""), parameters.get("account", ""))
    return (*register.custodians, custodian)


def _rekeyed(register: Register, name: str, parameters: Mapping[str, str]) -> tuple[Custodian, ...]:
    custodian, key = _existing(register, name), _key(parameters)
    kept = tuple(other for other in custodian.keys if other.kind is not key.kind)
    renewed = replace(
        custodian,
        keys=(*kept, key),
        person_id=parameters.get("person", "") or custodian.person_id,
        account=parameters.get("account", "") or custodian.account,
    )
    if custodian.person_id and renewed.person_id != custodian.person_id:
        raise CustodiansChangeRefused(
            f"{name} is another person's name: remove that custodian, and add the new one"
        )
    return tuple(renewed if one.name == name else one for one in register.custodians)


def _without(register: Register, name: str, required: int) -> tuple[Custodian, ...]:
    _existing(register, name)
    left = tuple(one for one in register.custodians if one.name != name)
    if register.is_closed and len(left) < required:
        raise CustodiansChangeRefused(
            f"{len(left)} custodians would be left, and {required} have to agree on every act: "
            "add another one first"
        )
    return left


def _key(parameters: Mapping[str, str]) -> CustodianKey:
    key = key_in(parameters)
    if key is None:
        raise CustodianKeyRefused("this change of custodians brings a key: give it")
    if key.kind is ProofKind.PASSKEY and not parameters.get("person"):
        raise CustodianKeyRefused("a passkey belongs to an account: name the person")
    return key


def _existing(register: Register, name: str) -> Custodian:
    found = register.find(name)
    if found is None:
        raise CustodiansChangeRefused(
            f"no custodian is called {name[:40]!r}: see `absah keys custodian list`"
        )
    return found


def _require_distinct(custodians: tuple[Custodian, ...]) -> None:
    """One person, one custodian: a second name for the same key or account would be a second vote."""
    keys = [key.id for one in custodians for key in one.keys]
    people = [one.person_id for one in custodians if one.person_id]
    if len(set(keys)) != len(keys):
        raise CustodiansChangeRefused("this key is a custodian's already: each has keys of their own")
    if len(set(people)) != len(people):
        raise CustodiansChangeRefused("this account is a custodian's already: a person is one custodian")


def encoded(value: bytes) -> str:
    """base64url without padding (RFC 4648, 5)."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Raises ``ValueError`` for anything but what :func:`encoded` makes."""
    value = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if encoded(value) != text:
        raise ValueError("more than one spelling")
    return value
