"""What the tests of this slice share: a sealed document, the register that knows it, the service above."""

from __future__ import annotations

import pytest

from tests.support.clock import FrozenClock
from tests.verify.documents import HOST, LATER, Register, SealedDocument, sealed, trust
from verify import any_shape
from verify.service import VerificationService


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(LATER)


@pytest.fixture
def document() -> SealedDocument:
    return sealed()


@pytest.fixture
def register(document: SealedDocument) -> Register:
    return Register(document.record())


@pytest.fixture
def service(register: Register, clock: FrozenClock) -> VerificationService:
    return VerificationService(
        documents=register, trust=trust, clock=clock, foreign=any_shape.validate, official_hosts=[HOST]
    )


@pytest.fixture
def offline(clock: FrozenClock) -> VerificationService:
    """The same without a register, as beside a stopped service."""
    return VerificationService(documents=None, trust=trust, clock=clock, foreign=any_shape.validate)
