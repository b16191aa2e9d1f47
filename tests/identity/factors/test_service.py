"""Passwords, and what all factors have in common: lists, removal, notices, export."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import argon2
import pytest

from app.audit import Audit
from app.database import Database
from app.vault import CustodyVault
from identity.factors.errors import (
    FactorNeeded,
    FactorUnknown,
    HolderUnknown,
    PasskeyUnknown,
    PasswordsBusy,
    PasswordTooShort,
)
from identity.factors.model import FactorKind, PasswordCost, PasswordHash
from identity.factors.passwords import SlowHasher
from identity.factors.service import Factors
from identity.factors.tables import PasswordTable
from identity.people.profiles import Profiles
from identity.people.tables import PersonTable
from tests.identity.factors.conftest import ORIGIN, PASSWORD, Mails, at_once, audited
from tests.identity.factors.test_passkeys import log_in, register
from tests.identity.factors.test_totp import code_at
from tests.support.authenticator import SoftwareAuthenticator
from tests.support.clock import FrozenClock


def set_app_up(factors: Factors, person_id: str, clock: FrozenClock) -> str:
    setup = factors.begin_totp(person_id)
    secret = setup.secret_text.replace(" ", "")
    return factors.confirm_totp(person_id, setup.id, code_at(secret, clock())).id


# --- passwords ---------------------------------------------------------------------------------------


def test_a_password_is_right_in_one_spelling_only(factors: Factors, siti: str) -> None:
    factors.set_password(siti, PASSWORD)
    assert factors.check_password(siti, PASSWORD)
    for wrong in (PASSWORD.upper(), PASSWORD + " ", PASSWORD[:-1], "", "x" * 100_000, "\ud800" * 10):
        assert not factors.check_password(siti, wrong)


def test_unicode_spellings_of_one_password_are_one(factors: Factors, siti: str) -> None:
    factors.set_password(siti, "Caf\u00e9 Jawa\u00a0Barat")
    assert factors.check_password(siti, "Cafe\u0301 Jawa Barat")
    assert factors.check_password(siti, "\uff23af\u00e9\u3000Jawa Barat")


def test_nobody_and_people_without_a_password_have_none(factors: Factors, siti: str) -> None:
    assert not factors.check_password(None, PASSWORD)
    assert not factors.check_password(siti, PASSWORD)
    assert not factors.check_password("person-unknown", PASSWORD)
    with pytest.raises(HolderUnknown):
        factors.set_password("person-unknown", PASSWORD)


def test_a_change_ends_the_old_password_and_all_sessions(
    factors: Factors, siti: str, ended: list[str], mails: Mails, database: Database
) -> None:
    factors.set_password(siti, PASSWORD)
    factors.set_password(siti, "delapan kuda lumping")
    assert not factors.check_password(siti, PASSWORD)
    assert factors.check_password(siti, "delapan kuda lumping")
    assert ended == [siti, siti]
    assert [mail.template for mail in mails.queued] == ["factor_added", "password_changed"]
    assert mails.queued[0].values["factor"] == "kata sandi"
    assert audited(database) == [("factor.added", siti), ("password.changed", siti)]


def test_a_refused_password_changes_nothing(
    factors: Factors, siti: str, ended: list[str], mails: Mails
) -> None:
    factors.set_password(siti, PASSWORD)
    with pytest.raises(PasswordTooShort):
        factors.set_password(siti, "kurang")
    assert factors.check_password(siti, PASSWORD)
    assert len(ended) == len(mails.queued) == 1


def test_what_ends_sessions_fails_the_change_when_it_fails(
    factors: Factors, siti: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(tx: object, person_id: str) -> None:
        raise RuntimeError("sessions could not be ended")

    factors.set_password(siti, PASSWORD)
    monkeypatch.setattr(factors, "_password_changed", (broken,))
    with pytest.raises(RuntimeError):
        factors.set_password(siti, "delapan kuda lumping")
    assert factors.check_password(siti, PASSWORD)


@pytest.mark.parametrize("password_cost", [PasswordCost()])
def test_a_hash_with_old_parameters_is_renewed_by_the_next_login(
    factors: Factors, siti: str, database: Database, clock: FrozenClock
) -> None:
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    with database.begin() as tx:
        PasswordTable(tx).put(PasswordHash(siti, weak, clock()))
    assert factors.check_password(siti, PASSWORD)
    with database.read() as tx:
        stored = PasswordTable(tx).get(siti)
    assert stored is not None
    assert stored.hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert factors.check_password(siti, PASSWORD)


def test_a_password_that_was_changed_while_it_was_checked_does_not_log_in(
    factors: Factors, siti: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    factors.set_password(siti, PASSWORD)
    matches = SlowHasher.matches

    def overtaken(self: SlowHasher, hashed: str | None, secret: str | None) -> bool:
        result = matches(self, hashed, secret)
        monkeypatch.undo()
        factors.set_password(siti, "delapan kuda lumping")
        return result

    monkeypatch.setattr(SlowHasher, "matches", overtaken)
    assert not factors.check_password(siti, PASSWORD)


def test_more_callers_than_there_is_room_for_are_sent_away_and_memory_stays_bounded() -> None:
    hasher = SlowHasher(at_once=1, waiting=2, cost=PasswordCost())
    answers = at_once(20, lambda: hasher.hash(PASSWORD))
    busy = [answer for answer in answers if isinstance(answer, PasswordsBusy)]
    made = [answer for answer in answers if isinstance(answer, str)]
    assert len(made) + len(busy) == 20
    assert len(made) >= 3
    assert busy
    assert busy[0].retry_after > 0
    assert hasher.matches(made[0], PASSWORD)  # every place was given back


# --- what all factors have in common -----------------------------------------------------------------


def test_the_list_tells_what_there_is(
    factors: Factors, siti: str, clock: FrozenClock, phone: SoftwareAuthenticator
) -> None:
    assert factors.of(siti) == ()
    assert not factors.is_complete(siti)
    factors.set_password(siti, PASSWORD)
    factors.renew_recovery_codes(siti)
    assert not factors.is_complete(siti)
    set_app_up(factors, siti, clock)
    assert factors.is_complete(siti)
    register(factors, siti, phone)
    clock.advance(timedelta(days=1))
    factors.check_password(siti, PASSWORD)
    listed = factors.of(siti)
    assert [factor.kind for factor in listed] == list(FactorKind)
    assert [factor.last_used_at for factor in listed] == [clock(), None, None, None]
    assert {factor.created_at for factor in listed} == {clock() - timedelta(days=1)}


def test_removal_ends_at_what_is_needed(
    factors: Factors, siti: str, clock: FrozenClock, phone: SoftwareAuthenticator
) -> None:
    factors.set_password(siti, PASSWORD)
    app = set_app_up(factors, siti, clock)
    for needed in ("password", app):
        with pytest.raises(FactorNeeded):
            factors.remove(siti, needed)
    passkey = register(factors, siti, phone)
    factors.renew_recovery_codes(siti)
    factors.remove(siti, app)
    factors.remove(siti, "password")
    with pytest.raises(FactorNeeded):
        factors.remove(siti, passkey)
    factors.remove(siti, "recovery-codes")
    assert [factor.id for factor in factors.of(siti)] == [passkey]
    assert not factors.check_password(siti, PASSWORD)


def test_a_removed_passkey_logs_nobody_in(factors: Factors, siti: str, phone: SoftwareAuthenticator) -> None:
    first = register(factors, siti, phone)
    register(factors, siti, SoftwareAuthenticator(phone.origin))
    factors.remove(siti, first)
    with pytest.raises(PasskeyUnknown):
        log_in(factors, phone)


def test_two_removals_at_once_leave_one_passkey(factors: Factors, new_person: Callable[..., str]) -> None:
    for number in range(8):
        person = new_person(email=f"warga{number}@contoh.id")
        pair = [register(factors, person, SoftwareAuthenticator(ORIGIN)) for _ in range(2)]
        together = Barrier(2)

        def remove(factor_id: str, person: str = person, together: Barrier = together) -> None:
            together.wait()
            with suppress(FactorNeeded):
                factors.remove(person, factor_id)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(remove, pair))
        assert len(factors.of(person)) == 1


def test_nobody_removes_what_is_another_persons(
    factors: Factors, siti: str, phone: SoftwareAuthenticator, new_person: Callable[..., str]
) -> None:
    passkey = register(factors, siti, phone)
    budi = new_person(email="budi@contoh.id")
    for factor_id in (passkey, "password", "recovery-codes", "", "nothing"):
        with pytest.raises(FactorUnknown):
            factors.remove(budi, factor_id)
    with pytest.raises(HolderUnknown):
        factors.remove("person-unknown", passkey)
    assert [factor.id for factor in factors.of(siti)] == [passkey]


def test_every_change_is_announced_in_the_persons_language_and_audited(
    factors: Factors,
    siti: str,
    clock: FrozenClock,
    phone: SoftwareAuthenticator,
    mails: Mails,
    database: Database,
) -> None:
    factors.set_password(siti, PASSWORD)
    app = set_app_up(factors, siti, clock)
    register(factors, siti, phone)
    factors.renew_recovery_codes(siti)
    factors.remove(siti, app, actor="officer-7")
    assert [mail.template for mail in mails.queued] == [
        "factor_added",
        "factor_added",
        "factor_added",
        "recovery_codes_renewed",
        "factor_removed",
    ]
    assert {(mail.to, mail.language) for mail in mails.queued} == {("siti.rahma@contoh.id", "id")}
    assert [mail.values.get("factor") for mail in mails.queued] == [
        "kata sandi",
        "aplikasi autentikator",
        "kunci sandi (passkey), HP Siti",
        None,
        "aplikasi autentikator",
    ]
    assert audited(database) == [
        ("factor.added", siti),
        ("factor.added", siti),
        ("factor.added", siti),
        ("recovery_codes.renewed", siti),
        ("factor.removed", "officer-7"),
    ]


def test_no_secret_and_no_word_of_the_person_is_in_the_audit_trail(
    factors: Factors, siti: str, clock: FrozenClock, phone: SoftwareAuthenticator, database: Database
) -> None:
    factors.set_password(siti, PASSWORD)
    set_app_up(factors, siti, clock)
    register(factors, siti, phone, "Ponsel Siti Rahmawati")
    codes = factors.renew_recovery_codes(siti)
    with database.read() as tx:
        trail = "\n".join(entry.facts + entry.subject for entry in Audit(clock=clock).entries(tx))
    for private in (PASSWORD, "Rahmawati", "contoh.id", "argon2", *codes):
        assert private not in trail


def test_a_person_without_a_mailbox_gets_no_mail_and_the_change_stands(
    factors: Factors, siti: str, database: Database, vault: CustodyVault, clock: FrozenClock, mails: Mails
) -> None:
    with database.begin() as tx:
        record = PersonTable(tx).get(siti)
        assert record is not None
        person = Profiles(vault).person(record)
        PersonTable(tx).change(
            Profiles(vault).record(replace(person, email_confirmed_at=None), record, now=clock())
        )
    factors.set_password(siti, PASSWORD)
    assert factors.check_password(siti, PASSWORD)
    assert mails.queued == []
    assert audited(database) == [("factor.added", siti)]


def test_dropping_takes_what_is_named_and_asks_for_no_rest(
    factors: Factors, siti: str, clock: FrozenClock, phone: SoftwareAuthenticator, database: Database
) -> None:
    factors.set_password(siti, PASSWORD)
    set_app_up(factors, siti, clock)
    register(factors, siti, phone)
    factors.renew_recovery_codes(siti)
    factors.begin_passkey(siti)
    factors.begin_totp(siti)
    with database.begin() as tx:
        factors.drop(tx, siti, [FactorKind.PASSWORD])
    assert [factor.kind for factor in factors.of(siti)] == list(FactorKind)[1:]
    with database.begin() as tx:
        factors.drop(tx, siti)
    assert factors.of(siti) == ()
    clock.advance(timedelta(days=1))
    assert factors.discard_expired() == 0


def test_an_erased_person_gets_no_factor(
    factors: Factors, siti: str, database: Database, clock: FrozenClock
) -> None:
    begun = factors.begin_totp(siti)
    with database.begin() as tx:
        record = PersonTable(tx).get(siti)
        assert record is not None
        PersonTable(tx).change(record.erased(clock()))
    with pytest.raises(HolderUnknown):
        factors.set_password(siti, PASSWORD)
    code = code_at(begun.secret_text.replace(" ", ""), clock())
    with pytest.raises(HolderUnknown):
        factors.confirm_totp(siti, begun.id, code)
    assert factors.of(siti) == ()


def test_the_export_holds_everything_but_secrets(
    factors: Factors, siti: str, clock: FrozenClock, phone: SoftwareAuthenticator
) -> None:
    assert factors.held(siti) == {"ways_to_log_in": []}
    factors.set_password(siti, PASSWORD)
    register(factors, siti, phone)
    now = clock().isoformat()
    assert factors.held(siti) == {
        "ways_to_log_in": [
            {"kind": "password", "name": "", "since": now, "last_used": None},
            {"kind": "passkey", "name": "HP Siti", "since": now, "last_used": None},
        ]
    }
