"""The register's verdict as JSON, fast: the answer to ``GET /v1/verifications/{id}``.

Beside the document and the times, what such a verdict says depends on five facts: the state, whether the
validity ends at all and is over, whether it is a sample, and what became of the key that sealed it. So that
part is encoded once for each combination, by the code that encodes every verdict, and each answer adds the
document and the times as they were just read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Final

from signing.model import Release
from verify.report import record_fields, shown_moment, verdict_fields
from verify.verdict import Outcome, Verdict, end_of_day, is_past

_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_OF_THIS_DOCUMENT: Final = ("checked_at", "since", "document")
_Shape = tuple[str, bool, bool, bool, str]


class RecordAnswers:
    """Call it with a record that was just read: the same bytes as ``verdict_json(judge(record))``."""

    def __init__(self, judge: Callable[[Release], Verdict], clock: Callable[[], datetime]) -> None:
        self._judge = judge
        self._clock = clock
        self._rests: dict[_Shape, tuple[Outcome, str]] = {}

    def __call__(self, record: Release) -> bytes:
        now = self._clock()
        past = is_past(record.valid_until, now)
        shape = (record.state, record.valid_until is None, past, record.is_sample, record.seal)
        known = self._rests.get(shape)
        if known is None:
            known = self._rests[shape] = self._rest(record)
        outcome, rest = known
        times = (
            f'{{"checked_at":"{shown_moment(now)}","since":{_encode(shown_moment(_since(record, outcome)))}'
        )
        return f'{times},"document":{_encode(record_fields(record))}{rest}'.encode()

    def _rest(self, record: Release) -> tuple[Outcome, str]:
        verdict = self._judge(record)
        fields = verdict_fields(verdict)
        for name in _OF_THIS_DOCUMENT:
            del fields[name]
        return verdict.outcome, "," + _encode(fields)[1:]


def _since(record: Release, outcome: Outcome) -> datetime | None:
    match outcome:
        case Outcome.REVOKED | Outcome.CANNOT_SAY if record.state == "issued":
            return record.doubted_since
        case Outcome.SUPERSEDED | Outcome.REVOKED:
            return record.state_changed_at
        case Outcome.EXPIRED if record.valid_until is not None:
            return end_of_day(record.valid_until)
    return None
