"""Each question leads to its own outcome; no two states blur."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from io import BytesIO

import pytest
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.signers.pdf_signer import PdfTimeStamper
from pyhanko.sign.timestamps import DummyTimeStamper
from sqlalchemy.exc import OperationalError

from keys.model import KeyAlgorithm
from signing.receipt import to_digits
from tests.signing.pki import certify, hierarchy
from tests.signing.test_earlier_signatures import signed_by
from tests.support.clock import FrozenClock
from tests.verify.documents import (
    HOST,
    LATER,
    Register,
    SealedDocument,
    claims_for,
    plain_pdf,
    seal,
    sealed,
    signed_receipt,
    trust,
)
from tests.verify.test_compromise import lists
from verify import any_shape
from verify.errors import UnknownDocument
from verify.findings import Limits
from verify.service import VerificationService
from verify.trust import TrustStore
from verify.verdict import CheckResult, Indication, Outcome, Reason, Verdict

DOWN = OperationalError("SELECT", {}, Exception("the database is not there"))


def test_an_issued_document_is_valid(service: VerificationService, document: SealedDocument) -> None:
    verdict = service.by_id(document.claims.document_id)
    assert verdict.outcome is Outcome.VALID
    assert verdict.reasons == (Reason.RECORD_ISSUED,)
    assert verdict.record == document.record()
    assert verdict.indication is None, "no signature was validated"


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ({"state": "superseded", "superseded_by": "X"}, Outcome.SUPERSEDED),
        ({"state": "revoked", "state_reason": "fraud"}, Outcome.REVOKED),
        ({"valid_until": date(2026, 11, 21)}, Outcome.EXPIRED),
        ({"is_sample": True}, Outcome.SAMPLE),
        ({"is_sample": True, "state": "revoked"}, Outcome.SAMPLE),
        ({"state": "revoked", "valid_until": date(2026, 11, 21)}, Outcome.REVOKED),
        ({"state": "a state of a newer release"}, Outcome.CANNOT_SAY),
    ],
)
def test_the_register_decides(
    service: VerificationService,
    register: Register,
    document: SealedDocument,
    values: dict[str, object],
    outcome: Outcome,
) -> None:
    register.change(document.claims.document_id, state_changed_at=LATER, **values)
    for verdict in (
        service.by_id(document.claims.document_id),
        service.by_link(document.link),
        service.by_receipt(document.receipt),
        service.by_file(BytesIO(document.content)),
        service.by_file(BytesIO(document.content), thorough=True),
    ):
        expected = outcome
        # A receipt that names another last day than the register is a forgery, not an expired document.
        if "valid_until" in values and verdict.receipt is not None:
            expected = Outcome.FILE_DIFFERS
        assert verdict.outcome is expected


def test_a_document_expires_when_its_last_day_ends_in_jakarta(
    service: VerificationService, register: Register, document: SealedDocument, clock: FrozenClock
) -> None:
    register.change(document.claims.document_id, valid_until=date(2026, 12, 31))
    clock.set(datetime(2026, 12, 31, 16, 59, 59, tzinfo=UTC))
    assert service.by_id(document.claims.document_id).outcome is Outcome.VALID
    clock.set(datetime(2026, 12, 31, 17, 0, tzinfo=UTC))
    verdict = service.by_id(document.claims.document_id)
    assert verdict.outcome is Outcome.EXPIRED
    assert verdict.since == clock()


@pytest.mark.parametrize("shown", ["0000-0000-0000-0000", "0000000000000000", "hello", "", "A" * 5000])
def test_an_id_that_nobody_issued_is_unknown(service: VerificationService, shown: str) -> None:
    with pytest.raises(UnknownDocument):
        service.by_id(shown)


def test_an_id_may_be_typed_as_people_type(service: VerificationService, document: SealedDocument) -> None:
    typed = document.claims.document_id.lower().replace("0", "o").replace("1", "l")
    assert service.by_id(f" {typed[:8]}-{typed[8:]} ").outcome is Outcome.VALID


def test_while_the_register_is_down_we_say_since_when_we_cannot_say(
    service: VerificationService, register: Register, document: SealedDocument, clock: FrozenClock
) -> None:
    assert service.by_id(document.claims.document_id).outcome is Outcome.VALID
    last = clock()
    clock.advance(timedelta(minutes=5))
    register.failure = DOWN
    for verdict in (
        service.by_id(document.claims.document_id),
        service.by_link(document.link),
        service.by_file(BytesIO(document.content)),
    ):
        assert verdict.outcome is Outcome.CANNOT_SAY
        assert verdict.since == last
        assert Reason.RECORDS_UNAVAILABLE in verdict.reasons


# --- receipts and links ---------------------------------------------------------------------------


def test_a_receipt_is_valid_offline_and_says_what_was_not_checked(
    offline: VerificationService, document: SealedDocument
) -> None:
    for verdict in (
        offline.by_link(document.link),
        offline.by_receipt(document.receipt),
        offline.by_text(to_digits(document.receipt)),
        offline.by_file(BytesIO(document.content)),
    ):
        assert verdict.outcome is Outcome.VALID
        assert Reason.STATUS_NOT_CHECKED in verdict.reasons
        assert verdict.receipt == document.claims
        assert _result(verdict, "current-status") is CheckResult.NOT_DONE


def test_an_expired_receipt_is_expired_offline(
    offline: VerificationService, document: SealedDocument, clock: FrozenClock
) -> None:
    clock.set(datetime(2031, 11, 21, 17, 0, tzinfo=UTC))
    assert offline.by_receipt(document.receipt).outcome is Outcome.EXPIRED


def test_the_receipt_of_one_document_at_the_address_of_another_differs(
    service: VerificationService, register: Register, document: SealedDocument
) -> None:
    other = claims_for(2)
    link = document.link.replace(document.claims.document_id, other.document_id)
    verdict = service.by_link(link)
    assert verdict.outcome is Outcome.FILE_DIFFERS
    assert verdict.reasons[0] is Reason.RECEIPT_ID_MISMATCH


def test_a_receipt_of_a_key_that_nobody_certified_has_an_unknown_issuer(
    offline: VerificationService, service: VerificationService
) -> None:
    stranger = certify("Orang Lain", issuer=None)
    for verifier in (offline, service):
        verdict = verifier.by_receipt(signed_receipt(claims_for(9), stranger))
        assert verdict.outcome is Outcome.UNKNOWN_ISSUER
        assert verdict.reasons == (Reason.RECEIPT_KEY_UNKNOWN,)
        assert verdict.receipt is None, "claims of strangers are not shown"


def test_a_seal_key_cannot_sign_receipts(clock: FrozenClock) -> None:
    seal_like = certify("Dinas Uji", issuer=hierarchy().issuing)
    known = trust()
    widened = type(known)(anchors=known.anchors, certificates=(*known.certificates, seal_like.certificate))
    verifier = VerificationService(
        documents=None, trust=lambda: widened, clock=clock, foreign=any_shape.validate
    )
    verdict = verifier.by_receipt(signed_receipt(claims_for(9), seal_like))
    assert verdict.outcome is Outcome.UNKNOWN_ISSUER


@pytest.mark.parametrize("position", [0, 1, 12, 40, 90, -64, -1])
def test_one_flipped_bit_in_a_receipt_is_never_valid(
    service: VerificationService, document: SealedDocument, position: int
) -> None:
    raw = bytearray(document.receipt)
    for bit in range(8):
        raw[position] ^= 1 << bit
        verdict = service.by_receipt(bytes(raw))
        assert verdict.outcome in {Outcome.FILE_DIFFERS, Outcome.UNREADABLE, Outcome.UNKNOWN_ISSUER}
        assert verdict.receipt is None
        raw[position] ^= 1 << bit
    assert service.by_receipt(bytes(raw)).outcome is Outcome.VALID


@pytest.mark.parametrize(
    "text", ["", "   ", "http://[", "1" * 5000, "0" * 100, "../../etc", "\x00", "٣" * 80]
)
def test_nonsense_is_unreadable(service: VerificationService, text: str) -> None:
    assert service.by_text(text).outcome is Outcome.UNREADABLE


def test_a_code_that_leads_to_a_foreign_host_is_never_valid(
    service: VerificationService, document: SealedDocument
) -> None:
    verdict = service.by_link(document.link.replace(HOST, f"{HOST}.verifikasi.example"))
    assert verdict.outcome is Outcome.FILE_DIFFERS
    assert verdict.reasons[0] is Reason.FOREIGN_ADDRESS


def test_a_receipt_that_the_register_does_not_know_is_never_valid(
    service: VerificationService, document: SealedDocument, register: Register
) -> None:
    register.records.clear()
    for verdict in (service.by_link(document.link), service.by_file(BytesIO(document.content))):
        assert verdict.outcome is Outcome.FILE_DIFFERS
        assert verdict.reasons[0] is Reason.NOT_IN_RECORDS


def test_a_receipt_that_says_other_than_the_register_differs(
    service: VerificationService, document: SealedDocument, register: Register
) -> None:
    register.change(document.claims.document_id, number="another number")
    verdict = service.by_link(document.link)
    assert verdict.outcome is Outcome.FILE_DIFFERS
    assert Reason.RECEIPT_DIFFERS_FROM_RECORD in verdict.reasons


# --- files ----------------------------------------------------------------------------------------


def test_our_own_bytes_are_known_by_their_hash(
    service: VerificationService, document: SealedDocument
) -> None:
    verdict = service.by_file(BytesIO(document.content))
    assert verdict.outcome is Outcome.VALID
    assert verdict.reasons[0] is Reason.FILE_IS_OURS
    assert verdict.file_sha256 == document.digest


def test_our_own_file_passes_the_full_way_too(service: VerificationService, document: SealedDocument) -> None:
    verdict = service.by_file(BytesIO(document.content), thorough=True)
    assert verdict.outcome is Outcome.VALID
    assert verdict.indication is Indication.TOTAL_PASSED
    (signature,) = verdict.signatures
    assert signature.time_is_proven
    assert signature.covers_whole_file
    assert signature.signer == "Dinas Uji"


def test_a_seal_with_the_receipt_of_another_source_differs(offline: VerificationService) -> None:
    swapped = seal(3, receipt_of=claims_for(3, source=b"what was really approved"))
    verdict = offline.by_file(BytesIO(swapped.content))
    assert verdict.outcome is Outcome.FILE_DIFFERS
    assert Reason.SOURCE_MISMATCH in verdict.reasons


def test_a_seal_without_a_receipt_is_never_valid_by_itself_because_a_stolen_key_makes_such_seals(
    offline: VerificationService, service: VerificationService, register: Register
) -> None:
    """With evidence of before the theft in it, so that nothing says anything against the key."""
    stolen = seal(4, with_receipt=False)
    verdict = offline.by_file(BytesIO(stolen.content))
    assert verdict.signatures[0].outcome is Outcome.VALID, "the seal itself is intact and its key looks good"
    assert verdict.outcome is Outcome.CANNOT_SAY
    assert verdict.reasons[0] is Reason.RECEIPT_MISSING
    careful = any_shape.validate(BytesIO(stolen.content), trust=trust(), now=LATER, limits=Limits())
    assert (careful.is_ours, careful.receipt) == (True, None)
    assert service.by_file(BytesIO(stolen.content)).outcome is Outcome.FILE_DIFFERS
    # The register speaks for a file as well as a receipt does.
    register.records[stolen.claims.document_id] = stolen.record()
    assert service.by_file(BytesIO(stolen.content), thorough=True).outcome is Outcome.VALID


def test_our_time_stamp_under_a_strangers_signature_makes_it_nobodys_document_of_ours(
    clock: FrozenClock, register: Register
) -> None:
    """Anybody may ask our unit for a time; who signed is then still somebody else."""
    root = certify("Akar lain", issuer=None, ca=True)
    signed = signed_by(certify("Penandatangan lain", issuer=root), plain_pdf())
    stamped = BytesIO(signed)
    unit = hierarchy(KeyAlgorithm.RSA_3072).unit
    assert isinstance(unit.key, RSAPrivateKey)
    key = unit.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    tsa = DummyTimeStamper(
        asn1_x509.Certificate.load(unit.encoded),
        asn1_keys.PrivateKeyInfo.load(key),
        fixed_dt=LATER - timedelta(minutes=1),
    )
    PdfTimeStamper(tsa).timestamp_pdf(IncrementalPdfFileWriter(stamped), "sha256", in_place=True)
    tree = hierarchy(KeyAlgorithm.RSA_3072)
    known = TrustStore(
        anchors=(tree.root.certificate,),
        certificates=(tree.issuing.certificate,),
        foreign_anchors=(root.certificate,),
        crls=(tree.revocation_list, lists(issuer=tree.issuing), lists(issuer=root)),
    )
    for documents in (None, register):
        verifier = VerificationService(
            documents=documents, trust=lambda: known, clock=clock, foreign=any_shape.validate
        )
        verdict = verifier.by_file(BytesIO(stamped.getvalue()))
        assert [one.outcome for one in verdict.signatures] == [Outcome.VALID] * 2, verdict
        assert verdict.outcome is Outcome.VALID


@pytest.mark.parametrize(
    ("content", "outcome", "reason"),
    [
        (b"", Outcome.UNREADABLE, Reason.FILE_EMPTY),
        (b"hello", Outcome.UNREADABLE, Reason.NOT_A_PDF),
        (b"%PDF-1.7\nrubbish", Outcome.UNREADABLE, Reason.FILE_DAMAGED),
        (b"\xff\xd8\xff" + b"rubbish" * 9, Outcome.UNREADABLE, Reason.PICTURE_UNREADABLE),
        (plain_pdf(), Outcome.NOT_SIGNED, Reason.NOT_SIGNED),
    ],
    ids=["empty", "text", "broken PDF", "broken picture", "PDF without a seal"],
)
def test_what_is_not_a_sealed_file_is_called_what_it_is(
    service: VerificationService, content: bytes, outcome: Outcome, reason: Reason
) -> None:
    verdict = service.by_file(BytesIO(content))
    assert (verdict.outcome, verdict.reasons) == (outcome, (reason,))


def test_a_document_sealed_under_a_strangers_root_has_an_unknown_issuer(clock: FrozenClock) -> None:
    elsewhere = certify("Akar Lain", issuer=None, ca=True)
    verifier = VerificationService(
        documents=None,
        trust=lambda: type(trust())(anchors=(elsewhere.certificate,)),
        clock=clock,
        foreign=any_shape.validate,
    )
    verdict = verifier.by_file(BytesIO(sealed().content))
    assert verdict.outcome is Outcome.UNKNOWN_ISSUER


def _result(verdict: Verdict, name: str) -> CheckResult:
    return next(check.result for check in verdict.checks if check.name == name)
