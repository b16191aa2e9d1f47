"""The fast answer is the same as the careful one, for every shape that a record can have."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import product

from tests.support.clock import FrozenClock
from tests.verify.documents import LATER, SealedDocument
from verify.encoded import RecordAnswers
from verify.report import verdict_json
from verify.service import VerificationService


def test_every_answer_is_what_the_verdict_encodes_to(
    service: VerificationService, document: SealedDocument, clock: FrozenClock
) -> None:
    answer = RecordAnswers(service.of_record, clock)
    ends = (None, date(2026, 11, 21), date(2026, 11, 22), date(2031, 1, 1), date.max)
    states = ("issued", "superseded", "revoked", "another")
    for _ in range(2):  # the first round encodes each shape, the second uses it
        for number, (state, until, sample) in enumerate(product(states, ends, (False, True))):
            record = replace(
                document.record(),
                number=f'{number} "quoted" ключ',
                state=state,
                valid_until=until,
                is_sample=sample,
                state_changed_at=None if state == "issued" else LATER - timedelta(hours=number),
                superseded_by="X" * 16 if state == "superseded" else None,
            )
            assert answer(record) == verdict_json(service.of_record(record))
        clock.advance(timedelta(hours=13))
