"""What is missing before a code: the rules as a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from identity.login.model import Acr, DeviceName, Place, Session
from identity.provider.decisions import Ask, LogIn, Proceed, StepUp, next_step
from identity.provider.errors import AuthorizationRefused, ErrorCode
from identity.provider.model import AuthorizationRequest, Consent, Prompt, ResponseMode

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BEGUN = NOW - timedelta(minutes=5)
SESSION = Session(
    id="s",
    person_id="p",
    auth_time=NOW - timedelta(hours=1),
    acr=Acr.AAL2,
    amr=("pwd", "otp", "mfa"),
    created_at=NOW - timedelta(hours=1),
    last_seen_at=NOW,
    expires_at=NOW + timedelta(hours=11),
    device=DeviceName("", ""),
    place=Place("", ""),
)
STRONG = replace(SESSION, acr=Acr.PHR)
FRESH = replace(SESSION, auth_time=BEGUN)
REQUEST = AuthorizationRequest(
    "portal-1", "https://p/cb", ResponseMode.QUERY, frozenset({"openid", "profile"}), "c"
)
AGREED = Consent("p", "portal-1", frozenset({"openid", "profile", "email"}), NOW)


def step(
    session: Session | None, consent: Consent | None = AGREED, agreed: bool = False, **changes: Any
) -> Any:
    return next_step(
        replace(REQUEST, **changes),
        session=session,
        subject="sub",
        consent=consent,
        begun_at=BEGUN,
        now=NOW,
        agreed=agreed,
    )


def prompts(*words: Prompt) -> frozenset[Prompt]:
    return frozenset(words)


VECTORS: list[tuple[str, Session | None, dict[str, Any], object]] = [
    ("nobody there", None, {}, LogIn()),
    ("all there", SESSION, {}, Proceed(SESSION)),
    ("passkey asked, code given", SESSION, {"acr_values": (Acr.PHR,)}, StepUp(Acr.PHR)),
    ("either will do", SESSION, {"acr_values": (Acr.PHR, Acr.AAL2)}, Proceed(SESSION)),
    ("more than asked", STRONG, {"acr_values": (Acr.AAL2,)}, Proceed(STRONG)),
    ("young enough", SESSION, {"max_age": 3600}, Proceed(SESSION)),
    ("too old", SESSION, {"max_age": 3599}, StepUp(Acr.AAL2)),
    ("max_age 0", SESSION, {"max_age": 0}, StepUp(Acr.AAL2)),
    ("max_age 0, just done", FRESH, {"max_age": 0}, Proceed(FRESH)),
    ("login again", SESSION, {"prompts": prompts(Prompt.LOGIN)}, StepUp(Acr.AAL2)),
    ("login again, just done", FRESH, {"prompts": prompts(Prompt.LOGIN)}, Proceed(FRESH)),
    ("never agreed", SESSION, {"consent": None}, Ask()),
    ("agreed to less", SESSION, {"scopes": frozenset({"openid", "nik"})}, Ask()),
    ("agreed just now", SESSION, {"consent": None, "agreed": True}, Proceed(SESSION)),
    ("asked anew", SESSION, {"prompts": prompts(Prompt.CONSENT)}, Ask()),
    ("which account", SESSION, {"prompts": prompts(Prompt.SELECT_ACCOUNT)}, Ask()),
    ("whom the hint names", SESSION, {"hinted_subject": "sub"}, Proceed(SESSION)),
]


@pytest.mark.parametrize(
    ("name", "session", "changes", "expected"),
    VECTORS,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_comes_next(
    name: str, session: Session | None, changes: dict[str, Any], expected: object
) -> None:
    assert step(session, **changes) == expected


REFUSED: list[tuple[str, Session | None, dict[str, Any], ErrorCode]] = [
    ("silent, nobody there", None, {}, ErrorCode.LOGIN_REQUIRED),
    ("silent, too weak", SESSION, {"acr_values": (Acr.PHR,)}, ErrorCode.LOGIN_REQUIRED),
    ("silent, too old", SESSION, {"max_age": 1}, ErrorCode.LOGIN_REQUIRED),
    ("silent, never agreed", SESSION, {"consent": None}, ErrorCode.CONSENT_REQUIRED),
    ("silent, another person", SESSION, {"hinted_subject": "other"}, ErrorCode.LOGIN_REQUIRED),
]


@pytest.mark.parametrize(
    ("name", "session", "changes", "expected"),
    REFUSED,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_silent_request_is_told_what_is_missing(
    name: str, session: Session | None, changes: dict[str, Any], expected: ErrorCode
) -> None:
    with pytest.raises(AuthorizationRefused) as refused:
        step(session, prompts=prompts(Prompt.NONE), **changes)
    assert refused.value.code is expected


def test_a_silent_request_learns_no_more_than_the_name_of_its_error() -> None:
    told: dict[ErrorCode, set[str]] = {}
    for _, session, changes, code in REFUSED:
        with pytest.raises(AuthorizationRefused) as refused:
            step(session, prompts=prompts(Prompt.NONE), **changes)
        told.setdefault(code, set()).add(str(refused.value))
    assert {len(descriptions) for descriptions in told.values()} == {1}


def test_another_person_than_the_hint_names_is_refused_aloud_too() -> None:
    with pytest.raises(AuthorizationRefused) as refused:
        step(SESSION, hinted_subject="other")
    assert refused.value.code is ErrorCode.LOGIN_REQUIRED
