"""Does a stranger's library accept a time-stamp of ours? pyHanko, which shares no code with :mod:`ca.tst`."""

from __future__ import annotations

import asyncio
from datetime import datetime

from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko_certvalidator import ValidationContext

from app.rotation.errors import CanaryFailed


def check_token(token: bytes, digest: bytes, chain: tuple[x509.Certificate, ...], *, at: datetime) -> None:
    """Raise :class:`CanaryFailed` unless ``token`` (DER ContentInfo) stamps the SHA-256 ``digest`` under the
    root that ends ``chain``. Revocation is not looked at: nothing of the new unit is published yet."""
    root, between = _asn1(chain[-1]), [_asn1(one) for one in chain[1:-1]]
    context = ValidationContext(
        trust_roots=[root], other_certs=between, moment=at, allow_fetching=False, revocation_mode="soft-fail"
    )
    try:
        signed = cms.ContentInfo.load(token, strict=True)["content"]
        found = asyncio.run(
            validate_tst_signed_data(signed, context, expected_tst_imprint=lambda _name: digest)
        )
    except Exception as cause:  # whatever the library stumbles over, the unit must not be used
        raise CanaryFailed(
            f"the second stack cannot read a time-stamp by the new unit: {type(cause).__name__}."
        ) from cause
    if not (found["intact"] and found["valid"] and found.get("validation_path") is not None):
        raise CanaryFailed("the second stack does not accept a time-stamp by the new unit.")


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
