"""The key-encryption key: from a file, or stretched from a passphrase in a file.

Either file is refused when group or others can read it: a private key at rest is worth as much as the
permissions of the file that opens it.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from pathlib import Path
from threading import Lock

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from keys.errors import KeyEncryptionKeyInvalid, KeyEncryptionKeyUnsafe

KEY_BYTES = 32
_LARGEST_FILE = 4096
_SHORTEST_PASSPHRASE = 16
# RFC 7914 parameters for a secret stretched once per process: 128 MiB and about 0.4 s.
_SCRYPT = "scrypt:17:8:1"


class KeyEncryptionKey:
    """32 bytes from a file, used as they are."""

    kdf = "none"

    def __init__(self, path: Path) -> None:
        """Raises :class:`keys.errors.KeyEncryptionKeyUnsafe` or ``KeyEncryptionKeyInvalid``."""
        try:
            key = base64.b64decode(read_secret(path).strip(), validate=True)
        except binascii.Error:
            key = b""
        if len(key) != KEY_BYTES:
            raise KeyEncryptionKeyInvalid(
                f"{path} does not hold {KEY_BYTES} bytes in base64: create it with `absah init`, "
                f"or with `openssl rand -base64 {KEY_BYTES}`"
            )
        self._key = key

    def new_salt(self) -> bytes:
        return b""

    def derive(self, kdf: str, salt: bytes) -> bytes:
        """The 32-byte AES key for a blob written with ``kdf`` and ``salt``."""
        if kdf != self.kdf or salt:
            raise KeyEncryptionKeyInvalid(
                f"the key was encrypted under a passphrase ({kdf}): "
                "configure the passphrase file, not a key file"
            )
        return self._key


class PassphraseKey:
    """A passphrase from a file, stretched with scrypt. Parameters and salt are stored beside each blob."""

    kdf = _SCRYPT

    def __init__(self, path: Path) -> None:
        """Raises :class:`keys.errors.KeyEncryptionKeyUnsafe` or ``KeyEncryptionKeyInvalid``."""
        self._passphrase = read_secret(path).rstrip(b"\r\n")
        if len(self._passphrase) < _SHORTEST_PASSPHRASE:
            raise KeyEncryptionKeyInvalid(
                f"{path} holds fewer than {_SHORTEST_PASSPHRASE} bytes: choose a passphrase of several words"
            )
        self._lock = Lock()
        self._derived: dict[bytes, bytes] = {}

    def new_salt(self) -> bytes:
        return secrets.token_bytes(16)

    def derive(self, kdf: str, salt: bytes) -> bytes:
        """The 32-byte AES key for a blob written with ``kdf`` and ``salt``; slow once per salt."""
        if kdf != self.kdf:
            raise KeyEncryptionKeyInvalid(
                f"the key was encrypted under {kdf!r}, this passphrase uses {self.kdf!r}: "
                "configure the key-encryption key that it was written with"
            )
        with self._lock:  # one derivation at a time: each takes 128 MiB
            if salt not in self._derived:
                log_n, r, p = (int(field) for field in kdf.split(":")[1:])
                stretched = Scrypt(salt=salt, length=KEY_BYTES, n=1 << log_n, r=r, p=p)
                self._derived[salt] = stretched.derive(self._passphrase)
            return self._derived[salt]


def create_key_encryption_key(path: Path) -> None:
    """Write 32 fresh random bytes in base64 to ``path``, mode 0600, whole or not at all.

    Raises ``FileExistsError`` when ``path`` exists: an overwritten key loses every private key under it.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike rename, fails when the target exists
    finally:
        draft.unlink()
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read_secret(path: Path) -> bytes:
    """The bytes of a file that only its owner may use: a key, a passphrase, a PIN.

    Raises :class:`keys.errors.KeyEncryptionKeyUnsafe` or ``KeyEncryptionKeyInvalid``.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode  # of the open file: nobody can swap it in between
            content = file.read(_LARGEST_FILE + 1)
    except OSError as unreadable:
        raise KeyEncryptionKeyInvalid(
            f"{path} cannot be read ({unreadable.strerror}): check the path and its owner"
        ) from unreadable
    if stat.S_IMODE(mode) & 0o077:
        raise KeyEncryptionKeyUnsafe(
            f"{path} has mode {stat.S_IMODE(mode):04o}, so others than its owner can use it: "
            f"run `chmod 600 {path}`"
        )
    if len(content) > _LARGEST_FILE:
        raise KeyEncryptionKeyInvalid(f"{path} is larger than {_LARGEST_FILE} bytes: it is not a key file")
    return content
