"""The sections of people's accounts: who they are, how they log in, and what happens when they cannot.

Each section has the limits of one policy of the slice (:mod:`app.policies`), and the policy's own defaults.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, PositiveInt

from app.settings.values import Section


class PeopleSettings(Section):
    """Accounts."""

    email_code_lifetime_hours: PositiveInt = Field(
        default=24, description="How long the code works that confirms an e-mail address."
    )
    revert_lifetime_hours: PositiveInt = Field(
        default=72,
        description="How long the old mailbox can take back a change of the e-mail address.",
    )
    activation_code_lifetime_days: PositiveInt = Field(
        default=14, description="How long the code works that activates an account opened at a counter."
    )
    mails_per_address: PositiveInt = Field(
        default=3, description="Codes that one mailbox is sent within the window, whoever asks for them."
    )
    mails_window_minutes: PositiveInt = Field(default=60, description="That window.")
    proofings: PositiveInt = Field(
        default=5, description="Questions to the population registry per person within the window."
    )
    proofings_window_hours: PositiveInt = Field(default=24, description="That window.")


class PrivacySettings(Section):
    """Privacy requests (UU 27/2022) and how long data is kept."""

    answer_within_hours: int = Field(
        default=72, ge=2, le=72, description="Time to answer a privacy request; the law gives 3 x 24 hours."
    )
    warn_before_hours: PositiveInt = Field(
        default=24, description="How long before its deadline an open request is reported as due soon."
    )
    erasure_grace_hours: PositiveInt = Field(
        default=24, description="How long an erasure waits, so that whoever did not ask can take it back."
    )
    keep_unfinished_days: PositiveInt = Field(
        default=30, description="How long accounts are kept whose factors were never set up."
    )
    keep_invited_days: PositiveInt = Field(
        default=90,
        description="How long accounts are kept that were opened at a counter and never activated.",
    )
    keep_codes_days: PositiveInt = Field(default=7, description="How long used and expired codes are kept.")
    keep_requests_days: PositiveInt = Field(
        default=1826, description="How long closed privacy requests are kept; they hold no personal data."
    )


class LookupsSettings(Section):
    """Who looked up what about whom."""

    keep_days: PositiveInt = Field(default=730, description="How long people can see who looked.")


class FactorsSettings(Section):
    """Passwords, authenticator apps, passkeys, recovery codes."""

    passwords_at_once: PositiveInt = Field(
        default=2, description="Passwords checked at the same time by one process; 19 MiB each."
    )
    passwords_waiting: PositiveInt = Field(default=64, description="Passwords that may wait for their turn.")
    setup_lifetime_minutes: PositiveInt = Field(
        default=20, description="How long the set-up of an authenticator app may take."
    )
    challenge_lifetime_minutes: PositiveInt = Field(
        default=10, description="How long a browser may take to answer for a passkey."
    )
    most_passkeys: PositiveInt = Field(default=10, description="Passkeys per person.")
    most_open_setups: PositiveInt = Field(default=5, description="Set-ups that one person may have begun.")


class SessionSettings(Section):
    """Sessions (NIST SP 800-63B-4, 2.2.3)."""

    idle_minutes: int = Field(
        default=60, ge=1, le=60, description="A session without a request ends after this long."
    )
    absolute_minutes: int = Field(
        default=720, ge=5, le=1440, description="A session ends after this long, whatever happens."
    )
    touch_seconds: PositiveInt = Field(
        default=60, description="How often the time of the last request is written down at most."
    )


class LoginSettings(Section):
    """Logging in."""

    half_lifetime_minutes: PositiveInt = Field(
        default=10, description="Time for the second factor, after the first."
    )
    setup_lifetime_minutes: PositiveInt = Field(
        default=60, description="Time to set up factors for the first time."
    )
    device_lifetime_days: PositiveInt = Field(
        default=180, description="How long a device is known after the last login on it."
    )
    repudiation_lifetime_days: PositiveInt = Field(
        default=14, description='How long the link "this was not me" works.'
    )


def _levels(value: str) -> str:
    if not set(value.split()) <= {"ial0", "ial1", "ial2"}:
        raise ValueError("must hold some of ial0, ial1 and ial2, separated by spaces")
    return value


class RecoverySettings(Section):
    """Getting back in after factors were lost."""

    code_lifetime_minutes: PositiveInt = Field(default=60, description="How long the mailed code works.")
    proving_lifetime_minutes: PositiveInt = Field(
        default=30, description="Time for the proof that is asked for beside the code."
    )
    waiting_hours: PositiveInt = Field(
        default=72, description="How long somebody waits who lost both factors."
    )
    reminder_hours: PositiveInt = Field(
        default=24, description="Time between two notices to the account while they wait."
    )
    ready_lifetime_days: PositiveInt = Field(default=7, description="Time to finish after the wait.")
    officer_only: Annotated[str, AfterValidator(_levels)] = Field(
        default="ial2",
        description="Proofing levels, separated by spaces, at which losing both factors takes an officer.",
    )
    keep_days: PositiveInt = Field(default=30, description="How long closed recoveries are kept.")


class AccountSettings(Section):
    """The pages of one's own account."""

    fresh_minutes: PositiveInt = Field(
        default=10, description="How lately a factor was shown by whoever changes factors or takes data away."
    )


class OperatorsSettings(Section):
    """Officers, administrators, custodians, auditors, help desks."""

    shift_minutes: PositiveInt = Field(
        default=240, description="How lately operators have used their passkey when they look at something."
    )
    act_minutes: PositiveInt = Field(default=15, description="The same when they change something.")
    least_proofing: str = Field(
        default="ial1",
        pattern="^ial[012]$",
        description="Roles go to people who are proofed at least so well.",
    )


def _free(default: int, whose: str) -> Any:
    return Field(default=default, description=f"Wrong answers {whose} that cost nothing.")


def _forgive(default: int) -> Any:
    return Field(default=default, description="Time in which one of them is forgiven.")


def _first(default: int) -> Any:
    return Field(default=default, description="First wait when they are used up; it doubles each time.")


def _most(default: int) -> Any:
    return Field(default=default, description="Longest wait.")


class ThrottleSettings(Section):
    """Slowing down whoever tries out secrets."""

    account_free: PositiveInt = _free(10, "per account")
    account_forgive_seconds: PositiveInt = _forgive(3600)
    account_first_seconds: PositiveInt = _first(30)
    account_most_seconds: PositiveInt = _most(3600)
    factor_free: PositiveInt = _free(5, "per factor of an account")
    factor_forgive_seconds: PositiveInt = _forgive(3600)
    factor_first_seconds: PositiveInt = _first(30)
    factor_most_seconds: PositiveInt = _most(3600)
    device_free: PositiveInt = _free(10, "per known device of an account")
    device_forgive_seconds: PositiveInt = _forgive(600)
    device_first_seconds: PositiveInt = _first(10)
    device_most_seconds: PositiveInt = _most(900)
    address_free: PositiveInt = _free(100, "per network address, which thousands of people may share,")
    address_forgive_seconds: PositiveInt = _forgive(1)
    address_first_seconds: PositiveInt = _first(1)
    address_most_seconds: PositiveInt = _most(60)
    mail_free: PositiveInt = Field(
        default=3, description="Mails that anybody can have sent to one account at once."
    )
    mail_forgive_seconds: PositiveInt = _forgive(3600)
    mail_first_seconds: PositiveInt = _first(300)
    mail_most_seconds: PositiveInt = _most(3600)
    client_free: PositiveInt = _free(10, "per agency's system")
    client_forgive_seconds: PositiveInt = _forgive(6)
    client_first_seconds: PositiveInt = _first(6)
    client_most_seconds: PositiveInt = _most(60)
    challenge_free: PositiveInt = Field(
        default=600, description="Challenges for passkeys that one network address may have made at once."
    )
    challenge_forgive_seconds: PositiveInt = _forgive(1)
    challenge_first_seconds: PositiveInt = _first(1)
    challenge_most_seconds: PositiveInt = _most(10)
    search_free: PositiveInt = Field(
        default=40, description="Searches for people's accounts that one operator may make at once."
    )
    search_forgive_seconds: PositiveInt = _forgive(60)
    search_first_seconds: PositiveInt = _first(10)
    search_most_seconds: PositiveInt = _most(900)
