"""Puts the sealing of documents together: the register of them, the jobs, and sealing anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from app.audit import Audit
from app.clock import Clock
from app.custody import CertifiedIdentities, ReceiptKeys
from app.database import Database
from app.holders import AgencyReads
from app.settings import Settings
from app.storage import ObjectFiles
from identity.lookups.service import Lookups
from keys.service import KeyService
from signing.jobs import SealingJobs, SealingPolicy
from signing.ports import EvidenceSource, TimeStampers
from signing.register import DocumentRegister
from signing.resealing import Resealing
from signing.service import SealingService
from signing.source import PdfLimits


@dataclass(frozen=True, slots=True)
class Sealing:
    register: DocumentRegister
    service: SealingService
    resealing: Resealing


def build_sealing(
    settings: Settings,
    *,
    database: Database,
    clock: Clock,
    audit: Audit,
    files: ObjectFiles,
    keys: KeyService,
    identities: CertifiedIdentities,
    timestampers: TimeStampers,
    evidence: EvidenceSource,
    lookups: Lookups,
) -> Sealing:
    """Opens no key and asks no database."""
    register = DocumentRegister(
        begin=database.begin,
        read=database.read,
        clock=clock,
        audit=audit,
        files=files,
        public_url=settings.public_url,
        read_log=AgencyReads(lookups),
    )
    policy = SealingPolicy(
        lease=timedelta(seconds=settings.signing.lease_seconds),
        pdf_limits=PdfLimits(max_bytes=settings.signing.max_bytes, max_pages=settings.signing.max_pages),
    )
    jobs = SealingJobs(
        begin=database.begin,
        clock=clock,
        audit=audit,
        files=files,
        register=register,
        identities=identities,
        timestampers=timestampers,
        evidence=evidence,
        policy=policy,
    )
    service = SealingService(
        begin=database.begin,
        clock=clock,
        files=files,
        register=register,
        identities=identities,
        jobs=jobs,
        policy=policy,
    )
    resealing = Resealing(
        begin=database.begin,
        files=files,
        jobs=jobs,
        policy=policy,
        receipt_keys=ReceiptKeys(read=database.read, keys=keys),
    )
    return Sealing(register, service, resealing)
