"""Every limit of every slice is a setting, and means there what it says here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from app.custody import token_key_policy
from app.errors import SettingsInvalid
from app.policies import agency_policy, people_policy, policy_from, provider_policy
from app.settings import Environment, Settings
from app.settings.values import Section
from identity.agencies.model import AgencyPolicy
from identity.factors.model import FactorPolicy, PasswordCost
from identity.login.model import LoginPolicy, RecoveryPolicy, SessionPolicy
from identity.login.throttle import ThrottlePolicy
from identity.lookups.model import LookupPolicy
from identity.mail.model import MailPolicy
from identity.operators.model import OperatorPolicy
from identity.people.policy import PeoplePolicy, PrivacyPolicy
from identity.provider.model import ProviderPolicy
from identity.web.account.parts import AccountPolicy

PLAIN = Settings()
POLICIES: list[tuple[Section, type[Any], dict[str, object]]] = [
    (PLAIN.people, PeoplePolicy, {"sample_niks": True}),
    (PLAIN.privacy, PrivacyPolicy, {}),
    (PLAIN.lookups, LookupPolicy, {}),
    (PLAIN.factors, FactorPolicy, {"password_cost": PasswordCost()}),
    (PLAIN.session, SessionPolicy, {}),
    (PLAIN.login, LoginPolicy, {}),
    (PLAIN.recovery, RecoveryPolicy, {}),
    (PLAIN.throttle, ThrottlePolicy, {}),
    (PLAIN.account, AccountPolicy, {}),
    (PLAIN.operators, OperatorPolicy, {}),
    (PLAIN.provider, ProviderPolicy, {"issuer": "https://absah.example", "allow_http": False}),
    (PLAIN.agencies, AgencyPolicy, {"secrets_allowed": True}),
    (PLAIN.mail, MailPolicy, {}),
]
SENDING = {
    "host", "port", "ca_file", "security", "user", "password_file", "sender", "sender_name",
    "poll_seconds", "connect_seconds",
}  # fmt: skip
"""The settings of mail that are about the server, not about the outbox."""


@pytest.mark.parametrize(("section", "kind", "given"), POLICIES, ids=lambda one: getattr(one, "__name__", ""))
def test_without_a_setting_a_policy_is_the_slices_own(
    section: Section, kind: type[Any], given: dict[str, object]
) -> None:
    assert policy_from(section, kind, **given) == kind(**given)


@pytest.mark.parametrize(("section", "kind", "given"), POLICIES, ids=lambda one: getattr(one, "__name__", ""))
def test_every_setting_of_such_a_section_changes_its_policy(
    section: Section, kind: type[Any], given: dict[str, object]
) -> None:
    plain = policy_from(section, kind, **given)
    unused = []
    for name in type(section).model_fields:
        value = getattr(section, name)
        other = value + 1 if isinstance(value, int) else "ial0"
        try:
            changed = policy_from(section.model_copy(update={name: other}), kind, **given)
        except SettingsInvalid:
            continue
        if changed == plain:
            unused.append(name)
    assert set(unused) == (SENDING if kind is MailPolicy else set())


@dataclass(frozen=True)
class Wait:
    first: timedelta


@dataclass(frozen=True)
class Limits:
    idle: timedelta
    most: int
    words: frozenset[str]
    inner: Wait


class LimitsSettings(Section):
    """Limits."""

    idle_minutes: int = 5
    most: int = 3
    words: str = "a b"
    inner_first_hours: int = 2


def test_units_words_and_parts_are_understood() -> None:
    assert policy_from(LimitsSettings(), Limits) == Limits(
        timedelta(minutes=5), 3, frozenset({"a", "b"}), Wait(timedelta(hours=2))
    )
    assert policy_from(LimitsSettings(), Limits, most=9).most == 9


def test_a_limit_without_a_setting_is_a_defect() -> None:
    class Forgotten(Section):
        """Nothing."""

        idle_minutes: int = 5

    with pytest.raises(LookupError, match="most"):
        policy_from(Forgotten(), Limits)


def test_values_that_exclude_each_other_stop_the_start_with_the_reason() -> None:
    settings = Settings(privacy={"answer_within_hours": 24, "erasure_grace_hours": 24})
    with pytest.raises(SettingsInvalid, match="an erasure must not wait"):
        policy_from(settings.privacy, PrivacyPolicy)


def test_stand_ins_end_with_development() -> None:
    production = PLAIN.model_copy(update={"env": Environment.PRODUCTION})
    assert people_policy(PLAIN).sample_niks
    assert not people_policy(production).sample_niks
    assert not agency_policy(production).secrets_allowed
    assert not provider_policy(production).allow_http


def test_the_longest_token_is_over_before_its_key_is_gone() -> None:
    tightest = Settings(identity={"key_keep_minutes": 120, "token_seconds": 3600, "key_days": 8})
    policy = token_key_policy(tightest)
    assert policy.keep > timedelta(seconds=tightest.identity.token_seconds)
    assert policy.keep > timedelta(minutes=60), "the longest ID token"
