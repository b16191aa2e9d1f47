"""Sealed documents to verify: made by the real sealing code, under a small hierarchy with a frozen clock."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from io import BytesIO

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID
from reportlab.pdfgen.canvas import Canvas

from ca.model import RECEIPT_SIGNING_USAGE
from signing import receipt
from signing.ids import id_from_bytes
from signing.model import Release
from signing.pdf import prepare, seal_pdf
from signing.receipt import Receipt, key_id_of
from signing.stamp import StampText
from tests.signing.pki import NOW, Certified, TestTimeStamper, certify, hierarchy
from verify.trust import TrustStore

HOST = "absah.example.go.id"
SEALED_AT = NOW
LATER = NOW + timedelta(hours=1)


@cache
def receipt_authority() -> Certified:
    return certify(
        "Tanda Terima Uji",
        issuer=hierarchy().issuing,
        extended=x509.ObjectIdentifier(RECEIPT_SIGNING_USAGE),
    )


def with_addresses(certified: Certified, issuer: Certified) -> Certified:
    """The same key, certified with the address of an OCSP responder: pyHanko looks at responses only then."""
    certificate = certified.certificate
    builder = (
        x509.CertificateBuilder()
        .subject_name(certificate.subject)
        .issuer_name(certificate.issuer)
        .public_key(certificate.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(certificate.not_valid_before_utc)
        .not_valid_after(certificate.not_valid_after_utc)
    )
    for extension in certificate.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    address = x509.AccessDescription(
        AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier("http://pki.example.go.id/ocsp")
    )
    builder = builder.add_extension(x509.AuthorityInformationAccess([address]), critical=False)
    return Certified(certified.key, builder.sign(issuer.key, hashes.SHA256()))


@cache
def seal_certificate() -> Certified:
    return with_addresses(certify("Dinas Uji", issuer=hierarchy().issuing), hierarchy().issuing)


@cache
def unit() -> Certified:
    return with_addresses(hierarchy().unit, hierarchy().issuing)


@cache
def trust() -> TrustStore:
    tree = hierarchy()
    return TrustStore(
        anchors=(tree.root.certificate,),
        certificates=(tree.issuing.certificate, receipt_authority().certificate),
    )


def claims_for(number: int = 1, *, source: bytes = b"") -> Receipt:
    return Receipt(
        issuer="Dinas Penanaman Modal Kota Uji",
        document_id=id_from_bytes(hashlib.sha256(b"document %d" % number).digest()[:10]),
        type_number=1,
        number=f"503/{number:04}/DPM/2026",
        holder="S*** R******",
        issued_on=date(2026, 11, 22),
        valid_until=date(2031, 11, 21),
        status_index=number,
        source_digest=hashlib.sha256(source).digest(),
    )


def signed_receipt(claims: Receipt, authority: Certified | None = None) -> bytes:
    authority = authority or receipt_authority()
    key = authority.certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return receipt.encode(claims, key_id=key_id_of(key), sign=authority.sign)


@cache
def plain_pdf(text: str = "Surat Izin Usaha") -> bytes:
    out = BytesIO()
    canvas = Canvas(out, invariant=True)
    for page in (1, 2):
        canvas.drawString(72, 700, f"{text}, halaman {page}")
        canvas.showPage()
    canvas.save()
    return out.getvalue()


@dataclass(frozen=True)
class SealedDocument:
    content: bytes
    claims: Receipt
    receipt: bytes
    link: str

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.content).digest()

    def record(self) -> Release:
        """The register's entry on this document."""
        return Release(
            id=self.claims.document_id,
            type="business_licence",
            number=self.claims.number,
            title="Izin usaha perdagangan eceran",
            holder=self.claims.holder,
            issuer=self.claims.issuer,
            signatory="Kepala Dinas",
            issued_on=self.claims.issued_on,
            valid_until=self.claims.valid_until,
            state="issued",
            is_sample=False,
            issued_at=SEALED_AT,
            state_changed_at=None,
            state_reason=None,
            superseded_by=None,
            sealed_digest=self.digest,
        )


def seal(
    number: int = 1,
    *,
    source: bytes | None = None,
    receipt_of: Receipt | None = None,
    with_receipt: bool = True,
) -> SealedDocument:
    """``receipt_of`` puts another document's claims into the seal; without ``with_receipt`` there are none,
    as in the seals of a thief, who lacks the key that signs receipts. Sealing itself does neither.
    """
    source = plain_pdf() if source is None else source
    claims = receipt_of or claims_for(number, source=source)
    encoded = signed_receipt(claims)
    link = receipt.link(f"https://{HOST}", claims.document_id, encoded)
    tree = hierarchy()
    identity = tree.identity(seal_certificate())
    target = BytesIO()
    with prepare(BytesIO(source)) as prepared:
        seal_pdf(
            source=prepared,
            target=target,
            stamp=StampText(
                issuer=claims.issuer,
                signatory="Kepala Dinas",
                issued_on=claims.issued_on,
                document_id=claims.document_id,
            ),
            link=link,
            receipt_digits=receipt.to_digits(encoded) if with_receipt else "",
            place=None,
            identity=identity,
            timestamper=TestTimeStamper(unit(), (tree.issuing.encoded, tree.root.encoded)),
            evidence=tree.evidence(seal_certificate().certificate, unit().certificate),
            at=SEALED_AT,
        )
    return SealedDocument(target.getvalue(), claims, encoded, link)


@cache
def sealed(number: int = 1) -> SealedDocument:
    return seal(number)


class Register:
    """The register as a dictionary; ``asked`` lists the queries, ``failure`` is raised instead."""

    def __init__(self, *records: Release) -> None:
        self.records = {record.id: record for record in records}
        self.asked: list[tuple[str, ...]] = []
        self.failure: Exception | None = None

    def by_ids(self, ids: list[str] | tuple[str, ...]) -> dict[str, Release]:
        self.asked.append(tuple(ids))
        if self.failure is not None:
            raise self.failure
        return {entry: self.records[entry] for entry in ids if entry in self.records}

    def by_digest(self, sha256: bytes) -> Release | None:
        if self.failure is not None:
            raise self.failure
        return next((entry for entry in self.records.values() if entry.sealed_digest == sha256), None)

    def change(self, document_id: str, **values: object) -> None:
        self.records[document_id] = replace(self.records[document_id], **values)  # type: ignore[arg-type]
