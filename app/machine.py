"""Examines what the service stands on: the machine, its settings, files, clock and devices."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import text

from app.citizens import breached_passwords
from app.clock import Clock, system_clock
from app.custody import store_of_purposes, wrapping_key
from app.database import Database
from app.errors import ApplicationError
from app.findings import Finding, Health
from app.settings import Settings
from app.storage import ObjectFiles
from app.timekeeping import build_clock_watch
from ca.errors import TimeNotAvailable
from ca.timestampers.remote import RemoteAuthority
from keys.model import SIGNATURE_ALGORITHMS, KeyAlgorithm, KeyPurpose
from keys.stores.pkcs11.store import Pkcs11KeyStore
from signing import fonts

_ROOM: Final = 1024**3
_SKEW: Final = timedelta(seconds=2)
"""Time-stamps promise an accuracy of a second; a clock further off than this makes them lie."""


def python_finding() -> Finding:
    found = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    return Finding(Health.OK, "python", found)


def settings_findings(settings: Settings) -> Iterator[Finding]:
    yield Finding(Health.OK, "settings", f"{settings.env}, data in {settings.home}")
    for words in settings.unsafe():
        cause, _, remedy = words.partition("; ")
        yield Finding(Health.WARNING, "settings", cause, f"Before production: {remedy}.")


def disk_finding(settings: Settings) -> Finding:
    settings_home = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(settings_home).free
    found = f"{free / 1024**3:.1f} GiB free"
    return Finding(Health.OK, "disk", found) if free > _ROOM else Finding(
        Health.WARNING, "disk", found, f"Make room on the disk of {settings.home}."
    )  # fmt: skip


def kek_finding(settings: Settings) -> Finding:
    path = settings.keys.passphrase_file or settings.kek_path
    if not path.exists():
        return Finding(Health.BROKEN, "key-encryption key", f"{path} is missing", "Run `absah init`.")
    wrapping_key(settings)
    mode = stat.S_IMODE(path.stat().st_mode)
    return Finding(Health.OK, "key-encryption key", f"{path}, mode {mode:04o}")


def breached_finding(settings: Settings) -> Finding:
    try:
        passwords = breached_passwords(settings)
    except ApplicationError as cause:
        found, _, remedy = str(cause).partition(". ")
        return Finding(Health.BROKEN, "breached passwords", found, remedy)
    assert passwords is not None
    return Finding(Health.OK, "breached passwords", f"{passwords.path}, about {passwords.estimate():,}")


def storage_finding(settings: Settings) -> Finding:
    ObjectFiles(settings.storage_url, settings.storage).ping()
    return Finding(Health.OK, "storage", settings.storage_url)


def font_finding() -> Finding:
    files = list(Path(fonts.__file__).parent.rglob("*.ttf"))
    if not files:
        return Finding(Health.BROKEN, "fonts", "the stamp's fonts are missing", "Install the package again.")
    return Finding(Health.OK, "fonts", f"{len(files)} files of the stamp")


def page_worker_finding() -> Finding:
    """pypdfium2 and pikepdf bring their own native libraries; a wrong platform shows only when they load."""
    probe = subprocess.run(
        [sys.executable, "-c", "import pypdfium2, pikepdf, zxingcpp"],
        capture_output=True,
        timeout=60,
        check=False,
        env=dict(os.environ),
    )
    if probe.returncode:
        return Finding(
            Health.BROKEN,
            "page worker",
            "the PDF libraries do not load",
            "Run `make run` to install them again.",
        )
    return Finding(Health.OK, "page worker", "PDF libraries load")


def workflow_finding(database: Database) -> Finding:
    from app.workflows import durable  # noqa: PLC0415 - only here, and half a second

    file = durable.system_file(database)
    where = f"schema {durable.SCHEMA}" if file is None else f"{file}, made when it is needed"
    if not durable.is_ready(database):
        return Finding(Health.BROKEN, "workflows", f"{where}: missing or outdated", "Run `absah init`.")
    return Finding(Health.OK, "workflows", where)


def clock_finding(settings: Settings, database: Database, *, clock: Clock = system_clock) -> Finding:
    watch = build_clock_watch(settings, database=database, clock=clock)
    if watch is not None:
        try:
            watch()
        except TimeNotAvailable as cause:
            found, _, remedy = str(cause).rpartition(": ")
            return Finding(Health.BROKEN, "clock", found, f"{remedy[:1].upper()}{remedy[1:]}.")
        state = watch.state()
        assert state is not None
        found = f"{state.offset:+.3f} s (± {state.uncertainty:.3f} s) from {state.source}"
        return Finding(Health.OK, "clock", found)
    with database.read() as tx:
        if database.is_sqlite:
            return Finding(
                Health.OK, "clock", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC (nothing to compare with)"
            )
        theirs = tx.execute(text("SELECT clock_timestamp()")).scalar_one()
    skew = abs(datetime.now(UTC) - theirs)
    found = f"{skew.total_seconds():.3f} s from the database's"
    if skew > _SKEW:
        return Finding(
            Health.BROKEN, "clock", found, "Synchronise both machines (chrony, systemd-timesyncd)."
        )
    return Finding(Health.OK, "clock", found)


def other_authority(authority: RemoteAuthority) -> Finding:
    """Asks it for a time-stamp over nothing in particular, as sealing does."""
    name = authority.breaker.name
    try:
        next(authority.units())
    except TimeNotAvailable as cause:
        found, _, remedy = str(cause).partition(": ")
        return Finding(Health.BROKEN, "time", f"{name}: {found}", f"{remedy or 'Ask its operator'}.")
    return Finding(Health.OK, "time", f"{name} stamps, and its certificates are good")


def token_finding(settings: Settings, token: Pkcs11KeyStore) -> Finding:
    wraps = store_of_purposes(settings)[KeyPurpose.WRAPPING] == token.name
    needed = tuple(KeyAlgorithm) if wraps else SIGNATURE_ALGORITHMS
    return Finding(Health.OK, "token", token.examine(needed))
