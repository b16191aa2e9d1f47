"""The verification service from settings: for both HTTP processes and for the command line. Key-free."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from urllib.parse import urlsplit

from app.clock import Clock
from app.settings import Settings
from verify.confined import ConfinedValidator
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
    closing: ExitStack,
) -> VerificationService:
    """With ``released`` None it works from signatures alone: `absah verify` beside a stopped service.

    What is not of our own shape is validated in processes that start with the first such file and end
    with ``closing``.
    """
    foreign = ConfinedValidator()
    closing.callback(foreign.close)
    return VerificationService(
        documents=released,
        trust=trust,
        clock=clock,
        foreign=foreign,
        official_hosts=[urlsplit(settings.public_url).hostname or ""],
        limits=Limits(max_bytes=settings.verify.max_bytes),
    )
