"""A small hierarchy with a frozen clock, built directly with cryptography: the seals, timestamps and evidence
that the tests of this slice sign with. The certificates follow the service's profiles in what validators look
at; the service's own CA is tested in its own slice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ca import der, tst
from keys.model import KeyAlgorithm
from signing.ports import Evidence, SealingIdentity

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def new_key(algorithm: KeyAlgorithm) -> PrivateKey:
    if algorithm is KeyAlgorithm.RSA_3072:
        return rsa.generate_private_key(public_exponent=65537, key_size=3072)
    return ec.generate_private_key(ec.SECP384R1() if algorithm is KeyAlgorithm.EC_P384 else ec.SECP256R1())


@dataclass(frozen=True)
class Certified:
    key: PrivateKey
    certificate: x509.Certificate

    @property
    def encoded(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        large = self.key.curve.key_size > 256
        return self.key.sign(data, ec.ECDSA(hashes.SHA384() if large else hashes.SHA256()))


def certify(
    name: str,
    *,
    issuer: Certified | None,
    algorithm: KeyAlgorithm = KeyAlgorithm.EC_P256,
    ca: bool = False,
    extended: x509.ObjectIdentifier | None = None,
) -> Certified:
    key = new_key(algorithm)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "ID"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Absah Uji"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    signer = issuer or Certified(key, None)  # type: ignore[arg-type]
    usage = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    wanted = ("key_cert_sign", "crl_sign") if ca else ("digital_signature", "content_commitment")
    if extended is not None:
        wanted = ("digital_signature",)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=30))
        .not_valid_after(NOW + timedelta(days=700))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage | dict.fromkeys(wanted, True)), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), critical=False
        )
    )
    if extended is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([extended]), critical=True)
    if extended == ExtendedKeyUsageOID.OCSP_SIGNING:
        builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    return Certified(key, builder.sign(signer.key, hashes.SHA256()))


@dataclass
class TestTimeStamper:
    """RFC 3161 tokens at a fixed time; ``padding_certificates`` make them larger than their chain says."""

    __test__ = False
    unit: Certified
    issuers: tuple[bytes, ...]
    moment: datetime = NOW
    padding_certificates: tuple[bytes, ...] = ()

    @property
    def chain(self) -> tuple[bytes, ...]:
        return (self.unit.encoded, *self.issuers)

    def token(self, digest: bytes) -> bytes:
        info = tst.tst_info(
            policy="1.3.6.1.4.1.60000.1.1",
            imprint=tst.imprint_of(digest),
            serial=int.from_bytes(digest[:8]),
            moment=self.moment,
            accuracy=tst.accuracy_of(timedelta(seconds=1)),
            nonce=None,
        )
        attributes = tst.signed_attributes(
            hashlib.sha256(info).digest(),
            tst.signing_certificate_attribute(hashlib.sha256(self.unit.encoded).digest()),
        )
        rsa_unit = isinstance(self.unit.key, rsa.RSAPrivateKey)
        certificate = self.unit.certificate
        return tst.token(
            info=info,
            attributes=attributes,
            issuer_and_serial=der.sequence(
                certificate.issuer.public_bytes(), der.integer(certificate.serial_number)
            ),
            digest_algorithm=der.sequence(der.oid("2.16.840.1.101.3.4.2.1")),
            signature_algorithm=der.sequence(der.oid("1.2.840.113549.1.1.1"), der.null())
            if rsa_unit
            else der.sequence(der.oid("1.2.840.10045.4.3.2")),
            signature=self.unit.sign(der.tlv(der.SET, attributes)),
            certificates=b"".join(sorted({self.unit.encoded, *self.issuers[:1], *self.padding_certificates})),
        )


@dataclass
class Hierarchy:
    root: Certified
    issuing: Certified
    unit: Certified
    responder: Certified
    revocation_list: bytes
    _answers: dict[x509.Certificate, bytes] = field(default_factory=dict)

    def seal(self, algorithm: KeyAlgorithm = KeyAlgorithm.EC_P256) -> SealingIdentity:
        return self.identity(_seal_of(self.issuing.encoded, algorithm))

    def identity(self, seal: Certified) -> SealingIdentity:
        algorithm = KeyAlgorithm.RSA_3072
        if isinstance(seal.key, ec.EllipticCurvePrivateKey):
            algorithm = KeyAlgorithm.EC_P384 if seal.key.curve.key_size > 256 else KeyAlgorithm.EC_P256
        return SealingIdentity(
            certificate=seal.encoded,
            chain=(self.issuing.encoded, self.root.encoded),
            algorithm=algorithm,
            sign=seal.sign,
        )

    def timestamper(self) -> TestTimeStamper:
        return TestTimeStamper(self.unit, (self.issuing.encoded, self.root.encoded))

    def ocsp(self, certificate: x509.Certificate) -> bytes:
        """One answer per certificate, so that evidence asked for twice is the same evidence."""
        if certificate not in self._answers:
            self._answers[certificate] = self._answer(certificate)
        return self._answers[certificate]

    def _answer(self, certificate: x509.Certificate) -> bytes:
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=certificate,
            issuer=self.issuing.certificate,
            algorithm=hashes.SHA256(),
            cert_status=ocsp.OCSPCertStatus.GOOD,
            this_update=NOW - timedelta(minutes=1),
            next_update=NOW + timedelta(days=1),
            revocation_time=None,
            revocation_reason=None,
        )
        signed = (
            builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.responder.certificate)
            .certificates([self.responder.certificate])
            .sign(self.responder.key, hashes.SHA256())
        )
        return signed.public_bytes(Encoding.DER)

    def evidence(self, *certificates: x509.Certificate) -> Evidence:
        return Evidence(
            certificates=(self.responder.encoded,),
            ocsp_responses=tuple(self.ocsp(certificate) for certificate in certificates),
            crls=(self.revocation_list,),
        )

    def evidence_for(self, identity: SealingIdentity) -> Evidence:
        return self.evidence(x509.load_der_x509_certificate(identity.certificate), self.unit.certificate)


@cache
def hierarchy(algorithm: KeyAlgorithm = KeyAlgorithm.EC_P256) -> Hierarchy:
    root = certify("Akar Uji", issuer=None, ca=True)
    issuing = certify("CA Segel Uji", issuer=root, ca=True)
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(root.certificate.subject)
        .last_update(NOW - timedelta(hours=1))
        .next_update(NOW + timedelta(days=30))
        .add_extension(x509.CRLNumber(1), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key()), critical=False
        )
        .sign(root.key, hashes.SHA256())
    )
    return Hierarchy(
        root=root,
        issuing=issuing,
        unit=certify(
            "TSU Uji", issuer=issuing, algorithm=algorithm, extended=ExtendedKeyUsageOID.TIME_STAMPING
        ),
        responder=certify("OCSP Uji", issuer=issuing, extended=ExtendedKeyUsageOID.OCSP_SIGNING),
        revocation_list=crl.public_bytes(Encoding.DER),
    )


@cache
def _seal_of(issuing: bytes, algorithm: KeyAlgorithm) -> Certified:
    del issuing  # part of the cache's key: one seal per hierarchy
    return certify("Dinas Uji", issuer=hierarchy().issuing, algorithm=algorithm)
