"""Recovery codes: random, once each, readable from paper."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from app.database import Database
from identity.factors import recovery_codes
from identity.factors.errors import HolderUnknown
from identity.factors.model import FactorKind, PasswordCost
from identity.factors.service import Factors
from identity.factors.tables import RecoveryCodeTable
from tests.identity.factors.conftest import Mails, at_once, audited
from tests.support.clock import FrozenClock


@pytest.fixture
def codes(factors: Factors, siti: str) -> tuple[str, ...]:
    return factors.renew_recovery_codes(siti)


def test_there_are_ten_with_70_random_bits_each(codes: tuple[str, ...]) -> None:
    assert len(codes) == 10
    assert all(re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", code) for code in codes)
    assert len({recovery_codes.label(code) for code in codes}) == 10
    random_parts = "".join(
        code.replace("-", "")[2:] for _ in range(40) for code in recovery_codes.new_codes()
    )
    counts = {letter: random_parts.count(letter) for letter in "0123456789ABCDEFGHJKMNPQRSTVWXYZ"}
    assert sum(counts.values()) == len(random_parts) == 40 * 10 * 14
    assert min(counts.values()) > 100  # 175 expected of each of the 32: five bits a letter


def test_each_works_once(factors: Factors, siti: str, codes: tuple[str, ...]) -> None:
    for left, code in zip(range(9, 6, -1), codes, strict=False):
        assert factors.check_recovery_code(siti, code)
        assert not factors.check_recovery_code(siti, code)
        (factor,) = factors.of(siti)
        assert (factor.kind, factor.left) == (FactorKind.RECOVERY_CODE, left)


def test_of_20_posts_of_one_code_at_once_exactly_one_is_accepted(
    factors: Factors, siti: str, codes: tuple[str, ...], mails: Mails
) -> None:
    answers = at_once(20, lambda: factors.check_recovery_code(siti, codes[3]))
    assert sorted(answers, key=str) == [False] * 19 + [True]
    assert [mail.template for mail in mails.queued] == ["recovery_codes_renewed", "recovery_code_used"]


def test_using_one_is_announced_and_audited(
    factors: Factors, siti: str, codes: tuple[str, ...], mails: Mails, database: Database
) -> None:
    assert factors.check_recovery_code(siti, codes[0])
    assert mails.queued[-1].template == "recovery_code_used"
    assert mails.queued[-1].values["left"] == "9"
    assert audited(database) == [("recovery_codes.renewed", siti), ("recovery_code.used", siti)]


@pytest.mark.parametrize(
    "write",
    [
        str.lower,
        lambda code: code.replace("-", ""),
        lambda code: f"  {code.replace('-', ' ')} ",
        lambda code: code.replace("0", "o").replace("1", "l"),
        lambda code: code.replace("0", "O").replace("1", "I"),
    ],
    ids=["small letters", "without hyphens", "with spaces", "o and l", "O and I"],
)
def test_it_is_read_as_people_write_it(
    factors: Factors, siti: str, codes: tuple[str, ...], write: Callable[[str], str]
) -> None:
    code = next((code for code in codes if "0" in code or "1" in code), codes[0])
    assert factors.check_recovery_code(siti, write(code))


@pytest.mark.parametrize(
    "text", ["", "-", "0000-0000-0000-0000", "U" * 16, "７" * 16, "A" * 100_000, "é" * 16]
)
def test_what_is_no_code_of_this_person_is_refused(
    factors: Factors, siti: str, codes: tuple[str, ...], text: str
) -> None:
    assert not factors.check_recovery_code(siti, text)


def test_one_wrong_letter_is_refused(factors: Factors, siti: str, codes: tuple[str, ...]) -> None:
    last = "A" if codes[0][-1] != "A" else "B"
    assert not factors.check_recovery_code(siti, codes[0][:-1] + last)


def test_codes_are_their_owners_alone(
    factors: Factors, siti: str, codes: tuple[str, ...], new_person: Callable[..., str]
) -> None:
    assert not factors.check_recovery_code(new_person(email="budi@contoh.id"), codes[0])
    assert factors.check_recovery_code(siti, codes[0])


def test_new_codes_end_the_old_ones(factors: Factors, siti: str, codes: tuple[str, ...]) -> None:
    renewed = factors.renew_recovery_codes(siti)
    assert not any(factors.check_recovery_code(siti, code) for code in codes[:2])
    assert factors.check_recovery_code(siti, renewed[0])


@pytest.mark.parametrize("password_cost", [PasswordCost()])
def test_only_slow_hashes_are_kept(
    factors: Factors, siti: str, codes: tuple[str, ...], database: Database, clock: FrozenClock
) -> None:
    with database.read() as tx:
        stored = [RecoveryCodeTable(tx).find(siti, recovery_codes.label(code)) for code in codes]
    hashes = [code.hash for code in stored if code]
    assert len(set(hashes)) == 10
    assert all(kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for kept in hashes)


def test_nobody_gets_codes_for_a_person_who_is_not_there(factors: Factors) -> None:
    with pytest.raises(HolderUnknown):
        factors.renew_recovery_codes("person-unknown")
    assert not factors.check_recovery_code("person-unknown", "0000-0000-0000-0000")
