"""A small P-256 hierarchy whose private keys the peers may hold, with the evidence that they embed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Credential:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

    @property
    def asn1(self) -> asn1_x509.Certificate:
        return asn1_x509.Certificate.load(self.certificate.public_bytes(Encoding.DER))


@dataclass(frozen=True)
class PeerPki:
    root: Credential
    issuing: Credential
    seal: Credential
    tsu: Credential
    rsa_tsu: Credential  # DummyTimeStamper signs with RSA only
    ocsp_responses: tuple[asn1_ocsp.OCSPResponse, ...]
    crls: tuple[asn1_crl.CertificateList, ...]


def build() -> PeerPki:
    """Root, issuing CA, seal, TSU; OCSP answers for the leaves and the root's CRL for the issuing CA."""
    root = _issue("Peer root", None, ca=True)
    issuing = _issue("Peer issuing CA", root, ca=True)
    seal = _issue("Peer seal", issuing)
    tsu = _issue("Peer TSU", issuing, usage=ExtendedKeyUsageOID.TIME_STAMPING)
    rsa_tsu = _issue("Peer RSA TSU", issuing, usage=ExtendedKeyUsageOID.TIME_STAMPING, rsa_key=True)
    responder = _issue("Peer OCSP", issuing, usage=ExtendedKeyUsageOID.OCSP_SIGNING)
    answers = tuple(_answer(leaf, issuing, responder) for leaf in (seal, tsu, rsa_tsu))
    empty = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(root.certificate.subject)
        .last_update(NOW - timedelta(hours=1))
        .next_update(NOW + timedelta(days=30))
        .add_extension(x509.CRLNumber(1), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key()), critical=False
        )
        .sign(root.key, SHA256())
    )
    crls = (asn1_crl.CertificateList.load(empty.public_bytes(Encoding.DER)),)
    return PeerPki(root, issuing, seal, tsu, rsa_tsu, answers, crls)


def _issue(
    name: str,
    issuer: Credential | None,
    *,
    ca: bool = False,
    usage: x509.ObjectIdentifier | None = None,
    rsa_key: bool = False,
) -> Credential:
    key = rsa.generate_private_key(65537, 3072) if rsa_key else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "ID"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Pemerintah Kabupaten Nusa Permata"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=not ca,
                content_commitment=not ca,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=ca,
                crl_sign=ca,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
    if usage == ExtendedKeyUsageOID.OCSP_SIGNING:
        builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    return Credential(builder.sign(signer, SHA256()), key)


def _answer(leaf: Credential, issuer: Credential, responder: Credential) -> asn1_ocsp.OCSPResponse:
    answer = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=leaf.certificate,
            issuer=issuer.certificate,
            algorithm=SHA256(),
            cert_status=ocsp.OCSPCertStatus.GOOD,
            this_update=NOW,
            next_update=NOW + timedelta(days=1),
            revocation_time=None,
            revocation_reason=None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
        .certificates([responder.certificate])
        .sign(responder.key, SHA256())
    )
    return asn1_ocsp.OCSPResponse.load(answer.public_bytes(Encoding.DER))
