"""A whole hierarchy on a real database under a clock that only the test moves."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca import tables as ca_tables
from ca.hierarchy import Hierarchy
from ca.model import CertificateRecord, CertificationConfig, ProfileName
from ca.revocation import Revocation
from ca.tables import Certificates
from ca.timestamping import TimeStampingAuthority
from keys import tables as key_tables
from keys.service import KeyService
from keys.stores.kek import KeyEncryptionKey, create_key_encryption_key
from keys.stores.software import SoftwareKeyStore
from tests.keys.conftest import AuditInTable, audit_metadata
from tests.support.clock import FrozenClock
from tests.support.databases import Begin, opened, tables_in
from tests.support.needs import tool_path

CONFIG = CertificationConfig(base_url="http://pki.absah.go.id")


@dataclass
class Ticks:
    """The monotonic clock in seconds: caches age only when a test says so."""

    value: float = 100.0

    def __call__(self) -> float:
        return self.value


@dataclass
class Pki:
    """What the tests of this slice stand on: services over one database."""

    begin: Begin
    clock: FrozenClock
    folder: Path
    ticks: Ticks = field(default_factory=Ticks)
    config: CertificationConfig = CONFIG
    keys: KeyService = field(init=False)
    hierarchy: Hierarchy = field(init=False)
    tsa: TimeStampingAuthority = field(init=False)
    revocation: Revocation = field(init=False)
    audit: AuditInTable = field(default_factory=AuditInTable)

    def __post_init__(self) -> None:
        kek = self.folder / "kek"
        if not kek.exists():
            create_key_encryption_key(kek)
        store = SoftwareKeyStore(
            encrypted_keys=key_tables.EncryptedKeyTable(self.begin), kek=KeyEncryptionKey(kek)
        )
        self.keys = KeyService(
            begin=self.begin,
            stores={"software": store},
            clock=self.clock,
            audit=self.audit,
            monotonic=self.ticks,
        )
        self.hierarchy = Hierarchy(
            begin=self.begin, keys=self.keys, clock=self.clock, audit=self.audit, config=self.config
        )
        self.tsa = TimeStampingAuthority(
            begin=self.begin, keys=self.keys, clock=self.clock, config=self.config, monotonic=self.ticks
        )
        self.revocation = Revocation(
            begin=self.begin,
            keys=self.keys,
            clock=self.clock,
            audit=self.audit,
            config=self.config,
            monotonic=self.ticks,
        )

    def restarted(self) -> Pki:
        """The same deployment as another process would open it."""
        return Pki(self.begin, self.clock, self.folder, self.ticks, self.config)

    def record(self, profile: ProfileName, owner: str = "") -> CertificateRecord:
        """The newest good one. The responder is that of the first issuing CA unless another is named."""
        if profile is ProfileName.OCSP:
            owner = owner or "issuing-1"
        with self.begin() as tx:
            record = Certificates(tx).newest_good(profile, owner)
        assert record is not None
        return record

    def certificate(self, profile: ProfileName, owner: str = "") -> x509.Certificate:
        return x509.load_der_x509_certificate(self.record(profile, owner).der)

    def pem(self, profile: ProfileName, owner: str = "") -> Path:
        path = self.folder / f"{profile}.pem"
        path.write_bytes(self.certificate(profile, owner).public_bytes(Encoding.PEM))
        return path

    def seal(self, agency: str = "dpmptsp") -> CertificateRecord:
        return self.hierarchy.certify_seal(
            agency,
            organisation="Dinas Penanaman Modal Contoh",
            organization_identifier="NTRID-8120001234567",
        )


def make_pki(begin: Begin, clock: FrozenClock, folder: Path) -> Pki:
    return Pki(begin, clock, folder)


@pytest.fixture
def empty_pki(begin_with: Callable[..., Begin], clock: FrozenClock, tmp_path: Path) -> Pki:
    """No hierarchy yet; runs on SQLite and on PostgreSQL."""
    begin = begin_with(key_tables.metadata, ca_tables.metadata, audit_metadata)
    return make_pki(begin, clock, tmp_path)


@pytest.fixture(scope="session")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Database and key-encryption key of :func:`pki`: made once, copied for every test."""
    folder = tmp_path_factory.mktemp("pki")
    with tables_in(
        f"sqlite:///{folder / 'ca.db'}", key_tables.metadata, ca_tables.metadata, audit_metadata
    ) as begin:
        made = make_pki(begin, FrozenClock(), folder)
        made.hierarchy.init()
        made.seal()
    return folder


@pytest.fixture
def pki(settled: Path, clock: FrozenClock, tmp_path: Path) -> Iterator[Pki]:
    """The development hierarchy and one agency's seal, on SQLite."""
    for name in ("ca.db", "kek"):
        shutil.copy2(settled / name, tmp_path / name)
    with opened(f"sqlite:///{tmp_path / 'ca.db'}") as begin:
        yield make_pki(begin, clock, tmp_path)


def run(*command: str | Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    """Run a judge and return what it said; the caller decides."""
    name, *arguments = map(str, command)
    done = subprocess.run(
        [tool_path(name), *arguments], input=stdin, capture_output=True, timeout=60, check=False
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )
