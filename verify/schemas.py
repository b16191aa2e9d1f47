"""The JSON of a verdict, as the API's description shows it. :mod:`verify.report` writes the values.

These models describe and are held against real answers by a test; answers are not built through them.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from verify.verdict import CheckResult, Indication, Outcome, Reason, SignatureKind, SubIndication, Subject


class _Described(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(_Described):
    """The same in Indonesian and English."""

    id: str
    en: str


class ReasonBody(Words):
    """Why the outcome is what it is. Codes are stable, words are not."""

    code: Reason


class CheckBody(_Described):
    """One thing that was looked at; ``detail`` is technical English."""

    name: str
    result: CheckResult
    detail: str


class DocumentBody(_Described):
    """What anyone may know about a document. Names of persons are masked."""

    id: str
    type: str
    type_name: Words
    number: str
    title: str
    holder: str | None
    issuer: str
    signatory: str
    issued_on: date
    valid_until: date | None
    state: Literal["issued", "superseded", "revoked"]
    is_sample: bool
    issued_at: datetime
    state_changed_at: datetime | None
    state_reason: str | None
    superseded_by: str | None
    sha256: str


class ReceiptBody(_Described):
    """The claims of a receipt whose signature was verified."""

    id: str
    type: str | None
    number: str
    holder: str | None
    issuer: str
    issued_on: date
    valid_until: date | None
    status_index: int
    source_sha256: str


class FileBody(_Described):
    sha256: str


class SignatureBody(_Described):
    """One signature of a file. ``signed_at`` is proven by a time-stamp where ``time_is_proven``."""

    field: str
    kind: SignatureKind
    outcome: Outcome
    indication: Indication
    sub_indication: SubIndication | None
    reasons: list[ReasonBody]
    intact: bool
    unchanged: bool
    covers_whole_file: bool
    signer: str | None
    issuer: str | None
    signed_at: datetime | None
    time_is_proven: bool
    changes: list[str]
    checks: list[CheckBody]


class VerdictBody(_Described):
    """An outcome, its reasons, and what each check found. Times are RFC 3339 in UTC.

    ``since`` is from when the outcome holds; for ``cannot_say`` the last moment at which we could say.
    ``indication`` and ``sub_indication`` are of EN 319 102-1, null where no signature was validated.
    ``not_checked`` names the checks that were not made.
    """

    checked_at: datetime
    since: datetime | None
    document: DocumentBody | None
    outcome: Outcome
    message: Words
    subject: Subject
    indication: Indication | None
    sub_indication: SubIndication | None
    reasons: list[ReasonBody]
    receipt: ReceiptBody | None
    file: FileBody | None
    signatures: list[SignatureBody]
    checks: list[CheckBody]
    not_checked: list[str]
