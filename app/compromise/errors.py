"""What answering a compromise can refuse.

CompromiseError
├── CaseUnknown         no case has this id
├── CaseInvalid         the time of the loss, or the key, makes no sense
├── CaseNotOpen         the case was closed or withdrawn
├── CaseDecided         what cannot be undone has begun
├── DecisionMissing     the custodians' decision is not there, or is about something else
├── DocumentsWait       some documents could not be sealed anew for now
└── NoIndependentTime   every time-stamping unit at hand stands on the key that was lost
"""

from __future__ import annotations

from app.errors import ApplicationError


class CompromiseError(ApplicationError):
    """Root of everything that is refused while a compromise is answered."""


class CaseUnknown(CompromiseError):
    """No case has this id."""

    def __init__(self, case_id: str) -> None:
        super().__init__(f"There is no case {case_id[:80]!r}: `absah case list` shows those there are.")


class CaseInvalid(CompromiseError):
    """A case cannot be opened like this."""


class CaseNotOpen(CompromiseError):
    """The case was closed or withdrawn."""


class CaseDecided(CompromiseError):
    """Custodians agreed that the key is lost, or nobody had to: that is not undone."""


class DecisionMissing(CompromiseError):
    """Nothing irreversible happens: the decision is not there, is not whole, or is about something else."""


class DocumentsWait(CompromiseError):
    """What could be sealed anew was; the rest is tried again after a pause."""

    def __init__(self, case_id: str, failed: int) -> None:
        super().__init__(
            f"{failed} documents of {case_id} cannot be sealed anew for now: the log names them and why."
        )


class NoIndependentTime(CompromiseError):
    """No time-stamping unit is at hand that does not stand on the key that was lost."""
