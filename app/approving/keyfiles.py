"""Custodians' private keys: files of their own, encrypted, which the service never sees."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from ca import der
from keys.approvals import Decision, KeyRequest, Statement, Verdict
from keys.custodians import CustodianKey, read_public_key
from keys.errors import CustodianKeyRefused

SHORTEST_PASSPHRASE: Final = 15
"""Characters. The file may be copied, and then nothing slows down whoever guesses (SP 800-63B, 3.1.1.2)."""
_MOST_BYTES: Final = 64 * 1024
_BEGIN: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
_PBES2: Final = "1.2.840.113549.1.5.13"
_SCRYPT: Final = "1.3.6.1.4.1.11591.4.11"
_AES_256_CBC: Final = "2.16.840.1.101.3.4.1.42"
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**14, 8, 5


def make_key(path: Path, passphrase: str) -> CustodianKey:
    """Write a new P-256 key to ``path``, mode 0600, and its public half beside it (``.pub``).

    Nothing is overwritten. Raises :class:`keys.errors.CustodianKeyRefused` or ``OSError``.
    """
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise CustodianKeyRefused(
            f"The passphrase has fewer than {SHORTEST_PASSPHRASE} characters: lengthen it."
        )
    private = ec.generate_private_key(ec.SECP256R1())
    pem = _sealed(
        private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), passphrase.encode()
    )
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    # The public half first: a key file without it is the half that nobody could register.
    for file, content, mode in ((_public(path), public, 0o644), (path, pem, 0o600)):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
    return read_public_key(public)


def open_key(path: Path, passphrase: str) -> ec.EllipticCurvePrivateKey:
    """Raises :class:`keys.errors.CustodianKeyRefused` for a file that others can read, is not encrypted, does
    not open by the passphrase, or holds another kind of key; ``OSError`` for one that is not there.
    """
    with path.open("rb") as opened:
        if stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & 0o077:
            raise CustodianKeyRefused(
                f"{path} can be read by others: `chmod 600 {path}`, and think of who did."
            )
        content = opened.read(_MOST_BYTES)
    if _BEGIN not in content:
        raise CustodianKeyRefused(
            f"{path} is no encrypted private key (PKCS #8 PEM): make one by `absah keys custodian new-key`."
        )
    try:
        private = load_pem_private_key(content, passphrase.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CustodianKeyRefused(f"{path} does not open by this passphrase. Try again.") from None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise CustodianKeyRefused(
            f"{path} does not hold a P-256 key: make one by `absah keys custodian new-key`."
        )
    return private


def signed(
    private: ec.EllipticCurvePrivateKey, request: KeyRequest, verdict: Verdict, *, custodian: str
) -> Decision:
    """The custodian's decision on exactly this request."""
    statement = Statement(request.digest, verdict, custodian)
    return Decision(custodian, verdict, private.sign(statement.message(), ec.ECDSA(hashes.SHA256())))


def _sealed(pkcs8: bytes, passphrase: bytes) -> bytes:
    """EncryptedPrivateKeyInfo (RFC 5958, 3), PBES2 (RFC 8018, A.4) with scrypt (RFC 7914, 7) and AES-256.

    The library's own way stops at 2,048 rounds of PBKDF2, which a stolen file is not safe behind. These
    parameters are the strongest that OpenSSL reads with the memory that it allows itself.
    """
    salt, iv = os.urandom(16), os.urandom(16)
    key = Scrypt(salt, length=32, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P).derive(passphrase)
    padder, cipher = PKCS7(128).padder(), Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    encrypted = cipher.update(padder.update(pkcs8) + padder.finalize()) + cipher.finalize()
    costs = (der.integer(cost) for cost in (_SCRYPT_N, _SCRYPT_R, _SCRYPT_P))
    derivation = der.sequence(der.oid(_SCRYPT), der.sequence(der.octet_string(salt), *costs))
    scheme = der.sequence(der.oid(_AES_256_CBC), der.octet_string(iv))
    algorithm = der.sequence(der.oid(_PBES2), der.sequence(derivation, scheme))
    body = base64.b64encode(der.sequence(algorithm, der.octet_string(encrypted)))
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return b"\n".join((_BEGIN, *lines, b"-----END ENCRYPTED PRIVATE KEY-----", b""))


def _public(path: Path) -> Path:
    return path.with_name(f"{path.name}.pub")
