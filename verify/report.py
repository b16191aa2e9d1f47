"""A verdict written down: as JSON for programs, as an ETSI TS 119 102-2 validation report for archives."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from signing.model import Release
from signing.receipt import Receipt
from signing.types import DOCUMENT_TYPES, document_type_by_number
from verify.verdict import CheckResult, SignatureFinding, Verdict
from verify.words import LANGUAGES, REASONS, Language, said

_TYPE_NAMES = {entry.code: {"id": entry.name_id, "en": entry.name_en} for entry in DOCUMENT_TYPES}
_REASON_ENTRIES = {
    reason: {"code": reason.value, "id": REASONS["id"][reason], "en": REASONS["en"][reason]}
    for reason in REASONS["id"]
}


def _sentence(verdict: Verdict, language: Language) -> str:
    words = said(verdict.outcome, verdict.reasons, language)
    return f"{words.headline} {words.meaning}"


def verdict_json(verdict: Verdict) -> bytes:
    """The verdict as UTF-8 JSON: the body of every verification answer."""
    return json.dumps(verdict_fields(verdict), ensure_ascii=False, separators=(",", ":")).encode()


def verdict_fields(verdict: Verdict) -> dict[str, Any]:
    """The verdict as JSON values. ``not_checked`` names what was not looked at; times are RFC 3339 in UTC."""
    return {
        "checked_at": shown_moment(verdict.checked_at),
        "since": shown_moment(verdict.since),
        "document": record_fields(verdict.record) if verdict.record else None,
        "outcome": verdict.outcome.value,
        "message": {language: _sentence(verdict, language) for language in LANGUAGES},
        "subject": verdict.subject.value,
        "indication": verdict.indication.value if verdict.indication else None,
        "sub_indication": verdict.sub_indication.value if verdict.sub_indication else None,
        "reasons": [_REASON_ENTRIES[reason] for reason in verdict.reasons],
        "receipt": _receipt_fields(verdict.receipt) if verdict.receipt else None,
        "file": {"sha256": verdict.file_sha256.hex()} if verdict.file_sha256 else None,
        "signatures": [_signature_fields(finding) for finding in verdict.signatures],
        "checks": [
            {"name": check.name, "result": check.result.value, "detail": check.detail}
            for check in verdict.checks
        ],
        "not_checked": [check.name for check in verdict.checks if check.result is CheckResult.NOT_DONE],
    }


def record_fields(record: Release) -> dict[str, Any]:
    """What anyone may know about a document, as JSON values."""
    return {
        "id": record.id,
        "type": record.type,
        "type_name": _TYPE_NAMES.get(record.type, _TYPE_NAMES["other"]),
        "number": record.number,
        "title": record.title,
        "holder": record.holder,
        "issuer": record.issuer,
        "signatory": record.signatory,
        "issued_on": record.issued_on.isoformat(),
        "valid_until": record.valid_until.isoformat() if record.valid_until else None,
        "state": record.state,
        "is_sample": record.is_sample,
        "issued_at": shown_moment(record.issued_at),
        "state_changed_at": shown_moment(record.state_changed_at),
        "state_reason": record.state_reason,
        "superseded_by": record.superseded_by,
        "sha256": record.sealed_digest.hex(),
    }


def key_set(keys: Mapping[bytes, ec.EllipticCurvePublicKey]) -> dict[str, Any]:
    """Receipt keys as a JWK set (RFC 7517); ``kid`` is the COSE key id in hexadecimal."""

    def coordinate(value: int) -> str:
        return base64.urlsafe_b64encode(value.to_bytes(32)).rstrip(b"=").decode()

    points = {key_id: key.public_numbers() for key_id, key in keys.items()}
    return {
        "keys": [
            {
                "kty": "EC",
                "crv": "P-256",
                "alg": "ES256",
                "use": "sig",
                "kid": key_id.hex(),
                "x": coordinate(point.x),
                "y": coordinate(point.y),
            }
            for key_id, point in sorted(points.items())
        ]
    }


def _receipt_fields(receipt: Receipt) -> dict[str, Any]:
    kind = document_type_by_number(receipt.type_number)
    return {
        "id": receipt.document_id,
        "type": kind.code if kind else None,
        "number": receipt.number,
        "holder": receipt.holder,
        "issuer": receipt.issuer,
        "issued_on": receipt.issued_on.isoformat(),
        "valid_until": receipt.valid_until.isoformat() if receipt.valid_until else None,
        "status_index": receipt.status_index,
        "source_sha256": receipt.source_digest.hex(),
    }


def _signature_fields(finding: SignatureFinding) -> dict[str, Any]:
    return {
        "field": finding.field,
        "kind": finding.kind.value,
        "outcome": finding.outcome.value,
        "indication": finding.indication.value,
        "sub_indication": finding.sub_indication.value if finding.sub_indication else None,
        "reasons": [_REASON_ENTRIES[reason] for reason in finding.reasons],
        "intact": finding.intact,
        "unchanged": finding.unchanged,
        "covers_whole_file": finding.covers_whole_file,
        "signer": finding.signer,
        "issuer": finding.issuer,
        "signed_at": shown_moment(finding.signed_at),
        "time_is_proven": finding.time_is_proven,
        "changes": list(finding.changes),
        "checks": [
            {"name": check.name, "result": check.result.value, "detail": check.detail}
            for check in finding.checks
        ],
    }


def shown_moment(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the second."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"
