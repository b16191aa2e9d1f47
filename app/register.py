"""What verification reads: released documents and the trust anchors. Key-free, for both processes."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from threading import Lock

import structlog
from cryptography import x509
from sqlalchemy import Connection

from app.remembered import Remembered
from ca.chains import doubt_about_certificate
from ca.doubts import Doubt, Stamp, standing_of
from ca.model import CertificateRecord, CrlRecord, ListScope, ProfileName
from ca.tables import Certificates, Crls, DistrustedUnits
from identity.ports import Begin
from signing.model import Release
from signing.tables import DocumentTable
from verify.errors import TrustFolderInvalid
from verify.trust import TrustStore, read_foreign_anchors, read_time_anchors

log = structlog.get_logger(__name__)

_Marks = tuple[tuple[str, str, int, int, int], ...]


class ReleasedDocuments:
    """Implements :class:`verify.ports.IssuedDocuments`. ``read`` opens read-only transactions.

    Documents are read anew for every question. What stands against a certificate is remembered for a moment:
    many documents share one.
    """

    def __init__(self, read: Begin, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._doubts: Remembered[Doubt | None] = Remembered(monotonic)

    def by_ids(self, ids: Sequence[str]) -> dict[str, Release]:
        with self._read() as tx:
            found = DocumentTable(tx).released(ids)
            return {document_id: self._judged(tx, release) for document_id, release in found.items()}

    def by_digest(self, sha256: bytes) -> Release | None:
        with self._read() as tx:
            found = DocumentTable(tx).released_by_digest(sha256)
            return None if found is None else self._judged(tx, found)

    def _judged(self, tx: Connection, release: Release) -> Release:
        """With what its seal is worth now."""
        by = release.sealed_by
        if by is None:
            return release
        seal, unit = self._doubt(tx, by.certificate), self._doubt(tx, by.unit)
        doubt = seal or unit
        if doubt is None:
            return release
        archived = DocumentTable(tx).archived(release.id)
        stamps = [Stamp(at, self._doubt(tx, digest)) for at, digest in archived]
        standing = standing_of(seal, [Stamp(by.stamped_at, unit), *stamps])
        return replace(release, seal=standing, doubted_since=doubt.since)

    def _doubt(self, tx: Connection, digest: bytes) -> Doubt | None:
        return self._doubts.get(digest, lambda: doubt_about_certificate(tx, digest))


@dataclass(frozen=True, slots=True)
class PublishedTrust:
    """What anybody may have of our hierarchy: roots, CAs and what links their keys, receipt signers, and the
    newest lists. ``distrusted`` are DER certificates of time-stamping units of others, by their SHA-256."""

    certificates: tuple[CertificateRecord, ...]
    crls: tuple[CrlRecord, ...]
    distrusted: Mapping[bytes, bytes] = field(default_factory=dict)

    @property
    def roots(self) -> tuple[CertificateRecord, ...]:
        return tuple(record for record in self.certificates if record.profile is ProfileName.ROOT)


_AUTHORITIES = (ProfileName.ROOT, ProfileName.SUPERIOR, ProfileName.ISSUING)
_PUBLISHED = (*_AUTHORITIES, ProfileName.CROSS, ProfileName.RECEIPT)


def read_published_trust(read: Begin) -> PublishedTrust:
    """Read it from the register, in one transaction."""
    with read() as tx:
        register = Certificates(tx)
        certificates = tuple(record for profile in _PUBLISHED for record in register.of_profile(profile))
        lists = (
            Crls(tx).latest(ListScope(record.name))
            for record in certificates
            if record.profile in _AUTHORITIES
        )
        newest = tuple(entry for entry in lists if entry is not None)
        return PublishedTrust(certificates, newest, DistrustedUnits(tx).all())


class RegisterTrust:
    """The trust store as the register has it, at most ``max_staleness`` seconds old.

    Call it for the store. ``folder`` may hold ``foreign/`` and ``time/``: anchors of others that the operator
    accepts, for everything and for time-stamps; what is put there or taken away counts as soon.
    """

    def __init__(
        self,
        read: Begin,
        folder: Path,
        *,
        max_staleness: float = 2.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._folder = folder
        self._max_staleness = max_staleness
        self._monotonic = monotonic
        self._lock = Lock()
        self._read_at = float("-inf")
        self._published: PublishedTrust | None = None
        self._marks: _Marks = ()
        self._store = TrustStore(anchors=())

    def __call__(self) -> TrustStore:
        with self._lock:
            if self._monotonic() - self._read_at >= self._max_staleness:
                self._renew(read_published_trust(self._read), _marks_of(self._folder))
                self._read_at = self._monotonic()
            return self._store

    def _renew(self, published: PublishedTrust, marks: _Marks) -> None:
        """Parsed again only when something changed, in the register or in the operator's folders.

        A file that is half copied is read again when it is whole; until then those before it stay.
        """
        if published == self._published and marks == self._marks:
            return
        try:
            foreign, time_anchors = read_foreign_anchors(self._folder), read_time_anchors(self._folder)
        except TrustFolderInvalid as cause:
            if self._published is None:
                raise
            log.error("trust_folder_invalid", problem=str(cause))
            foreign, time_anchors, marks = self._store.foreign_anchors, self._store.time_anchors, ()
        self._store = self._parsed(published, foreign, time_anchors)
        self._published, self._marks = published, marks

    def _parsed(
        self,
        published: PublishedTrust,
        foreign: tuple[x509.Certificate, ...],
        time_anchors: tuple[x509.Certificate, ...],
    ) -> TrustStore:
        parsed = {
            record.serial: x509.load_der_x509_certificate(record.der) for record in published.certificates
        }
        roots = {record.serial for record in published.roots}
        return TrustStore(
            anchors=tuple(parsed[serial] for serial in roots),
            certificates=tuple(entry for serial, entry in parsed.items() if serial not in roots),
            foreign_anchors=foreign,
            time_anchors=time_anchors,
            distrusted=tuple(map(x509.load_der_x509_certificate, published.distrusted.values())),
            crls=tuple(entry.der for entry in published.crls),
        )


def _marks_of(folder: Path) -> _Marks:
    """What changes when somebody puts an anchor of others there, replaces one or takes one away."""
    marks = []
    for name in ("foreign", "time"):
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder / name) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # taken away this very moment
                    stat = entry.stat()
                    marks.append((name, entry.name, stat.st_ino, stat.st_mtime_ns, stat.st_size))
    return tuple(sorted(marks))


def export_trust(published: PublishedTrust, folder: Path) -> datetime | None:
    """Write the trust folder that ``absah verify`` uses while the service is stopped.

    Returns when the first of its lists expires. Files are replaced one by one, each atomically; what the
    operator put beside them stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for record in published.certificates:
        _replace(folder / f"{record.name}.crt", record.der)
    for entry in published.crls:
        _replace(folder / f"{entry.issuer}.crl", entry.der)
    if published.distrusted:
        (folder / "distrusted").mkdir(exist_ok=True)
    for digest, certificate in published.distrusted.items():
        _replace(folder / "distrusted" / f"{digest.hex()}.crt", certificate)
    return min((entry.next_update for entry in published.crls), default=None)


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.draft")
    draft.write_bytes(content)
    draft.replace(path)
