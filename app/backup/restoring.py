"""Putting a backup back, so that nothing that was used since is used twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Connection

from app import schema
from app.backup.dumps import load, name_revision
from app.backup.manifest import DATABASE, DOCUMENTS, TRUST, Manifest, check_files, read_manifest
from app.backup.survivors import Revoked, Survivors, read_survivors
from app.clock import Clock, system_clock
from app.custody import key_stores
from app.database import Database
from app.errors import BackupFailed, BackupInvalid
from app.provisioning import publish_trust
from app.settings import Settings
from app.wiring import Core, build_core
from ca.errors import CertificationError
from ca.model import COMPROMISES, CertificateRecord, CertificateStatus, ProfileName, RevocationReason
from ca.tables import Certificates, Crls
from identity.restored_tables import end_what_may_be_used_up
from keys.errors import KeyCustodyError, KeyUnavailable
from keys.model import KeyState

log = structlog.get_logger(__name__)

_LISTS_PER_SECOND: Final = 10
_MARGIN: Final = 1_000
_LARGEST: Final = 2**31 - 1
_TOTP_SECONDS: Final = 30
_TOTP_WINDOW: Final = 1
"""Steps that clocks may be apart: a code of the next one may have been used."""


@dataclass
class Restored:
    """What a restore did, for the person who answers for it."""

    manifest: Manifest
    ended: dict[str, int] = field(default_factory=dict)
    floors: dict[str, int] = field(default_factory=dict)
    revoked: list[str] = field(default_factory=list)
    suspended: list[str] = field(default_factory=list)
    unknown_serials: int = 0
    strangers: list[str] = field(default_factory=list)
    not_published: list[str] = field(default_factory=list)
    documents: int = 0


def restore(
    settings: Settings,
    folder: Path,
    *,
    lists: Iterable[Path] = (),
    actor: str,
    closing: ExitStack,
    clock: Clock = system_clock,
) -> tuple[Core, Restored]:
    """Put the backup in ``folder`` into an empty database and an empty data directory.

    ``lists`` are folders with revocation lists that were published after the backup: a copy of
    ``/pki/*.crl``, or the trust folder of the machine that was lost.

    1. The backup is whole: every file is what the manifest says.
    2. Database and documents are put back. Nothing is overwritten. The database does not say yet which
       schema it has, so no process works with it, whatever happens from here on.
    3. The key-encryption key here opens the private keys in it.
    4. In one transaction: the schema's name and its migrations; what may have been used up since ends,
       approvals too; numbers that may have been used are taken for used; the audit entry.
    5. What the lists revoke is revoked again, as of then; keys that were lost are suspended.
    6. New lists are published, with numbers above every one that can have been used.

    Raises :class:`app.errors.BackupInvalid` or :class:`app.errors.BackupFailed`.
    """
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    database = Database.from_settings(settings)
    try:
        _require_fit(database, manifest)
        key_stores(settings, database)  # refuses here what opens no key at all: a file that is not there
        load(database, folder / DATABASE[manifest.database])
    finally:
        database.close()
    core = build_core(settings, closing=closing, clock=clock)
    _require_keys(core)
    done = Restored(manifest)
    done.documents = _put_documents(core, folder, manifest)
    _put_trust(core, folder, manifest)
    with core.database.read() as tx:
        authorities = _authorities(tx)
    survivors = read_survivors([*lists, settings.trust_dir], authorities)
    done.strangers = survivors.strangers
    with core.database.begin() as tx:
        _make_safe(tx, core, done, survivors, actor)
    _revoke_again(core, done, survivors, actor)
    _publish(core, done)
    core.anchors.witness()
    return core, done


def _require_fit(database: Database, manifest: Manifest) -> None:
    kind = "sqlite" if database.is_sqlite else "postgresql"
    if kind != manifest.database:
        raise BackupFailed(
            f"The backup is of {manifest.database}, and ABSAH_DATABASE_URL names {kind}: a backup goes back "
            "into the kind of database that it was taken from."
        )
    if manifest.revision not in schema.known():
        raise BackupInvalid("The backup", f"release {manifest.release} made it, which is newer than this one")


def _require_keys(core: Core) -> None:
    """Before anything is changed or said: with another key-encryption key this would be a service that signs
    nothing, and whose lists lapse. A token that is away is no reason, it may come back."""
    kept_here = [
        key for key in core.keys.list() if key.store == "software" and key.state is not KeyState.DESTROYED
    ]
    refused: KeyUnavailable | None = None
    for key in kept_here:
        try:
            core.keys.open_once(key.id)
        except KeyUnavailable as cause:
            refused = cause
        else:
            return
    if refused is not None:
        secret = core.settings.keys.passphrase_file or core.settings.kek_path
        raise BackupFailed(
            f"{secret} opens none of the {len(kept_here)} private keys in this backup: it is not the one "
            "of the service that was backed up. Put the right one there, empty the database, and begin again."
        ) from refused


def _put_documents(core: Core, folder: Path, manifest: Manifest) -> int:
    names = [name for name in manifest.files if name.startswith(f"{DOCUMENTS}/")]
    for name in names:
        with (folder / name).open("rb") as content:
            core.files.put(name.removeprefix(f"{DOCUMENTS}/"), content)
    return len(names)


def _put_trust(core: Core, folder: Path, manifest: Manifest) -> None:
    """Lists that survived on this machine are newer than those of the backup: they stay."""
    for name in manifest.files:
        target = core.settings.trust_dir / name.removeprefix(f"{TRUST}/")
        if name.startswith(f"{TRUST}/") and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, target)


def _authorities(tx: Connection) -> list[CertificateRecord]:
    register = Certificates(tx)
    return [*register.of_profile(ProfileName.ROOT), *register.of_profile(ProfileName.ISSUING)]


def _make_safe(tx: Connection, core: Core, done: Restored, survivors: Survivors, actor: str) -> None:
    name_revision(tx, done.manifest.revision)
    schema.upgrade_within(tx)
    now = core.clock()
    step = int(now.timestamp()) // _TOTP_SECONDS + _TOTP_WINDOW
    done.ended = end_what_may_be_used_up(tx, now=now, time_step=step)
    lists = Crls(tx)
    issued = lists.last_numbers()
    for name in sorted(issued.keys() | survivors.numbers.keys()):
        floor = floor_of(issued.get(name, 0), survivors.numbers.get(name, 0), now - done.manifest.made_at)
        lists.raise_floor(name, floor)
        done.floors[name] = floor
    core.audit.append(
        tx,
        action="service.restored",
        actor=actor,
        subject=done.manifest.made_at.isoformat(),
        facts={"head": done.manifest.head, "release": done.manifest.release},
    )
    done.ended["requests for acts on keys"] = core.dual_control.end_restored(tx, actor=actor)


def floor_of(known: int, seen: int, gone: timedelta) -> int:
    """The number above which the next list is issued: nobody issues more than ten lists of one kind a second,
    day and night."""
    possible = known + _MARGIN + int(max(gone, timedelta(0)).total_seconds()) * _LISTS_PER_SECOND
    return min(max(possible, seen), _LARGEST - _MARGIN)


def _revoke_again(core: Core, done: Restored, survivors: Survivors, actor: str) -> None:
    for said in survivors.revoked.values():
        with core.database.begin() as tx:
            register = Certificates(tx)
            record = register.by_serial(said.serial)
            if record is None:
                done.unknown_serials += 1
                continue
            if record.status is CertificateStatus.REVOKED:
                continue
            _set_revoked(tx, core, record, said, actor)
        done.revoked.append(record.name)
        key = core.keys.get(record.key_id)
        if said.reason in COMPROMISES and key.state is KeyState.ACTIVE:
            core.keys.suspend(key.id, actor=actor, reason="its certificate was revoked after the backup")
            done.suspended.append(key.id)


def _set_revoked(tx: Connection, core: Core, record: CertificateRecord, said: Revoked, actor: str) -> None:
    hold = said.reason is RevocationReason.CERTIFICATE_HOLD
    status = CertificateStatus.ON_HOLD if hold else CertificateStatus.REVOKED
    Certificates(tx).set_status(
        record.serial,
        was=record,
        at=core.clock(),
        status=status,
        revoked_at=said.at,
        reason=said.reason,
        invalidity_date=said.invalidity_date,
    )
    facts = {"from": record.status.value, "to": status.value, "reason": said.reason.name.lower()}
    core.audit.append(tx, action="certificate.status", actor=actor, subject=f"{record.serial:x}", facts=facts)


def _publish(core: Core, done: Restored) -> None:
    """A CA whose key is elsewhere, as that of an offline root, publishes its list by its own way."""
    for name in done.floors:
        try:
            core.revocation.lists.issue(name)
        except (CertificationError, KeyCustodyError) as cause:
            done.not_published.append(name)
            log.warning("list_not_published", list=name, error=type(cause).__name__)
    if not done.not_published:
        publish_trust(core)
