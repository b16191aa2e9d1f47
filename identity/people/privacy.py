"""What people may demand about their data, and by when: UU 27/2022 (Pelindungan Data Pribadi). Pure.

| kind | article | answered |
|---|---|---|
| access, and a copy that programs can read | 7, 13, 32 | at once, by the person |
| correction | 6, 30 | at once where nothing was proofed, else by an officer |
| erasure | 8, 43 | after a time to think again, by upkeep |
| withdrawal of consent | 9, 40 | at once, by the person |

The law gives 3 x 24 hours from the moment a request is received for correction (30), access (32) and
withdrawal (40). It names no hours for erasure; here it has the same.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final


class RequestKind(StrEnum):
    ACCESS = "access"
    CORRECTION = "correction"
    ERASURE = "erasure"
    WITHDRAWAL = "withdrawal"


class RequestState(StrEnum):
    """``open`` waits for an officer, ``waiting`` for its time; the other three are ends."""

    OPEN = "open"
    WAITING = "waiting"
    ANSWERED = "answered"
    REFUSED = "refused"
    TAKEN_BACK = "taken_back"


UNFINISHED: Final = frozenset({RequestState.OPEN, RequestState.WAITING})


class Refusal(StrEnum):
    """Why a request is refused; words of this list, so that no free text holds personal data."""

    IDENTITY_NOT_SHOWN = "identity_not_shown"
    LEGAL_DUTY = "legal_duty"  # another law demands that the data are kept (the exceptions: article 15)
    DATA_OF_OTHERS = "data_of_others"  # article 33: it would disclose data of others
    NOT_SHOWN_WRONG = "not_shown_wrong"  # a correction without the document that proves it


@dataclass(frozen=True, slots=True)
class PrivacyRequest:
    """One request. ``details`` is what the person wrote, and stays out of ``repr``."""

    id: str
    person_id: str
    kind: RequestKind
    state: RequestState
    target: str
    received_at: datetime
    due_at: datetime
    executes_at: datetime | None = None
    closed_at: datetime | None = None
    decided_by: str | None = None
    refusal: Refusal | None = None
    details: str | None = field(default=None, repr=False)

    def is_overdue(self, now: datetime) -> bool:
        """Whether the law's time ran out, or had run out when it was answered at last."""
        return (self.closed_at or now) > self.due_at


@dataclass(frozen=True, slots=True)
class Retained:
    """What one round of the retention job removed."""

    unfinished_accounts: int
    codes: int
    proofing_attempts: int
    requests: int


def new_request_id() -> str:
    return f"privacy-{secrets.token_hex(12)}"
