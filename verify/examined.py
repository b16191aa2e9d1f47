"""One signature while it is being looked at, and the finding that comes of it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from asn1crypto import x509 as asn1_x509
from pyhanko.sign.ades.report import AdESStatus, AdESSubIndic
from pyhanko.sign.validation import EmbeddedPdfSignature

from verify.meanings import indication_of
from verify.verdict import (
    Check,
    CheckResult,
    Indication,
    Outcome,
    Reason,
    SignatureFinding,
    SignatureKind,
    SubIndication,
    worst,
)


class Examined:
    """Collects what is found out about one signature. The first problem decides the sub-indication."""

    def __init__(self, name: str, signature: EmbeddedPdfSignature) -> None:
        self.name = name
        self.signature = signature
        self.kind = (
            SignatureKind.TIMESTAMP
            if signature.signed_data["encap_content_info"]["content_type"].native == "tst_info"
            else SignatureKind.SIGNATURE
        )
        self.checks: list[Check] = []
        self.problems: list[tuple[Outcome, Reason, AdESSubIndic]] = []
        self.intact = False
        self.unchanged = False
        self.covers_whole_file = False
        self.leads_to_us = False  # the path ends at one of our own anchors, not at a foreign one
        self.changes: tuple[str, ...] = ()
        self.signed_at: datetime | None = None
        self.time_is_proven = False

    def ok(self, name: str, detail: str) -> None:
        self.checks.append(Check(name, CheckResult.PASSED, detail))

    def problem(
        self, name: str, outcome: Outcome, reason: Reason, detail: str, *, indication: AdESSubIndic
    ) -> None:
        """Note what is against the signature; a failure where the standard calls it one, else undecided."""
        failed = indication.status is AdESStatus.FAILED
        self.checks.append(Check(name, CheckResult.FAILED if failed else CheckResult.UNDECIDED, detail))
        self.problems.append((outcome, reason, indication))

    def proven_at(self, moment: datetime) -> None:
        self.signed_at, self.time_is_proven = moment.astimezone(UTC), True

    def finding(self) -> SignatureFinding:
        outcome = worst(problem[0] for problem in self.problems) if self.problems else Outcome.VALID
        signer, issuer, claimed = _identity(self.signature)
        indication, sub_indication = Indication.TOTAL_PASSED, None
        # The problem that decides comes first, then the others as they were found.
        ordered = sorted(self.problems, key=lambda problem: problem[0] is not outcome)
        if ordered:
            indication, sub_indication = indication_of(ordered[0][2])
        return SignatureFinding(
            field=self.name,
            kind=self.kind,
            outcome=outcome,
            indication=indication,
            sub_indication=sub_indication,
            reasons=tuple(dict.fromkeys(problem[1] for problem in ordered)),
            checks=tuple(self.checks),
            intact=self.intact,
            unchanged=self.unchanged,
            covers_whole_file=self.covers_whole_file,
            signer=signer,
            issuer=issuer,
            signed_at=self.signed_at or claimed,
            time_is_proven=self.time_is_proven,
            changes=self.changes,
            signature_value=self.signature.signer_info["signature"].native,
            signed_digest=hashlib.sha256(self.signature.signer_info["signed_attrs"].untag().dump()).digest(),
        )


def malformed(name: str, cause: Exception, reason: Reason | None = None) -> SignatureFinding:
    """A signature field whose dictionary or value cannot be read: forged, emptied or damaged."""
    missing = any(word in words(cause) for word in ("/Contents", "/ByteRange"))
    return SignatureFinding(
        field=name,
        kind=SignatureKind.SIGNATURE,
        outcome=Outcome.FILE_DIFFERS,
        indication=Indication.TOTAL_FAILED,
        sub_indication=SubIndication.FORMAT_FAILURE,
        reasons=(reason or (Reason.CONTENTS_MISSING if missing else Reason.SIGNATURE_MALFORMED),),
        checks=(Check("format", CheckResult.FAILED, words(cause)),),
        intact=False,
        unchanged=False,
        covers_whole_file=False,
    )


def _identity(signature: EmbeddedPdfSignature) -> tuple[str | None, str | None, datetime | None]:
    """Who signed by their own account: never to be shown as proven before the path was."""
    try:
        certificate = signature.signer_cert
        claimed = signature.self_reported_timestamp
        return (
            _name(certificate.subject),
            _name(certificate.issuer),
            claimed.astimezone(UTC) if claimed is not None else None,
        )
    except Exception:  # noqa: BLE001 - the certificate may be missing or damaged
        return None, None, None


def _name(name: asn1_x509.Name) -> str:
    fields = name.native
    for key in ("common_name", "organization_name", "organizational_unit_name"):
        value = fields.get(key)
        if value:
            return (value if isinstance(value, str) else str(value[0]))[:200]
    return str(name.human_friendly)[:200]


def words(cause: object) -> str:
    return (str(cause) or type(cause).__name__)[:300]
