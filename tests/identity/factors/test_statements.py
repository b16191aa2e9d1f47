"""Statements that passkeys sign: proven when they are made, and again long after."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest

from identity.factors.errors import PasskeyCounterWentBack, PasskeyNotVerified, PasskeyUnknown
from identity.factors.service import Factors
from tests.identity.factors.conftest import ORIGIN
from tests.support.authenticator import SoftwareAuthenticator

WORDS = sha256(b"destroy key 1").digest()


@dataclass
class Signed:
    """What is kept of a statement: the answer, and the credential as it was written down."""

    answer: bytes
    credential: dict[str, Any]


@pytest.fixture
def signed(factors: Factors, siti: str, phone: SoftwareAuthenticator) -> Signed:
    begun = factors.begin_passkey(siti)
    factors.confirm_passkey(siti, begun.id, phone.create(begun.options_json))
    return sign(factors, siti, phone)


def sign(factors: Factors, person_id: str, phone: SoftwareAuthenticator) -> Signed:
    answer = phone.get(factors.statement_options(person_id, WORDS).options_json)
    passkey = factors.check_statement(person_id, answer, WORDS)
    return Signed(
        answer.encode(),
        {
            "credential_id": passkey.credential_id,
            "public_key": passkey.public_key,
            "person_id": person_id,
            "challenge": WORDS,
        },
    )


def test_a_statement_proves_itself_for_good_without_the_passkey(
    factors: Factors, siti: str, phone: SoftwareAuthenticator, signed: Signed
) -> None:
    assert factors.is_statement(signed.answer, **signed.credential)
    sign(factors, siti, phone)  # the counter moves on
    assert factors.is_statement(signed.answer, **signed.credential)


def test_only_the_owner_is_asked_and_only_what_was_said_is_signed(
    factors: Factors, siti: str, signed: Signed, new_person: Callable[..., str]
) -> None:
    options = json.loads(factors.statement_options(siti, WORDS).options_json)
    assert len(options["allowCredentials"]) == 1
    assert options["userVerification"] == "required"
    budi = new_person(name="Budi", email="budi@contoh.id")
    with pytest.raises(PasskeyUnknown):
        factors.check_statement(budi, signed.answer.decode(), WORDS)
    with pytest.raises(PasskeyNotVerified):
        factors.check_statement(siti, signed.answer.decode(), sha256(b"other").digest())


def test_a_statement_handed_in_twice_is_a_counter_that_went_back(
    factors: Factors, siti: str, signed: Signed
) -> None:
    with pytest.raises(PasskeyCounterWentBack):
        factors.check_statement(siti, signed.answer.decode(), WORDS)


@pytest.mark.parametrize(
    "other",
    [
        {"credential_id": b"another"},
        {"person_id": "person-another"},
        {"challenge": sha256(b"destroy key 2").digest()},
        {"public_key": b""},
        {"public_key": b"\xa0"},
    ],
    ids=lambda value: next(iter(value)),
)
def test_a_statement_is_by_that_credential_of_that_person_over_those_words(
    other: dict[str, Any], factors: Factors, signed: Signed
) -> None:
    assert not factors.is_statement(signed.answer, **(signed.credential | other))


@pytest.mark.parametrize("answer", [b"", b"{}", b"null", b"\xff", b"[" * 20_000, b"x" * 100_000])
def test_hostile_bytes_are_no_statement(answer: bytes, factors: Factors, signed: Signed) -> None:
    assert not factors.is_statement(answer, **signed.credential)


def test_a_statement_without_the_user_or_from_another_site_is_none(
    factors: Factors, siti: str, phone: SoftwareAuthenticator, signed: Signed
) -> None:
    for lie in ({"verifies_user": False}, {"origin": "https://clone.example"}, {"cross_origin": True}):
        liar = phone.copied()
        for name, value in lie.items():
            setattr(liar, name, value)
        answer = liar.get(factors.statement_options(siti, WORDS).options_json)
        assert not factors.is_statement(answer.encode(), **signed.credential), lie
    assert phone.origin == ORIGIN
