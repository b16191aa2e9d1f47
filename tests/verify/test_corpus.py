"""Files that nobody here made: attacks are never valid, signed ones are answered as others answer them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import enumerate_sig_fields
from pyhanko.sign.validation import DocumentSecurityStore, EmbeddedPdfSignature

from tests.support.needs import ROOT
from verify import any_shape
from verify.findings import Limits, PdfFindings, PdfUnreadable
from verify.pdf import validate_pdf
from verify.trust import TrustStore
from verify.verdict import Outcome, SignatureKind

CORPUS = ROOT.parent / "shared" / "corpus"
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
NOBODY = TrustStore(anchors=())

INTEGRITY_EXCEPTIONS = {
    "DSS-1683.pdf": "no signed attributes: the digest itself is signed and checks; DSS asks for attributes",
    "TestToSignPDFSHA256_TST_SIG_NOT_FOUND.pdf": "the facts are about a time stamp that is not attached",
    "dss-PLAIN-ECDSA_TeleSec_PKS_eIDAS_QES_CA_1-baseline-b.pdf": "plain ECDSA is not supported: cannot say",
    "pades-enveloping-empty-bytes-cms.pdf": "the CMS wraps no bytes: its value checks, its form is refused",
    "pades-two-sig-copied-tst.pdf": "the facts are about the time stamp that was copied to the second one",
    "pdf-double-signer-info.pdf": "two SignerInfos, where ISO 32000-2 12.8.3.3.1 allows one: refused",
    "pdf-with-two-empty-sigs.pdf": "DSS leaves out signatures without a value; here they are broken ones",
    "pkcs7_sha1.pdf": "adbe.pkcs7.sha1 is withdrawn and not computed: cannot say",
}
"""Where the facts of others and ours about integrity differ, and why."""


def manifest(kind: str) -> list[tuple[str, str]]:
    listing = CORPUS / "manifest.tsv"
    if not listing.exists():
        return []
    rows = [line.split("\t") for line in listing.read_text(encoding="utf-8").splitlines()[1:]]
    return [(row[0], row[2]) for row in rows if row[0].startswith(f"{kind}/")]


needs_corpus = pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not beside the project")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """pyHanko logs every oddity that it meets, with tracebacks."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def trusting_its_signer(path: Path) -> TrustStore:
    """The roots that the file itself brings along, or everything in it when there is none: the worst case."""
    certificates: list[x509.Certificate] = []
    try:
        with path.open("rb") as file:
            reader = PdfFileReader(file, strict=False)
            for name, _, field in enumerate_sig_fields(reader, filled_status=True):
                signature = EmbeddedPdfSignature(reader, field, name)
                certificates += _loaded(entry.chosen for entry in signature.signed_data["certificates"])
            certificates += _loaded(DocumentSecurityStore.read_dss(reader).load_certs())
    except Exception:  # noqa: BLE001 - whatever could be read until then is enough
        return TrustStore(anchors=tuple(certificates))
    roots = tuple(entry for entry in certificates if entry.issuer == entry.subject)
    return TrustStore(anchors=roots or tuple(certificates))


def _loaded(entries: object) -> Iterator[x509.Certificate]:
    for entry in entries:  # type: ignore[attr-defined]
        try:
            certificate = x509.load_der_x509_certificate(entry.dump())
            assert certificate.subject is not None
        except ValueError:
            continue
        yield certificate


def validate(path: Path, trust: TrustStore) -> PdfFindings | None:
    with path.open("rb") as file:
        try:
            return validate_pdf(file, trust=trust, now=NOW, limits=Limits(), foreign=any_shape.validate)
        except PdfUnreadable:
            return None


@needs_corpus
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name, _ in manifest("attacks")])
@pytest.mark.parametrize("trusted", [False, True], ids=["nobody trusted", "its signer trusted"])
def test_an_attack_is_reported_as_modified(name: str, trusted: bool) -> None:
    path = CORPUS / name
    findings = validate(path, trusting_its_signer(path) if trusted else NOBODY)
    assert findings is not None, "a broken file that was signed is called altered, not unreadable"
    assert any(finding.outcome is Outcome.FILE_DIFFERS for finding in findings.findings)


@needs_corpus
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "facts"), manifest("signed"))
def test_a_signed_file_is_answered_as_others_answer_it(name: str, facts: str) -> None:
    path = CORPUS / name
    findings = validate(path, trusting_its_signer(path))
    assert findings is not None
    assert findings.signatures
    if "intact=" not in facts:
        return
    ours = all(finding.intact for finding in findings.signatures if finding.kind is SignatureKind.SIGNATURE)
    theirs = "intact=F" not in facts and "valid=F" not in facts.replace("byterange_valid=F", "")
    assert (ours == theirs) != (path.name in INTEGRITY_EXCEPTIONS)


@needs_corpus
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name, _ in manifest("signed")])
def test_a_stranger_is_never_valid(name: str) -> None:
    findings = validate(CORPUS / name, NOBODY)
    assert findings is not None
    assert any(finding.outcome not in (None, Outcome.VALID) for finding in findings.findings)


@needs_corpus
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name, _ in manifest("unsigned")])
def test_an_unsigned_file_is_called_unsigned_or_unreadable(name: str) -> None:
    findings = validate(CORPUS / name, NOBODY)
    if findings is not None:
        outcomes = {finding.outcome for finding in findings.findings}
        assert outcomes & {
            Outcome.NOT_SIGNED,
            Outcome.UNKNOWN_ISSUER,
            Outcome.FILE_DIFFERS,
            Outcome.CANNOT_SAY,
        }
