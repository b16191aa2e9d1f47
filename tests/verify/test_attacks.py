"""No forgery of a sealed file is ever valid, whichever way it is validated and whoever is trusted."""

from __future__ import annotations

import random
import zlib
from io import BytesIO

import pytest

from tests.verify.attacks import ATTACKS, Attack, byte_range
from tests.verify.documents import LATER, SealedDocument, trust
from verify import any_shape, own_shape
from verify.findings import Limits, PdfFindings, PdfUnreadable
from verify.service import VerificationService
from verify.verdict import Outcome, Reason, worst


def outcome_of(findings: PdfFindings) -> Outcome:
    forced = [finding.outcome for finding in findings.findings if finding.outcome is not None]
    return worst(forced) if forced else Outcome.VALID


def by_any_shape(content: bytes) -> Outcome:
    try:
        return outcome_of(any_shape.validate(BytesIO(content), trust=trust(), now=LATER, limits=Limits()))
    except PdfUnreadable:
        return Outcome.UNREADABLE


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_forgery_is_reported_as_such(
    attack: Attack, document: SealedDocument, service: VerificationService, offline: VerificationService
) -> None:
    forged = attack(document.content)
    assert forged != document.content
    for verifier in (service, offline):
        verdict = verifier.by_file(BytesIO(forged))
        assert verdict.outcome in {Outcome.FILE_DIFFERS, Outcome.NOT_SIGNED}
        assert verdict.outcome is Outcome.FILE_DIFFERS or attack.__name__ == "removed_seal"
        assert verdict.record is None or verdict.outcome is not Outcome.VALID


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_the_fast_way_leaves_every_forgery_to_the_careful_one(
    attack: Attack, document: SealedDocument
) -> None:
    assert own_shape.validate(BytesIO(attack(document.content)), trust=trust(), now=LATER) is None


def test_both_ways_agree_on_the_genuine_file(document: SealedDocument) -> None:
    fast = own_shape.validate(BytesIO(document.content), trust=trust(), now=LATER)
    careful = any_shape.validate(BytesIO(document.content), trust=trust(), now=LATER, limits=Limits())
    assert fast is not None
    assert outcome_of(fast) is outcome_of(careful) is Outcome.VALID
    assert fast.receipt == careful.receipt == document.claims
    assert fast.is_ours
    assert careful.is_ours
    assert fast.signatures[0].signed_at == careful.signatures[0].signed_at


def test_one_flipped_bit_anywhere_makes_the_file_differ_with_and_without_the_register(
    document: SealedDocument, service: VerificationService, offline: VerificationService
) -> None:
    """Every region of the file, its structure and the signature's padding included, from a fixed seed."""
    draw = random.Random(1)
    _, before, after, _ = byte_range(document.content)
    signed = [position for position in range(0, len(document.content), 997) if not before <= position < after]
    inside = range(before, after, 131)
    for position in (*signed, *inside, before, before - 1, after - 1, after, len(document.content) - 1):
        forged = bytearray(document.content)
        forged[position] ^= 1 << draw.randrange(8)
        for verifier in (service, offline):
            verdict = verifier.by_file(BytesIO(bytes(forged)))
            assert verdict.outcome in {
                Outcome.FILE_DIFFERS,
                Outcome.UNREADABLE,
                Outcome.NOT_SIGNED,
            }, f"bit flipped at {position}: {verdict.outcome}"


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.soak)])
def test_no_other_digit_in_the_signature_value_is_valid_to_the_fast_way(
    document: SealedDocument, step: int
) -> None:
    """Hexadecimal digits all over the value, framing of certificates and of the token included."""
    draw = random.Random(2)
    _, before, after, _ = byte_range(document.content)
    for position in range(before + 1, after - 1, step):
        forged = bytearray(document.content)
        forged[position] = draw.choice([digit for digit in b"0123456789abcdef" if digit != forged[position]])
        found = own_shape.validate(BytesIO(bytes(forged)), trust=trust(), now=LATER)
        assert found is None or outcome_of(found) is Outcome.FILE_DIFFERS, f"digit changed at {position}"


def test_the_signature_value_in_other_letters_is_another_file(
    document: SealedDocument, offline: VerificationService
) -> None:
    _, before, after, _ = byte_range(document.content)
    hole = document.content[before:after]
    forged = document.content[:before] + hole.upper() + document.content[after:]
    assert forged != document.content
    assert offline.by_file(BytesIO(forged)).outcome is Outcome.FILE_DIFFERS


def test_a_stranger_who_seals_our_sealed_file_is_not_us(document: SealedDocument) -> None:
    verdict = by_any_shape(document.content + document.content[-1200:])
    assert verdict is Outcome.FILE_DIFFERS


@pytest.mark.parametrize("length", [0, 1, 5, 9, 100, 1000, 5000, 30000])
def test_a_truncated_file_is_never_valid(
    document: SealedDocument, service: VerificationService, length: int
) -> None:
    outcome = service.by_file(BytesIO(document.content[:length])).outcome
    assert outcome in {Outcome.UNREADABLE, Outcome.FILE_DIFFERS, Outcome.NOT_SIGNED}


def test_a_decompression_bomb_is_refused_within_limits(service: VerificationService) -> None:
    bomb = zlib.compress(bytes(300_000_000), 9)
    body = (
        b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    )
    start = len(body)
    xref = b"3 0 obj<</Type/XRef/Size 4/W[1 8 1]/Root 1 0 R/Filter/FlateDecode/Length %d>>stream\n" % len(
        bomb
    )
    content = body + xref + bomb + b"\nendstream endobj\nstartxref\n%d\n%%%%EOF\n" % start
    verdict = service.by_file(BytesIO(content))
    assert verdict.outcome is Outcome.UNREADABLE
    assert verdict.reasons[0] in {Reason.LIMIT_EXCEEDED, Reason.FILE_DAMAGED}
