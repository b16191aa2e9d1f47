"""A WebAuthn authenticator and its browser in software: real CBOR, COSE keys and signatures.

What an honest pair would decide is an attribute here, so that a test can make it lie.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Self

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass
class Credential:
    id: bytes
    key: PrivateKey
    rp_id: str
    user_handle: bytes
    count: int = 0


@dataclass
class SoftwareAuthenticator:
    """``create`` and ``get`` take a page's options and return what the page would post, both as JSON."""

    origin: str
    algorithm: int = -7
    verifies_user: bool = True
    user_is_present: bool = True
    counts: bool = True
    is_synchronised: bool = False
    sends_user_handle: bool = True
    cross_origin: bool = False
    attestation: str = "none"
    rp_id: str | None = None
    credentials: list[Credential] = field(default_factory=list)

    def create(self, options_json: str) -> str:
        """``navigator.credentials.create()``."""
        options = json.loads(options_json)
        assert self.algorithm in [offered["alg"] for offered in options["pubKeyCredParams"]]
        excluded = {decode(each["id"]) for each in options["excludeCredentials"]}
        assert not excluded & {credential.id for credential in self.credentials}, "it is registered already"
        credential = Credential(
            id=secrets.token_bytes(32),
            key=self._new_key(),
            rp_id=options["rp"]["id"],
            user_handle=decode(options["user"]["id"]),
        )
        self.credentials.append(credential)
        client_data = self._client_data("webauthn.create", options["challenge"])
        attested = (
            bytes(16)
            + len(credential.id).to_bytes(2)
            + credential.id
            + cbor2.dumps(cose_key(credential.key, self.algorithm))
        )
        authenticator_data = self._authenticator_data(credential, AT) + attested
        statement: dict[str, Any] = {}
        if self.attestation == "packed":  # self attestation: WebAuthn Level 3, 8.2
            signed = authenticator_data + hashlib.sha256(client_data).digest()
            statement = {"alg": self.algorithm, "sig": sign(credential.key, signed)}
        attestation = {"fmt": self.attestation, "attStmt": statement, "authData": authenticator_data}
        return self._posted(
            credential,
            clientDataJSON=encode(client_data),
            attestationObject=encode(cbor2.dumps(attestation)),
            transports=["internal", "hybrid"],
        )

    def get(self, options_json: str) -> str:
        """``navigator.credentials.get()`` with the first credential that fits."""
        options = json.loads(options_json)
        allowed = [decode(each["id"]) for each in options["allowCredentials"]]
        credential = next(
            each
            for each in self.credentials
            if each.rp_id == options["rpId"] and (not allowed or each.id in allowed)
        )
        credential.count += 1
        client_data = self._client_data("webauthn.get", options["challenge"])
        authenticator_data = self._authenticator_data(credential)
        signed = authenticator_data + hashlib.sha256(client_data).digest()
        handle = {"userHandle": encode(credential.user_handle)} if self.sends_user_handle else {}
        return self._posted(
            credential,
            clientDataJSON=encode(client_data),
            authenticatorData=encode(authenticator_data),
            signature=encode(sign(credential.key, signed)),
            **handle,
        )

    def copied(self) -> Self:
        """A clone that knows the same private keys, and counts on by itself."""
        return deepcopy(self, {id(each.key): each.key for each in self.credentials})

    def _new_key(self) -> PrivateKey:
        if self.algorithm == -8:
            return ed25519.Ed25519PrivateKey.generate()
        if self.algorithm == -257:
            return rsa.generate_private_key(65537, 2048)
        return ec.generate_private_key(ec.SECP256R1())

    def _client_data(self, kind: str, challenge: str) -> bytes:
        data = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.cross_origin}
        return json.dumps(data, separators=(",", ":")).encode()

    def _authenticator_data(self, credential: Credential, flags: int = 0) -> bytes:
        flags |= UP if self.user_is_present else 0
        flags |= UV if self.verifies_user else 0
        flags |= BE | BS if self.is_synchronised else 0
        rp_id = self.rp_id or credential.rp_id
        count = credential.count if self.counts else 0
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + count.to_bytes(4)

    def _posted(self, credential: Credential, **response: Any) -> str:
        identifier = encode(credential.id)
        return json.dumps(
            {
                "id": identifier,
                "rawId": identifier,
                "type": "public-key",
                "clientExtensionResults": {},
                "response": response,
            }
        )


def cose_key(key: PrivateKey, algorithm: int) -> dict[int, Any]:
    """RFC 9053, 7."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_numbers()
        size = (key.key_size + 7) // 8
        curve = {256: 1, 384: 2}[key.key_size]
        return {1: 2, 3: algorithm, -1: curve, -2: point.x.to_bytes(size), -3: point.y.to_bytes(size)}
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {1: 1, 3: algorithm, -1: 6, -2: key.public_key().public_bytes_raw()}
    numbers = key.public_key().public_numbers()
    return {1: 3, 3: algorithm, -1: numbers.n.to_bytes(key.key_size // 8), -2: numbers.e.to_bytes(3)}


def sign(key: PrivateKey, data: bytes) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(hashes.SHA256()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    return key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
