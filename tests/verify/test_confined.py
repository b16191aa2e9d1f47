"""Strangers' files are validated in a process that can be stopped."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from tests.verify.attacks import bytes_behind
from tests.verify.documents import LATER, SealedDocument, plain_pdf, trust
from verify import any_shape
from verify.confined import ConfinedValidator
from verify.findings import Limits, PdfUnreadable
from verify.verdict import Reason


@pytest.fixture(scope="module")
def confined() -> Iterator[ConfinedValidator]:
    validator = ConfinedValidator(workers=1)
    yield validator
    validator.close()


def test_it_finds_what_is_found_in_process(
    confined: ConfinedValidator, document: SealedDocument, tmp_path: Path
) -> None:
    for content in (document.content, bytes_behind(document.content), plain_pdf()):
        stored = tmp_path / "stored.pdf"
        stored.write_bytes(content)
        here = any_shape.validate(BytesIO(content), trust=trust(), now=LATER, limits=Limits())
        assert confined(BytesIO(content), trust=trust(), now=LATER, limits=Limits()) == here
        with stored.open("rb") as file:
            assert confined(file, trust=trust(), now=LATER, limits=Limits()) == here


def test_a_broken_file_is_unreadable_there_too(confined: ConfinedValidator) -> None:
    with pytest.raises(PdfUnreadable) as refusal:
        confined(BytesIO(b"%PDF-1.7 rubbish"), trust=trust(), now=LATER, limits=Limits())
    assert refusal.value.reason is Reason.FILE_DAMAGED


def test_a_file_that_takes_too_long_is_given_up_and_the_next_is_answered(document: SealedDocument) -> None:
    impatient = ConfinedValidator(workers=1)
    try:
        with pytest.raises(PdfUnreadable) as refusal:
            impatient(BytesIO(document.content), trust=trust(), now=LATER, limits=Limits(seconds=0.05))
        assert refusal.value.reason is Reason.LIMIT_EXCEEDED
        answered = impatient(BytesIO(document.content), trust=trust(), now=LATER, limits=Limits())
        assert answered.is_ours
    finally:
        impatient.close()
