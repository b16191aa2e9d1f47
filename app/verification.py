"""The verification service from settings: for both HTTP processes and for the command line. Key-free."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from app.clock import Clock
from app.settings import Settings
from verify.findings import Limits
from verify.ports import IssuedDocuments
from verify.service import VerificationService
from verify.trust import TrustStore


def verification_service(
    settings: Settings,
    *,
    released: IssuedDocuments | None,
    trust: Callable[[], TrustStore],
    clock: Clock,
) -> VerificationService:
    """With ``released`` None it works from signatures alone: `absah verify` beside a stopped service."""
    return VerificationService(
        documents=released,
        trust=trust,
        clock=clock,
        official_hosts=[urlsplit(settings.public_url).hostname or ""],
        limits=Limits(max_bytes=settings.verify.max_bytes),
    )
