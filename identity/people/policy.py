"""How long things about people last, and how often they may be asked for. ``app.settings`` fills these."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class PeoplePolicy:
    """``sample_niks`` lets invented residents in (province 99): development only."""

    email_code_lifetime: timedelta = timedelta(hours=24)
    revert_lifetime: timedelta = timedelta(hours=72)
    """How long a mailbox that was replaced can take its account back."""
    activation_code_lifetime: timedelta = timedelta(days=14)
    mails_per_address: int = 3
    """Codes that one mailbox is sent in each ``mails_window``, whoever asks for them."""
    mails_window: timedelta = timedelta(hours=1)
    proofings: int = 5
    """Questions to the population registry per person within ``proofings_window``."""
    proofings_window: timedelta = timedelta(hours=24)
    sample_niks: bool = False


@dataclass(frozen=True, slots=True)
class PrivacyPolicy:
    """``answer_within`` is the law's 3 x 24 hours (UU 27/2022); settings may shorten it only."""

    answer_within: timedelta = timedelta(hours=72)
    warn_before: timedelta = timedelta(hours=24)
    """How long before its deadline an open request is reported as due soon."""
    erasure_grace: timedelta = timedelta(hours=24)
    """How long an erasure waits, so that whoever did not ask for it can take it back."""
    keep_unfinished: timedelta = timedelta(days=30)
    """Accounts whose factors were never set up."""
    keep_invited: timedelta = timedelta(days=90)
    """Accounts opened at a counter and never activated."""
    keep_codes: timedelta = timedelta(days=7)
    """Used and expired codes, so that a late click can be explained."""
    keep_requests: timedelta = timedelta(days=1826)
    """Closed privacy requests, as evidence that the clock was kept. They hold no personal data."""

    def __post_init__(self) -> None:
        if self.answer_within > timedelta(hours=72):
            raise ValueError("UU 27/2022 gives 3 x 24 hours to answer a privacy request, no more")
        if self.erasure_grace >= self.answer_within:
            raise ValueError("an erasure must not wait until its deadline has passed")
