"""Trying a new key before anybody depends on it: it signs what is never released, and others verify that.

"Others" is a second stack wherever there is one: pyHanko for PDFs and time-stamps, the library
``cryptography`` for certificates, OCSP and lists, which share no code with what made them.
"""

from __future__ import annotations

import hashlib
import io
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from cryptography.x509 import ocsp as x509_ocsp

from app.rotation.errors import CanaryFailed
from app.rotation.model import Rotation
from ca import ocsp
from ca.algorithms import SIGNATURES
from ca.chains import chain_of
from ca.crl import build_crl
from ca.issuing import Issuer
from ca.model import CertificateRecord, CertificateStanding, CertificateStatus
from ca.tables import Certificates
from ca.timestamping import TimeStampingAuthority
from ca.trust import CertifiedUse, PathStatus, check_path
from keys.handle import KeyHandle
from keys.model import KeyAlgorithm, KeyPurpose, KeyRecord
from keys.ports import Begin, Clock
from keys.service import KeyService
from signing import receipt
from signing.errors import SigningError
from signing.ids import new_document_id
from signing.pdf import prepare, seal_pdf
from signing.ports import EvidenceSource, ReceiptSigner, SealingIdentity
from signing.stamp import StampText
from signing.types import document_type
from verify.findings import Limits, PdfUnreadable
from verify.trust import TrustStore
from verify.verdict import Outcome

# The second stack, pyHanko, is loaded when a canary is due: every command and every server would start later
# for what one process does a few times a year.

_VALIDITY = timedelta(hours=1)
NOTICED = 3.0
"""Seconds after which every process of ours knows a certificate that was published."""


@dataclass(frozen=True, slots=True)
class Canaries:
    """Implements :class:`app.rotation.service.Canary`. ``trust`` is asked anew each time."""

    read: Begin
    clock: Clock
    keys: KeyService
    tsa: TimeStampingAuthority
    evidence: EvidenceSource
    receipt_signer: Callable[[], ReceiptSigner]
    trust: Callable[[], TrustStore]
    public_url: str
    pause: Callable[[float], object] = time.sleep

    def __call__(self, rotation: Rotation, key: KeyRecord, certificate: CertificateRecord | None) -> str:
        if not key.algorithm.signs:
            if not self.keys.rehearse_wrapping(key.id, actor=rotation.id):
                raise CanaryFailed(f"{key.id} did not give back what it had wrapped: look at its store.")
            return "wrapped and unwrapped"
        handle = self.keys.rehearse(key.id, actor=rotation.id)
        self._sign_and_verify(handle)
        if certificate is None:
            return "signed, verified with the recorded public key"
        return self._certified(rotation, handle, certificate)

    def _certified(self, rotation: Rotation, handle: KeyHandle, certificate: CertificateRecord) -> str:
        chain = self._chain(certificate)
        match rotation.purpose:
            case KeyPurpose.SEAL:
                return self._seal(handle, chain)
            case KeyPurpose.TIMESTAMPING:
                return self._time_stamp(handle, certificate, chain)
            case KeyPurpose.RECEIPT:
                return self._receipt(handle, chain)
            case KeyPurpose.OCSP:
                return self._answer(handle, certificate, chain)
            case _:
                return self._list(handle, certificate, chain)

    def _chain(self, certificate: CertificateRecord) -> tuple[x509.Certificate, ...]:
        with self.read() as tx:
            encoded = chain_of(tx, certificate)
        chain = tuple(x509.load_der_x509_certificate(one) for one in encoded)
        for subject, issuer in zip(chain, (*chain[1:], chain[-1]), strict=True):
            try:
                subject.verify_directly_issued_by(issuer)
            except (ValueError, TypeError, InvalidSignature) as cause:
                raise CanaryFailed(
                    f"certificate {subject.serial_number:x} is not signed by the issuer that it names."
                ) from cause
        return chain

    def _require_path(self, chain: tuple[x509.Certificate, ...], use: CertifiedUse) -> None:
        verdict = check_path(
            chain[0],
            intermediates=chain[1:-1],
            anchors=self.trust().anchors,
            at=self.clock(),
            use=use,
            evidence=None,
        )
        if verdict.status is not PathStatus.GOOD:
            raise CanaryFailed(f"no path leads from the new certificate to our root: {verdict.reason}.")

    def _sign_and_verify(self, handle: KeyHandle) -> None:
        """Does the private key fit the public one on record? By the library, not by the store."""
        message = secrets.token_bytes(64)
        signature = handle.sign(message)
        public_key = load_der_public_key(handle.record.public_key)
        wide = handle.record.algorithm is KeyAlgorithm.EC_P384
        scheme = hashes.SHA384() if wide else hashes.SHA256()
        try:
            if isinstance(public_key, ec.EllipticCurvePublicKey):
                public_key.verify(signature, message, ec.ECDSA(scheme))
            else:
                assert isinstance(public_key, rsa.RSAPublicKey)
                public_key.verify(signature, message, padding.PKCS1v15(), scheme)
        except InvalidSignature as cause:
            raise CanaryFailed(f"{handle.record.id} does not fit its own public key.") from cause

    def _seal(self, handle: KeyHandle, chain: tuple[x509.Certificate, ...]) -> str:
        """A whole document: sealed, time-stamped, read back by the release check and then by pyHanko."""
        encoded = tuple(one.public_bytes(Encoding.DER) for one in chain)
        identity = SealingIdentity(encoded[0], encoded[1:], handle.record.algorithm, handle.sign)
        issuer = _organisation(chain[0])
        document_id, today = new_document_id(), self.clock().date()
        target = io.BytesIO()
        try:
            with prepare(io.BytesIO(_blank_page())) as prepared:
                signer = self.receipt_signer()
                claims = receipt.Receipt(
                    issuer=issuer,
                    document_id=document_id,
                    type_number=document_type("decree").number,
                    number="CANARY",
                    holder=None,
                    issued_on=today,
                    valid_until=None,
                    status_index=0,
                    source_digest=prepared.digest,
                )
                code = receipt.encode(claims, key_id=signer.key_id, sign=signer.sign)
                unit = next(iter(self.tsa.units()))
                seal_pdf(
                    source=prepared,
                    target=target,
                    stamp=StampText(issuer, "Canary", today, document_id, is_sample=True),
                    link=receipt.link(self.public_url, document_id, code),
                    receipt_digits=receipt.to_digits(code),
                    place=None,
                    identity=identity,
                    timestamper=unit,
                    evidence=self.evidence.evidence_for(encoded, unit.chain),
                    at=self.clock(),
                )
        except SigningError as cause:
            raise CanaryFailed(f"a document could not be sealed with the new key: {cause}") from cause
        from verify import any_shape  # noqa: PLC0415 - slow to load, seldom due

        try:
            found = any_shape.validate(target, trust=self.trust(), now=self.clock(), limits=Limits())
        except PdfUnreadable as cause:
            raise CanaryFailed(f"the second stack cannot read the sealed canary: {cause}") from cause
        outcomes = {signature.outcome for signature in found.signatures}
        if outcomes != {Outcome.VALID} or not found.is_ours:
            reasons = ", ".join(str(reason) for one in found.signatures for reason in one.reasons)
            raise CanaryFailed(f"the second stack does not accept the sealed canary: {reasons}.")
        return f"sealed {len(target.getvalue())} bytes, valid by pyHanko"

    def _time_stamp(
        self, handle: KeyHandle, certificate: CertificateRecord, chain: tuple[x509.Certificate, ...]
    ) -> str:
        self._require_path(chain, CertifiedUse.TIMESTAMPING)
        digest = hashlib.sha256(secrets.token_bytes(32)).digest()
        token = self.tsa.unit_of(certificate, handle).token(digest)
        from app.rotation.timestamp_check import check_token  # noqa: PLC0415 - slow to load, seldom due

        check_token(token, digest, chain, at=self.clock())
        return "time-stamp verified by pyHanko"

    def _receipt(self, handle: KeyHandle, chain: tuple[x509.Certificate, ...]) -> str:
        self._require_path(chain, CertifiedUse.RECEIPT)
        public_key = chain[0].public_key()
        if not isinstance(public_key, ec.EllipticCurvePublicKey):
            raise CanaryFailed("receipts are signed with ECDSA on P-256, and this is another key.")
        key_id = receipt.key_id_of(public_key)
        claims = receipt.Receipt(
            issuer=_organisation(chain[0]),
            document_id=new_document_id(),
            type_number=document_type("decree").number,
            number="CANARY",
            holder=None,
            issued_on=self.clock().date(),
            valid_until=None,
            status_index=0,
            source_digest=bytes(32),
        )
        try:
            read = receipt.decode(receipt.encode(claims, key_id=key_id, sign=handle.sign))
            read.verify(public_key)
        except SigningError as cause:
            raise CanaryFailed(f"a receipt by the new key does not verify: {cause}") from cause
        self.pause(NOTICED)  # verifiers find receipt keys in the trust store: let all of them look once
        if chain[0] not in self.trust().certified_for_key_id(key_id):
            raise CanaryFailed("verifiers do not know the new receipt key: is the register published?")
        return "receipt read back and verified; verifiers know the key"

    def _answer(
        self, handle: KeyHandle, certificate: CertificateRecord, chain: tuple[x509.Certificate, ...]
    ) -> str:
        """An OCSP answer about the responder's own CA, read by the library."""
        self._require_path(chain, CertifiedUse.OCSP)
        responder, authority = chain[0], chain[1]
        now = self.clock().replace(microsecond=0)
        asked = ocsp.IssuerHashes(authority).cert_id(certificate.serial)
        encoded = ocsp.basic_response(
            responder=ocsp.ResponderParts.of(responder),
            produced_at=now,
            responses=(
                ocsp.single_response(
                    asked,
                    CertificateStanding(certificate.serial, CertificateStatus.GOOD),
                    this_update=now,
                    next_update=now + _VALIDITY,
                ),
            ),
            nonce=None,
            signature_algorithm=SIGNATURES[handle.record.algorithm.value],
            sign=handle.sign,
        )
        answer = x509_ocsp.load_der_ocsp_response(encoded)
        algorithm = answer.signature_hash_algorithm
        public_key = responder.public_key()
        assert algorithm is not None
        try:
            if isinstance(public_key, ec.EllipticCurvePublicKey):
                public_key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(algorithm))
            else:
                assert isinstance(public_key, rsa.RSAPublicKey)
                public_key.verify(answer.signature, answer.tbs_response_bytes, padding.PKCS1v15(), algorithm)
        except InvalidSignature as cause:
            raise CanaryFailed("an OCSP answer by the new key does not verify.") from cause
        if answer.certificate_status is not x509_ocsp.OCSPCertStatus.GOOD:
            raise CanaryFailed("an OCSP answer by the new key does not read as it was meant.")
        return "OCSP answer verified by the library"

    def _list(
        self, handle: KeyHandle, certificate: CertificateRecord, chain: tuple[x509.Certificate, ...]
    ) -> str:
        """An empty revocation list that nobody gets: a CA signs nothing else before it is in use."""
        now = self.clock().replace(microsecond=0)
        encoded = build_crl(
            issuer=Issuer(certificate.name, chain[0], handle),
            entries=(),
            number=1,
            this_update=now,
            next_update=now + _VALIDITY,
        )
        public_key = chain[0].public_key()
        assert isinstance(public_key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
        if not x509.load_der_x509_crl(encoded).is_signature_valid(public_key):
            raise CanaryFailed("a revocation list by the new key does not verify.")
        with self.read() as tx:
            links = Certificates(tx).links_of({certificate.key_id})
        generations = len({link.issuer for link in links})
        return f"revocation list verified by the library; linked from {generations} older keys"


def _organisation(certificate: x509.Certificate) -> str:
    named = certificate.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    return str(named[0].value) if named else "Canary"


def _blank_page() -> bytes:
    """A PDF of one empty A4 page (ISO 32000-2, 7.5)."""
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<<>>>>",
    )
    body = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    start = len(body)
    body += b"xref\n0 4\n0000000000 65535 f \n"
    body += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    body += b"trailer\n<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % start
    return bytes(body)
