"""Where encrypted private keys rest on a machine without a database: one file each."""

from __future__ import annotations

import base64
import binascii
import json
import os
from pathlib import Path

from keys.errors import KeyUnavailable
from keys.stores.software import EncryptedKey

_LARGEST = 65536


class EncryptedKeyFolder:
    """Implements :class:`keys.stores.software.EncryptedKeys`. One process at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: EncryptedKey) -> None:
        """Raises ``FileExistsError``: a key is never overwritten."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = json.dumps(
            {
                "key_id": key.key_id,
                "kdf": key.kdf,
                **{
                    name: base64.b64encode(getattr(key, name)).decode()
                    for name in ("salt", "nonce", "ciphertext")
                },
            }
        )
        path = self._path(key.key_id)
        draft = path.with_suffix(".draft")
        draft.unlink(missing_ok=True)  # of a run that was interrupted
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike rename, fails when the target exists
        draft.unlink()
        synchronise(self._folder)

    def get(self, key_id: str) -> EncryptedKey | None:
        path = self._path(key_id)
        return _read(path) if path.exists() else None

    def sample(self, kdf: str) -> EncryptedKey | None:
        if not self._folder.is_dir():
            return None
        found = map(_read, sorted(self._folder.glob("*.key")))
        return next((key for key in found if key.kdf == kdf), None)

    def delete(self, key_id: str) -> None:
        self._path(key_id).unlink(missing_ok=True)

    def _path(self, key_id: str) -> Path:
        return self._folder / f"{key_id}.key"


def _read(path: Path) -> EncryptedKey:
    try:
        with path.open("rb") as file:
            fields = json.loads(file.read(_LARGEST))
        return EncryptedKey(
            fields["key_id"],
            fields["kdf"],
            *(base64.b64decode(fields[name], validate=True) for name in ("salt", "nonce", "ciphertext")),
        )
    except (OSError, ValueError, KeyError, TypeError, binascii.Error) as broken:
        raise KeyUnavailable(f"{path} is no encrypted key as it was written: bring the copy back") from broken


def synchronise(folder: Path) -> None:
    """Make what was created or renamed in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
