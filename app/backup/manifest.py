"""What a backup holds, so that it can be checked before anything is believed. Pure but for reading files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from app.errors import BackupInvalid

MANIFEST: Final = "manifest.json"
STAMP: Final = "manifest.tst"
"""A time-stamp (RFC 3161) over the manifest, where one was to be had."""
DATABASE: Final = {"sqlite": "database.sqlite3", "postgresql": "database.pgdump"}
DOCUMENTS: Final = "documents"
TRUST: Final = "trust"
_FORM: Final = 1
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class FileFact:
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """``head`` is that of the audit trail in the database. ``files`` are named relative to the folder."""

    made_at: datetime
    release: str
    revision: str
    database: str
    head: str
    files: Mapping[str, FileFact]

    def to_json(self) -> bytes:
        said = {
            "absah-backup": _FORM,
            "made_at": self.made_at.isoformat(),
            "release": self.release,
            "revision": self.revision,
            "database": self.database,
            "head": self.head,
            "files": {name: [fact.size, fact.sha256] for name, fact in sorted(self.files.items())},
        }
        return json.dumps(said, indent=1).encode() + b"\n"


def read_manifest(folder: Path) -> Manifest:
    """Raises :class:`app.errors.BackupInvalid`."""
    try:
        said = json.loads((folder / MANIFEST).read_bytes())
        if said["absah-backup"] != _FORM or said["database"] not in DATABASE:
            raise ValueError
        made_at = datetime.fromisoformat(said["made_at"])
        if made_at.tzinfo is None:
            raise ValueError
        files = {
            str(name): FileFact(int(size), str(digest)) for name, (size, digest) in said["files"].items()
        }
        return Manifest(
            made_at, str(said["release"]), str(said["revision"]), said["database"], str(said["head"]), files
        )
    except FileNotFoundError:
        raise BackupInvalid(str(folder), "it has no manifest: it was not finished, or is no backup") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as cause:
        raise BackupInvalid(str(folder), "its manifest is not one that this release can read") from cause


def check_files(folder: Path, manifest: Manifest) -> None:
    """Every file that the manifest names is there and whole. Raises :class:`app.errors.BackupInvalid`."""
    if DATABASE[manifest.database] not in manifest.files:
        raise BackupInvalid(str(folder), "it holds no database")
    for name, fact in manifest.files.items():
        path = folder / name
        if PurePosixPath(name).as_posix() != name or ".." in PurePosixPath(name).parts:
            raise BackupInvalid(str(folder), f"{name[:80]!r} is not how a backup names its files")
        if not path.resolve().is_relative_to(folder.resolve()):
            raise BackupInvalid(str(folder), f"{name[:80]!r} leads out of it")
        if not path.is_file():
            raise BackupInvalid(str(folder), f"{name} is missing")
        if fact_of(path) != fact:
            raise BackupInvalid(str(folder), f"{name} is not what was written")


def fact_of(path: Path) -> FileFact:
    with path.open("rb") as file:
        digest, size = hashlib.sha256(), 0
        for chunk in chunks(file):
            digest.update(chunk)
            size += len(chunk)
    return FileFact(size, digest.hexdigest())


def chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk
