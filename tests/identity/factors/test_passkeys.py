"""Passkeys, with a software authenticator that makes real answers and can be made to lie."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from app.database import Database
from identity.factors.errors import (
    FactorUnknown,
    HolderUnknown,
    PasskeyChallengeGone,
    PasskeyCounterWentBack,
    PasskeyExists,
    PasskeyNotVerified,
    PasskeysTooMany,
    PasskeyUnknown,
)
from identity.factors.model import FactorKind
from identity.factors.service import Factors
from tests.identity.factors.conftest import ORIGIN, Mails, at_once, audited
from tests.support.authenticator import SoftwareAuthenticator, decode, encode
from tests.support.clock import FrozenClock


def register(factors: Factors, person_id: str, phone: SoftwareAuthenticator, name: str = "HP Siti") -> str:
    begun = factors.begin_passkey(person_id)
    return factors.confirm_passkey(person_id, begun.id, phone.create(begun.options_json), name=name).id


def log_in(factors: Factors, phone: SoftwareAuthenticator, person_id: str | None = None) -> str:
    begun = factors.passkey_options(person_id)
    return factors.check_passkey(begun.id, phone.get(begun.options_json), person_id)


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
@pytest.mark.parametrize("attestation", ["none", "packed"])
def test_a_passkey_names_and_proves_its_owner(
    factors: Factors, siti: str, algorithm: int, attestation: str
) -> None:
    phone = SoftwareAuthenticator(ORIGIN, algorithm=algorithm, attestation=attestation)
    factor_id = register(factors, siti, phone)
    assert log_in(factors, phone) == siti
    (factor,) = factors.of(siti)
    assert (factor.id, factor.kind, factor.name) == (factor_id, FactorKind.PASSKEY, "HP Siti")
    assert factor.last_used_at is not None


def test_a_passkey_is_a_second_factor_for_its_owner_only(
    factors: Factors, siti: str, phone: SoftwareAuthenticator, new_person: Callable[..., str]
) -> None:
    register(factors, siti, phone)
    assert log_in(factors, phone, siti) == siti
    budi = new_person(name="Budi", email="budi@contoh.id")
    begun = factors.passkey_options(budi)
    with pytest.raises(PasskeyUnknown):
        factors.check_passkey(begun.id, phone.get(begun.options_json), budi)


def test_options_demand_what_makes_a_passkey_two_factors(
    factors: Factors, siti: str, phone: SoftwareAuthenticator
) -> None:
    options = json.loads(factors.begin_passkey(siti).options_json)
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    assert options["attestation"] == "none"
    assert options["rp"] == {"name": "Absah", "id": "absah.example"}
    assert decode(options["user"]["id"]) == siti.encode()
    assert [offered["alg"] for offered in options["pubKeyCredParams"]] == [-8, -7, -257]
    register(factors, siti, phone)
    (credential,) = phone.credentials
    begun = json.loads(factors.begin_passkey(siti).options_json)
    assert [decode(each["id"]) for each in begun["excludeCredentials"]] == [credential.id]
    asked = json.loads(factors.passkey_options(siti).options_json)
    assert asked["userVerification"] == "required"
    assert [decode(each["id"]) for each in asked["allowCredentials"]] == [credential.id]
    assert json.loads(factors.passkey_options(None).options_json)["allowCredentials"] == []


def test_challenges_are_32_random_bytes(factors: Factors, siti: str) -> None:
    seen = {json.loads(factors.passkey_options(siti).options_json)["challenge"] for _ in range(5)}
    assert len(seen) == 5
    assert {len(decode(challenge)) for challenge in seen} == {32}


def test_a_passkey_without_user_verification_is_refused(
    factors: Factors, siti: str, phone: SoftwareAuthenticator
) -> None:
    with pytest.raises(PasskeyNotVerified):
        register(factors, siti, SoftwareAuthenticator(ORIGIN, verifies_user=False))
    assert factors.of(siti) == ()
    register(factors, siti, phone)
    phone.verifies_user = False
    with pytest.raises(PasskeyNotVerified):
        log_in(factors, phone)


def test_a_forged_signature_is_refused(factors: Factors, siti: str, phone: SoftwareAuthenticator) -> None:
    register(factors, siti, phone)
    phone.credentials[0].key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(PasskeyNotVerified):
        log_in(factors, phone)


def test_a_passkey_cannot_speak_for_another_person(
    factors: Factors, siti: str, phone: SoftwareAuthenticator, new_person: Callable[..., str]
) -> None:
    register(factors, siti, phone)
    phone.credentials[0].user_handle = new_person(email="budi@contoh.id").encode()
    with pytest.raises(PasskeyNotVerified):
        log_in(factors, phone)


def test_a_credential_does_not_become_a_synchronised_one(
    factors: Factors, siti: str, phone: SoftwareAuthenticator
) -> None:
    register(factors, siti, phone)
    phone.is_synchronised = True
    with pytest.raises(PasskeyNotVerified):
        log_in(factors, phone)


def test_a_synchronised_passkey_without_a_counter_works_again_and_again(factors: Factors, siti: str) -> None:
    phone = SoftwareAuthenticator(ORIGIN, is_synchronised=True, counts=False, sends_user_handle=False)
    register(factors, siti, phone)
    for _ in range(3):
        assert log_in(factors, phone) == siti


def test_a_challenge_is_answered_once(factors: Factors, siti: str, phone: SoftwareAuthenticator) -> None:
    begun = factors.begin_passkey(siti)
    answer = phone.create(begun.options_json)
    factors.confirm_passkey(siti, begun.id, answer)
    with pytest.raises(PasskeyChallengeGone):
        factors.confirm_passkey(siti, begun.id, answer)
    asked = factors.passkey_options(None)
    proof = phone.get(asked.options_json)
    assert factors.check_passkey(asked.id, proof, None) == siti
    with pytest.raises(PasskeyChallengeGone):
        factors.check_passkey(asked.id, proof, None)


def test_a_refused_answer_uses_the_challenge_up(
    factors: Factors, siti: str, phone: SoftwareAuthenticator
) -> None:
    register(factors, siti, phone)
    asked = factors.passkey_options(None)
    with pytest.raises(PasskeyNotVerified):
        factors.check_passkey(asked.id, "{}", None)
    with pytest.raises(PasskeyChallengeGone):
        factors.check_passkey(asked.id, phone.get(asked.options_json), None)


def test_of_20_answers_to_one_challenge_at_once_exactly_one_is_accepted(
    factors: Factors, siti: str, phone: SoftwareAuthenticator
) -> None:
    phone.counts = False  # so that only the challenge can tell them apart
    register(factors, siti, phone)
    asked = factors.passkey_options(None)
    proof = phone.get(asked.options_json)
    answers = at_once(20, lambda: factors.check_passkey(asked.id, proof, None))
    assert answers.count(siti) == 1
    assert sum(isinstance(answer, PasskeyChallengeGone) for answer in answers) == 19


def test_a_challenge_serves_only_what_and_whom_it_was_made_for(
    factors: Factors,
    siti: str,
    phone: SoftwareAuthenticator,
    new_person: Callable[..., str],
    clock: FrozenClock,
) -> None:
    register(factors, siti, phone)
    budi = new_person(email="budi@contoh.id")
    for made_for, answered_as in [(siti, budi), (siti, None), (None, siti)]:
        asked = factors.passkey_options(made_for)
        with pytest.raises(PasskeyChallengeGone):
            factors.check_passkey(asked.id, phone.get(asked.options_json), answered_as)
    registration = factors.begin_passkey(siti)
    with pytest.raises(PasskeyChallengeGone):
        factors.check_passkey(registration.id, "{}", siti)
    login = factors.passkey_options(siti)
    with pytest.raises(PasskeyChallengeGone):
        factors.confirm_passkey(siti, login.id, "{}")
    late = factors.passkey_options(None)
    clock.advance(timedelta(minutes=10))
    with pytest.raises(PasskeyChallengeGone):
        factors.check_passkey(late.id, phone.get(late.options_json), None)


def test_an_answer_to_another_challenge_is_refused(
    factors: Factors, siti: str, phone: SoftwareAuthenticator
) -> None:
    register(factors, siti, phone)
    first, second = factors.passkey_options(None), factors.passkey_options(None)
    with pytest.raises(PasskeyNotVerified):
        factors.check_passkey(first.id, phone.get(second.options_json), None)


def test_a_copied_passkey_is_refused_noted_and_announced(
    factors: Factors,
    siti: str,
    phone: SoftwareAuthenticator,
    database: Database,
    mails: Mails,
    clock: FrozenClock,
) -> None:
    register(factors, siti, phone)
    copy = phone.copied()
    assert log_in(factors, phone) == siti
    with pytest.raises(PasskeyCounterWentBack):
        log_in(factors, copy)
    (factor,) = factors.of(siti)
    assert factor.suspected_at == clock()
    assert audited(database)[-1] == ("passkey.suspected", siti)
    assert mails.queued[-1].template == "passkey_suspected"
    assert mails.queued[-1].values["factor"] == "kunci sandi (passkey), HP Siti"
    assert log_in(factors, phone) == siti


def test_a_counter_that_falls_to_zero_went_back_too(
    factors: Factors, siti: str, phone: SoftwareAuthenticator
) -> None:
    register(factors, siti, phone)
    assert log_in(factors, phone) == siti
    phone.counts = False
    with pytest.raises(PasskeyCounterWentBack):
        log_in(factors, phone)


def test_a_person_may_have_several_up_to_a_limit(factors: Factors, siti: str, clock: FrozenClock) -> None:
    phones = [SoftwareAuthenticator(ORIGIN) for _ in range(3)]
    pending = factors.begin_passkey(siti)
    for number, phone in enumerate(phones):
        register(factors, siti, phone, f"HP {number}")
        clock.advance(timedelta(seconds=1))
    assert [factor.name for factor in factors.of(siti)] == ["HP 0", "HP 1", "HP 2"]
    assert [log_in(factors, phone) for phone in phones] == [siti] * 3
    with pytest.raises(PasskeysTooMany):
        factors.begin_passkey(siti)
    with pytest.raises(PasskeysTooMany):
        factors.confirm_passkey(siti, pending.id, SoftwareAuthenticator(ORIGIN).create(pending.options_json))


def test_a_credential_is_registered_once_whoever_asks(
    factors: Factors, siti: str, phone: SoftwareAuthenticator, new_person: Callable[..., str]
) -> None:
    register(factors, siti, phone)
    (credential,) = phone.credentials
    thief = SoftwareAuthenticator(ORIGIN)
    begun = factors.begin_passkey(new_person(email="budi@contoh.id"))
    posted = json.loads(thief.create(begun.options_json))
    attestation = cbor2.loads(decode(posted["response"]["attestationObject"]))
    attestation["authData"] = attestation["authData"].replace(thief.credentials[0].id, credential.id)
    posted["response"]["attestationObject"] = encode(cbor2.dumps(attestation))
    posted["id"] = posted["rawId"] = encode(credential.id)
    budi = decode(json.loads(begun.options_json)["user"]["id"]).decode()
    with pytest.raises(PasskeyExists):
        factors.confirm_passkey(budi, begun.id, json.dumps(posted))
    assert log_in(factors, phone) == siti


def test_challenge_ids_that_never_were_are_refused(factors: Factors, siti: str) -> None:
    for challenge_id in ("", "challenge-0", "'; --", "\ud7ff" * 50):
        with pytest.raises(PasskeyChallengeGone):
            factors.check_passkey(challenge_id, "{}", None)
        with pytest.raises(PasskeyChallengeGone):
            factors.confirm_passkey(siti, challenge_id, "{}")


def test_a_name_is_kept_on_one_printable_line(
    factors: Factors, siti: str, phone: SoftwareAuthenticator, new_person: Callable[..., str]
) -> None:
    factor_id = register(factors, siti, phone, "  HP\u202e \n Siti\x00 " + "x" * 200)
    (factor,) = factors.of(siti)
    assert factor.name.startswith("HP Siti xxx")
    assert len(factor.name) == 60
    factors.rename_passkey(siti, factor_id, "Tablet")
    (factor,) = factors.of(siti)
    assert factor.name == "Tablet"
    with pytest.raises(FactorUnknown):
        factors.rename_passkey(new_person(email="budi@contoh.id"), factor_id, "Milik saya")


def test_nobody_registers_for_a_person_who_is_not_there(factors: Factors) -> None:
    with pytest.raises(HolderUnknown):
        factors.begin_passkey("person-unknown")


def test_upkeep_discards_what_is_over(factors: Factors, siti: str, clock: FrozenClock) -> None:
    factors.begin_totp(siti)
    factors.passkey_options(None)
    factors.begin_passkey(siti)
    assert factors.discard_expired() == 0
    clock.advance(timedelta(minutes=20))
    assert factors.discard_expired() == 3
    assert factors.discard_expired() == 0
