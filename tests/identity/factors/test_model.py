"""The rules: what suffices, what is complete, what may be removed."""

from __future__ import annotations

from itertools import chain, combinations

import pytest

from identity.factors.model import (
    Factor,
    FactorKind,
    Strength,
    is_complete,
    may_remove,
    strength_of,
)
from tests.support.clock import START

PASSWORD, TOTP, PASSKEY, CODE = FactorKind
EVERY_SET = [frozenset(kinds) for kinds in chain(*(combinations(FactorKind, n) for n in range(5)))]


@pytest.mark.parametrize(
    ("used", "strength"),
    [
        ([PASSWORD, TOTP], Strength("aal2", ("pwd", "otp", "mfa"))),
        ([PASSWORD, CODE], Strength("aal2", ("pwd", "otp", "mfa"))),
        ([PASSKEY], Strength("phr", ("pop", "user", "mfa"))),
        ([PASSKEY, PASSWORD], Strength("phr", ("pwd", "pop", "user", "mfa"))),
        ([PASSWORD], None),
        ([TOTP], None),
        ([CODE], None),
        ([CODE, CODE], None),
        ([TOTP, CODE], None),
        ([], None),
    ],
)
def test_what_the_used_factors_amount_to(used: list[FactorKind], strength: Strength | None) -> None:
    assert strength_of(used) == strength


@pytest.mark.parametrize("used", EVERY_SET, ids=lambda kinds: "+".join(sorted(kinds)) or "nothing")
def test_no_set_without_a_password_or_a_passkey_logs_in(used: frozenset[FactorKind]) -> None:
    if not used & {PASSWORD, PASSKEY}:
        assert strength_of(used) is None


@pytest.mark.parametrize("held", EVERY_SET, ids=lambda kinds: "+".join(sorted(kinds)) or "nothing")
def test_recovery_codes_complete_nothing(held: frozenset[FactorKind]) -> None:
    assert is_complete(held) == is_complete(held | {CODE})
    assert is_complete(held) == (PASSKEY in held or {PASSWORD, TOTP} <= held)


def factor(kind: FactorKind, number: int = 0) -> Factor:
    return Factor(f"{kind}-{number}", kind, "", START)


@pytest.mark.parametrize("kinds", EVERY_SET, ids=lambda kinds: "+".join(sorted(kinds)) or "nothing")
def test_whoever_can_log_in_can_still_do_so_after_every_permitted_removal(
    kinds: frozenset[FactorKind],
) -> None:
    held = [factor(kind) for kind in kinds]
    for each in held:
        left = [other.kind for other in held if other is not each]
        if is_complete(kinds) and may_remove(each.id, held):
            assert is_complete(left)
        if is_complete(left):
            assert may_remove(each.id, held)


def test_one_of_two_passkeys_may_go_and_the_last_may_not() -> None:
    assert may_remove("passkey-0", [factor(PASSKEY, 0), factor(PASSKEY, 1)])
    assert not may_remove("passkey-0", [factor(PASSKEY, 0), factor(CODE)])


def test_during_enrolment_everything_may_go() -> None:
    assert may_remove("password-0", [factor(PASSWORD)])
    assert may_remove("totp-0", [factor(TOTP), factor(CODE)])
