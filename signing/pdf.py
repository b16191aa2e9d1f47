"""A prepared PDF becomes a sealed one: PAdES baseline B-LT in one incremental update.

This is the only file that writes PDFs. What it writes behind the untouched source, all inside the signed
bytes but for the signature value itself:

- the signature field ``AbsahSeal`` with its widget: the visible stamp (:mod:`signing.stamp`);
- the signature dictionary (ISO 32000-2, 12.8.1; EN 319 142-1, 6.3): ``/SubFilter /ETSI.CAdES.detached``, the
  claimed time in ``/M``, and, unless earlier signatures are there, ``/Reference`` with DocMDP P=1 and the
  catalog's ``/Perms /DocMDP``: a certification that allows no changes;
- the document security store ``/DSS`` with every certificate, OCSP response and CRL (EN 319 142-1, 5.4.2).
  No ``/VRI``: it is optional, it is keyed by the digest of a signature that does not exist yet, and
  validators, Acrobat included, look through ``/Certs /OCSPs /CRLs`` anyway;
- on an unsigned source a link annotation over the QR code, so that it can be clicked on a screen.

Private keys of the signature dictionary (second-class names, ISO 32000-2 Annex E), for checking without a
network:

``/ABSH_SourceLength n``
    integer: the file's first n bytes are the PDF as it was before the stamp. Their SHA-256 is the receipt's
    ``source_digest``. n is smaller than the first ByteRange part.
``/ABSH_Receipt (digits)``
    literal string of ASCII decimal digits: the receipt exactly as in the QR code behind ``#``.
``/ABSH_Document (id)``
    literal string: the document id in its stored form.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, BinaryIO, Final

from ca.cms import stated_time
from signing.check import Expected, check_sealed
from signing.cms import (
    SCHEMES,
    Scheme,
    signed_attributes,
    signed_data,
    size_of_signed_data,
)
from signing.errors import SealNotReleased
from signing.model import SealedBy, StampPlace
from signing.pages.inspector import PageInspector, inspector
from signing.placement import at_named_place, find_place
from signing.ports import Evidence, SealingIdentity, TimeStamper
from signing.qr import qr_code
from signing.source import PdfFacts, PdfLimits, PreparedPdf, inspect, prepare
from signing.stamp import Stamp, StampForm, StampText, compose
from signing.update import Layout, SealUpdate

if TYPE_CHECKING:
    from hashlib import _Hash as Digest

__all__ = [
    "PdfFacts",
    "PdfLimits",
    "PreparedPdf",
    "SealedPdf",
    "inspect",
    "prepare",
    "seal_pdf",
]

_CHUNK: Final = 1 << 20
_TOKEN_OVERHEAD: Final = 1536
"""A timestamp token beyond its certificates: TSTInfo, attributes, signature, and some room."""


@dataclass(frozen=True, slots=True)
class SealedPdf:
    """A sealed file that has passed its release check. ``digest`` is its SHA-256; ``rectangle`` is the stamp
    in the user space of page ``page`` (from 1).
    """

    digest: bytes
    size: int
    byte_range: tuple[int, int, int, int]
    page: int
    rectangle: tuple[float, float, float, float]
    form: StampForm
    page_added: bool
    sealed_by: SealedBy


def seal_pdf(
    *,
    source: PreparedPdf,
    target: BinaryIO,
    stamp: StampText,
    link: str,
    receipt_digits: str,
    place: StampPlace | None,
    identity: SealingIdentity,
    timestamper: TimeStamper,
    evidence: Evidence,
    at: datetime,
    inspector: PageInspector = inspector,
) -> SealedPdf:
    """Write ``source`` and its seal to ``target`` (seekable, readable, empty), check the result, describe it.

    ``link`` is what the QR code holds (ASCII); ``receipt_digits`` the receipt in it. The source is streamed,
    never held in memory; the update is, and it is small.

    Raises leaves of :class:`signing.errors.PdfRefused`, :class:`ca.errors.TimeNotAvailable` from the
    timestamper, and :class:`signing.errors.SealNotReleased` when the result fails its check; after any of
    them ``target`` must be thrown away.
    """
    # 1. Draw the QR code, set the stamp, find its place.
    code = qr_code(link, "Q" if receipt_digits else "M")

    @cache
    def composed(form: StampForm) -> Stamp:
        return compose(form, stamp, code, link)

    placement = at_named_place(source, place, composed) if place else find_place(source, composed, inspector)
    # 2. Build the update, all but the signature value.
    update = SealUpdate(source)
    page_added = placement is None
    if placement is None:
        placement = update.add_page_for_stamp(composed, code, link)
    else:
        update.add_stamp(placement, code, link)
    update.add_signature(stamp, receipt_digits, at)
    proof = Evidence(
        certificates=(
            identity.certificate,
            *identity.chain,
            *timestamper.chain,
            *evidence.certificates,
        ),
        ocsp_responses=evidence.ocsp_responses,
        crls=evidence.crls,
    )
    update.add_evidence(proof.certificates, proof.ocsp_responses, proof.crls)
    # 3. Stream the source into the target and digest it on the way.
    scheme = SCHEMES[identity.algorithm]
    digests = _copy(source, target, scheme)
    # 4. Sign and timestamp. A token larger than foreseen gets a second try with room for it.
    certificates = (identity.certificate, *identity.chain[:1])
    token_size = sum(map(len, timestamper.chain)) + _TOKEN_OVERHEAD
    while True:
        space = size_of_signed_data(scheme, certificates, token_size)
        layout = update.lay_out(space)
        attributes = signed_attributes(
            scheme,
            _message_digest(layout, digests[scheme.digest_name]),
            identity.certificate,
            hashlib.sha256(identity.certificate).digest(),
        )
        signature = identity.sign(attributes)
        token = timestamper.token(hashlib.sha256(signature).digest())
        cms = signed_data(
            scheme,
            attributes=attributes,
            signature=signature,
            certificates=certificates,
            timestamp_token=token,
        )
        if len(cms) <= space:
            break
        token_size = len(token) + _TOKEN_OVERHEAD
    layout.fill(cms)
    # 5. Write the update and re-read everything: nothing leaves unchecked.
    target.write(layout.data)
    target.flush()
    sealed_digest = digests["sha256"].copy()
    sealed_digest.update(layout.data)
    size = source.size + len(layout.data)
    check_sealed(
        target,
        Expected(
            size=size,
            digest=sealed_digest.digest(),
            source_size=source.size,
            source_digest=source.digest,
            link=link,
            receipt_digits=receipt_digits,
            document_id=stamp.document_id,
            certificates=certificates,
            timestamping_certificate=timestamper.chain[0],
            previous_xref=source.last_xref,
            certifies=update.certifies,
            evidence=proof,
        ),
    )
    time = stated_time(token)
    return SealedPdf(
        digest=sealed_digest.digest(),
        size=size,
        byte_range=layout.byte_range,
        page=placement.page.number,
        rectangle=placement.rectangle,
        form=placement.stamp.form,
        page_added=page_added,
        sealed_by=SealedBy(hashlib.sha256(identity.certificate).digest(), time.unit, time.at),
    )


def _copy(source: PreparedPdf, target: BinaryIO, scheme: Scheme) -> dict[str, Digest]:
    """Copy the source in pieces. Returns running digests of it, by name, for the file and the signature."""
    digests = {name: hashlib.new(name) for name in {"sha256", scheme.digest_name}}
    source.stream.seek(0)
    target.seek(0)
    while chunk := source.stream.read(_CHUNK):
        target.write(chunk)
        for digest in digests.values():
            digest.update(chunk)
    if digests["sha256"].digest() != source.digest:
        raise SealNotReleased("source", "it changed while it was being sealed")
    return digests


def _message_digest(layout: Layout, source: Digest) -> bytes:
    digest = source.copy()
    for part in layout.signed_parts():
        digest.update(part)
    return digest.digest()
