"""Requests and decisions as facts: what is signed, and what cannot be asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import pytest

from keys.approvals import (
    PARAMETERS,
    ApprovalPolicy,
    KeyAct,
    KeyRequest,
    Statement,
    Verdict,
    grouped,
    new_request,
)
from keys.errors import RequestInvalid

NOW = datetime(2026, 11, 22, 8, 0, 0, 123456, tzinfo=UTC)
POLICY = ApprovalPolicy(required=2)


def asked(act: KeyAct = KeyAct.DESTROY, **parameters: str) -> KeyRequest:
    return new_request(act, parameters or {"key": "seal-1"}, requester="cli:ani", now=NOW, policy=POLICY)


def test_the_digest_is_sha256_over_json_with_one_spelling() -> None:
    request = replace(asked(), id="key-request-1")
    written = (
        b'{"act":"destroy","expires_at":"2026-11-25T08:00:00Z","id":"key-request-1",'
        b'"parameters":{"key":"seal-1"},"requested_at":"2026-11-22T08:00:00Z",'
        b'"requester":"cli:ani","required":2,"service":"http://127.0.0.1:8000",'
        b'"type":"absah key request v1"}'
    )
    assert request.canonical() == written
    assert request.digest == sha256(written).hexdigest()


def test_the_digest_covers_every_field() -> None:
    request = asked()
    others = {
        "id": "key-request-2",
        "act": KeyAct.RETIRE,
        "parameters": {"key": "seal-2"},
        "requester": "cli:budi",
        "requested_at": NOW - timedelta(days=1),
        "expires_at": NOW + timedelta(days=30),
        "required": 1,
        "service": "https://trial.example",
    }
    assert set(others) == set(KeyRequest.__dataclass_fields__)
    digests = {replace(request, **{name: value}).digest for name, value in others.items()}  # type: ignore[arg-type]
    assert len(digests | {request.digest}) == len(others) + 1


def test_a_moment_has_one_spelling_in_any_zone() -> None:
    request = asked()
    moved = replace(request, requested_at=request.requested_at.astimezone(timezone(timedelta(hours=7))))
    assert moved.digest == request.digest


def test_a_statement_binds_request_verdict_and_custodian() -> None:
    statement = Statement(asked().digest, Verdict.APPROVE, "ani")
    others = [
        replace(statement, request_digest=asked().digest),
        replace(statement, verdict=Verdict.REJECT),
        replace(statement, custodian="budi"),
    ]
    assert len({one.message() for one in (statement, *others)}) == 4
    assert statement.challenge() == sha256(statement.message()).digest()
    assert json.loads(statement.message())["type"] == "absah key decision v1"


def test_a_request_begins_with_the_policy_of_its_day() -> None:
    request = asked()
    assert (request.required, request.expires_at - request.requested_at) == (2, timedelta(hours=72))


def test_two_requests_for_the_same_are_two() -> None:
    assert asked().digest != asked().digest


@pytest.mark.parametrize("act", KeyAct)
def test_every_act_says_what_its_requests_must_and_may_name(act: KeyAct) -> None:
    known = PARAMETERS[act]
    full = dict.fromkeys(known.known, "x")
    assert dict(asked(act, **full).parameters) == full
    for name in known.required:
        with pytest.raises(RequestInvalid, match=name):
            asked(act, **{other: "x" for other in known.known if other != name})
    with pytest.raises(RequestInvalid, match="does not know force"):
        asked(act, **full, force="yes")


@pytest.mark.parametrize(
    "value",
    ["", "  ", "two\nlines", "nul\0", "esc\x1b[2J", "right\u202eleft", "x" * 2_001],
    ids=["empty", "blank", "lines", "nul", "escape", "bidi", "long"],
)
def test_what_custodians_could_not_read_cannot_be_asked_for(value: str) -> None:
    with pytest.raises(RequestInvalid, match="key is empty"):
        asked(KeyAct.DESTROY, key=value)


def test_nobody_asks_in_nobodys_name() -> None:
    for requester in ("", "x" * 129):
        with pytest.raises(RequestInvalid, match="who asks"):
            new_request(KeyAct.RETIRE, {"key": "k"}, requester=requester, now=NOW, policy=POLICY)


def test_a_digest_is_read_in_groups_of_four() -> None:
    assert grouped("0123456789abcdef") == "0123 4567 89ab cdef"


@pytest.mark.parametrize(
    "hostile",
    [
        {"parameters": {"key": "seal-1", "reason": "yearly\x1b[2K\rRotate a key"}},
        {"requester": "cli:ani\x1b[8m"},
        {"service": "https://trial.example\n"},
        {"parameters": {"key": 1}},
        {"parameters": {"key": "seal-1", "purpose": "seal"}},
        {"parameters": {}},
        {"act": KeyAct.CUSTODIANS, "parameters": {"change": "promote", "custodian": "ani"}},
    ],
)
def test_a_request_that_could_dress_itself_up_at_the_signers_terminal_is_not_read(
    hostile: dict[str, Any],
) -> None:
    with pytest.raises(RequestInvalid):
        KeyRequest.read(replace(asked(), **hostile).canonical())
