"""pyHanko sealing to B-LT with a QR stamp: as its documentation shows it, and as fast as its API allows."""

from __future__ import annotations

import asyncio
import hashlib
import io
import secrets
from datetime import UTC, datetime

from asn1crypto import algos, cms, core, keys, tsp
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers, timestamps
from pyhanko.sign.signers.pdf_signer import DSSContentSettings, SigDSSPlacementPreference
from pyhanko.stamp import QRStampStyle
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from benchmarks.peers.pki import Credential, PeerPki


class CachedKeySigner(signers.Signer):
    """A signer whose key is parsed once; SimpleSigner parses it for every signature."""

    def __init__(self, credential: Credential, *others: asn1_x509.Certificate) -> None:
        assert isinstance(credential.key, ec.EllipticCurvePrivateKey)
        self._key = credential.key
        super().__init__(signing_cert=credential.asn1, cert_registry=_registry(others))

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        return bytes(72) if dry_run else self._key.sign(data, ec.ECDSA(SHA256()))


class CachedKeyTimeStamper(timestamps.TimeStamper):
    """A token built with asn1crypto as DummyTimeStamper does, with a parsed P-256 key and ESSCertIDv2."""

    def __init__(self, credential: Credential, *others: asn1_x509.Certificate) -> None:
        super().__init__(include_nonce=False)
        assert isinstance(credential.key, ec.EllipticCurvePrivateKey)
        self._key = credential.key
        self._certificate = credential.asn1
        self._others = others

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        token = build_token(req["message_imprint"], self._certificate, self._key, self._others)
        return tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token})


def build_token(
    imprint: tsp.MessageImprint,
    certificate: asn1_x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    others: tuple[asn1_x509.Certificate, ...],
) -> cms.ContentInfo:
    """An RFC 3161 token assembled with asn1crypto."""
    algorithm = algos.DigestAlgorithm({"algorithm": "sha256"})
    info = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": "1.3.6.1.4.1.32473.1.1",
            "message_imprint": imprint,
            "serial_number": int.from_bytes(secrets.token_bytes(8)),
            "gen_time": datetime.now(UTC).replace(microsecond=0),
            "accuracy": {"seconds": 1},
        }
    )
    content = cms.EncapsulatedContentInfo(
        {"content_type": "tst_info", "content": core.ParsableOctetString(info.dump())}
    )
    ess = tsp.SigningCertificateV2({"certs": [{"cert_hash": hashlib.sha256(certificate.dump()).digest()}]})
    attributes = cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
            cms.CMSAttribute({"type": "message_digest", "values": [hashlib.sha256(info.dump()).digest()]}),
            cms.CMSAttribute({"type": "signing_certificate_v2", "values": [ess]}),
        ]
    )
    signer_info = cms.SignerInfo(
        {
            "version": "v1",
            "sid": {
                "issuer_and_serial_number": {
                    "issuer": certificate.issuer,
                    "serial_number": certificate.serial_number,
                }
            },
            "digest_algorithm": algorithm,
            "signature_algorithm": {"algorithm": "sha256_ecdsa"},
            "signed_attrs": attributes,
            "signature": key.sign(attributes.dump(), ec.ECDSA(SHA256())),
        }
    )
    signed = cms.SignedData(
        {
            "version": "v3",
            "digest_algorithms": [algorithm],
            "encap_content_info": content,
            "certificates": [certificate, *others],
            "signer_infos": [signer_info],
        }
    )
    return cms.ContentInfo({"content_type": "signed_data", "content": signed})


class Sealer:
    """``tuned`` keeps keys, validation context and size estimate; otherwise as the documentation shows it.

    The documented way uses ``SimpleSigner`` and ``DummyTimeStamper``, which parse their keys per signature;
    the latter knows RSA only.
    """

    def __init__(self, pki: PeerPki, *, tuned: bool) -> None:
        self._pki = pki
        self._tuned = tuned
        self._chain = (pki.issuing.asn1, pki.root.asn1)
        self._style = QRStampStyle(stamp_text="Disegel secara elektronik\n%(url)s\n%(ts)s")
        if tuned:
            self._signer = CachedKeySigner(pki.seal, *self._chain)
            self._timestamper = CachedKeyTimeStamper(pki.tsu, *self._chain)
            self._context = self._new_context()

    def seal(self, source: bytes, link: str) -> bytes:
        """One sealed PDF."""
        if self._tuned:
            return self._seal(source, link, self._signer, self._timestamper, self._context, 16384)
        signer = signers.SimpleSigner(
            signing_cert=self._pki.seal.asn1,
            signing_key=_parsed(self._pki.seal),
            cert_registry=_registry(self._chain),
        )
        timestamper = timestamps.DummyTimeStamper(
            tsa_cert=self._pki.rsa_tsu.asn1,
            tsa_key=_parsed(self._pki.rsa_tsu),
            certs_to_embed=_registry(self._chain),
        )
        return self._seal(source, link, signer, timestamper, self._new_context(), None)

    def _seal(
        self,
        source: bytes,
        link: str,
        signer: signers.Signer,
        timestamper: timestamps.TimeStamper,
        context: ValidationContext,
        bytes_reserved: int | None,
    ) -> bytes:
        job = signers.PdfSigner(
            signers.PdfSignatureMetadata(
                field_name="Segel",
                md_algorithm="sha256",
                subfilter=fields.SigSeedSubFilter.PADES,
                embed_validation_info=True,
                validation_context=context,
                certify=True,
                docmdp_permissions=fields.MDPPerm.NO_CHANGES,
                dss_settings=DSSContentSettings(
                    include_vri=False,
                    placement=SigDSSPlacementPreference.TOGETHER_WITH_SIGNATURE,
                ),
            ),
            signer=signer,
            timestamper=timestamper,
            stamp_style=self._style,
            new_field_spec=fields.SigFieldSpec("Segel", box=(50, 50, 320, 160)),
        )
        output = io.BytesIO()
        asyncio.run(
            job.async_sign_pdf(
                IncrementalPdfFileWriter(io.BytesIO(source), strict=False),
                output=output,
                appearance_text_params={"url": link},
                bytes_reserved=bytes_reserved,
            )
        )
        return output.getvalue()

    def _new_context(self) -> ValidationContext:
        return ValidationContext(
            trust_roots=[self._pki.root.asn1],
            other_certs=[self._pki.issuing.asn1],
            ocsps=list(self._pki.ocsp_responses),
            crls=list(self._pki.crls),
            allow_fetching=False,
            revocation_mode="hard-fail",
        )


def _registry(certificates: tuple[asn1_x509.Certificate, ...]) -> SimpleCertificateStore:
    registry = SimpleCertificateStore()
    registry.register_multiple(certificates)
    return registry


def _parsed(credential: Credential) -> keys.PrivateKeyInfo:
    encoded = credential.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return keys.PrivateKeyInfo.load(encoded)
