"""Taking a backup while the service goes on."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from app import __version__, schema
from app.backup.dumps import dump
from app.backup.manifest import DATABASE, DOCUMENTS, MANIFEST, STAMP, TRUST, FileFact, Manifest, fact_of
from app.errors import BackupFailed
from app.wiring import Core
from ca.errors import TimeNotAvailable

_FOLDERS = ("sealed/", "pending/")


@dataclass(frozen=True, slots=True)
class Taken:
    manifest: Manifest
    documents: int
    is_stamped: bool


def take(core: Core, folder: Path, *, with_documents: bool = True) -> Taken:
    """Write a backup into ``folder``, which must be new or empty. Without a manifest it is none.

    1. The database, in one snapshot. Private keys of the software store are in it, encrypted; the
       key-encryption key is not, and must be kept apart: whoever has both has the keys.
    2. Documents, after the database: objects are written before the rows that name them, and never changed,
       so every row finds its file.
    3. The trust folder.
    4. The manifest, and a time-stamp over it.

    Raises :class:`app.errors.BackupFailed`.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(folder.iterdir()):
        raise BackupFailed(f"{folder} is not empty. Give every backup a folder of its own.")
    core.anchors.witness()
    made_at = core.clock()
    kind = "sqlite" if core.database.is_sqlite else "postgresql"
    files: dict[str, FileFact] = {}
    head = dump(core.database, core.audit, folder / DATABASE[kind])
    files[DATABASE[kind]] = fact_of(folder / DATABASE[kind])
    documents = _copy_documents(core, folder, files) if with_documents else 0
    for path in sorted(entry for entry in core.settings.trust_dir.rglob("*") if entry.is_file()):
        name = f"{TRUST}/{path.relative_to(core.settings.trust_dir).as_posix()}"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
        files[name] = fact_of(folder / name)
    manifest = Manifest(made_at, __version__, schema.head(), kind, str(head), files)
    written = manifest.to_json()
    (folder / MANIFEST).write_bytes(written)
    return Taken(manifest, documents, _stamp(core, written, folder / STAMP))


def _copy_documents(core: Core, folder: Path, files: dict[str, FileFact]) -> int:
    count = 0
    for place in _FOLDERS:
        for stored in core.files.under(place):
            target = folder / DOCUMENTS / stored.key
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with core.files.open(stored.key) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
            except FileNotFoundError:  # sealed meanwhile, and its source thrown away
                target.unlink(missing_ok=True)
                continue
            files[f"{DOCUMENTS}/{stored.key}"] = fact_of(target)
            count += 1
    return count


def _stamp(core: Core, written: bytes, target: Path) -> bool:
    try:
        target.write_bytes(core.tsa.token(hashlib.sha256(written).digest()))
    except TimeNotAvailable:
        return False
    return True
