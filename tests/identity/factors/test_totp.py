"""Authenticator apps: what is accepted, once, and when."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlparse

import pyotp
import pytest
import zxingcpp
from PIL import Image

from app.database import Database
from identity.factors import totp
from identity.factors.errors import HolderUnknown, TotpCodeWrong, TotpSetupGone
from identity.factors.model import FactorKind
from identity.factors.service import Factors
from identity.factors.tables import TotpTable
from tests.identity.factors.conftest import Mails, at_once, audited
from tests.support.clock import FrozenClock

STEP = timedelta(seconds=30)


def code_at(secret: str, at: datetime) -> str:
    return pyotp.TOTP(secret).at(at)


@pytest.fixture
def secret(factors: Factors, siti: str, clock: FrozenClock) -> str:
    """The secret of Siti's app, whose set-up code is two steps old."""
    setup = factors.begin_totp(siti)
    secret = setup.secret_text.replace(" ", "")
    factors.confirm_totp(siti, setup.id, code_at(secret, clock()))
    clock.advance(2 * STEP)
    return secret


def test_codes_are_those_of_rfc_6238_appendix_b() -> None:
    import base64

    secret = base64.b32encode(b"12345678901234567890").decode()
    for seconds, code in [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")]:
        at = datetime.fromtimestamp(seconds, UTC)
        assert totp.matching_step(secret, code, now=at) == seconds // 30


@pytest.mark.parametrize("offset", [-30, 0, 30])
def test_a_phone_that_is_30_seconds_off_is_accepted(
    factors: Factors, siti: str, secret: str, clock: FrozenClock, offset: int
) -> None:
    assert factors.check_totp(siti, code_at(secret, clock() + timedelta(seconds=offset)))


@pytest.mark.parametrize("offset", [-90, -60, 60, 90])
def test_a_phone_that_is_a_minute_off_is_refused(
    factors: Factors, siti: str, secret: str, clock: FrozenClock, offset: int
) -> None:
    assert not factors.check_totp(siti, code_at(secret, clock() + timedelta(seconds=offset)))


def test_90_seconds_are_refused_at_every_second_of_a_step() -> None:
    secret = totp.new_secret()
    for second in range(30):
        now = datetime.fromtimestamp(1_800_000_000 + second, UTC)
        for offset in (-30, 30):
            assert totp.matching_step(secret, code_at(secret, now + timedelta(seconds=offset)), now=now)
        for offset in (-90, 90):
            assert not totp.matching_step(secret, code_at(secret, now + timedelta(seconds=offset)), now=now)


def test_a_code_works_once(factors: Factors, siti: str, secret: str, clock: FrozenClock) -> None:
    code = code_at(secret, clock())
    assert factors.check_totp(siti, code)
    assert not factors.check_totp(siti, code)
    clock.advance(STEP)
    assert not factors.check_totp(siti, code)
    assert factors.check_totp(siti, code_at(secret, clock()))


def test_a_code_before_the_last_accepted_one_is_refused(
    factors: Factors, siti: str, secret: str, clock: FrozenClock
) -> None:
    earlier = code_at(secret, clock() - STEP)
    assert factors.check_totp(siti, code_at(secret, clock()))
    assert not factors.check_totp(siti, earlier)


def test_of_20_posts_of_one_code_at_once_exactly_one_is_accepted(
    factors: Factors, siti: str, secret: str, clock: FrozenClock
) -> None:
    code = code_at(secret, clock())
    answers = at_once(20, lambda: factors.check_totp(siti, code))
    assert sorted(answers, key=str) == [False] * 19 + [True]


def test_the_code_that_confirmed_the_set_up_does_not_log_in(
    factors: Factors, siti: str, clock: FrozenClock
) -> None:
    setup = factors.begin_totp(siti)
    secret = setup.secret_text.replace(" ", "")
    code = code_at(secret, clock())
    factors.confirm_totp(siti, setup.id, code)
    assert not factors.check_totp(siti, code)
    clock.advance(STEP)
    assert not factors.check_totp(siti, code)
    assert factors.check_totp(siti, code_at(secret, clock()))


@pytest.mark.parametrize(
    "write",
    [
        lambda code: "".join(chr(ord(digit) - ord("0") + ord("０")) for digit in code),
        lambda code: "".join(chr(ord(digit) - ord("0") + 0x0660) for digit in code),
        lambda code: code + "\n",
        lambda code: " " + code,
        lambda code: code[:5],
        lambda code: "0" + code,
        lambda code: "",
        lambda code: code * 100_000,
        lambda code: f"+{code}",
    ],
)
def test_only_six_ascii_digits_are_a_code(
    factors: Factors, siti: str, secret: str, clock: FrozenClock, write: Callable[[str], str]
) -> None:
    written = write(code_at(secret, clock()))
    assert not factors.check_totp(siti, written)
    # The digits themselves are right: written plainly they are accepted.
    assert factors.check_totp(siti, code_at(secret, clock()))


def test_a_code_may_be_typed_in_two_groups_of_three(
    factors: Factors, siti: str, secret: str, clock: FrozenClock
) -> None:
    code = code_at(secret, clock())
    assert factors.check_totp(siti, f"{code[:3]} {code[3:]}")


def test_a_wrong_code_sets_nothing_up_and_the_right_one_still_does(
    factors: Factors, siti: str, clock: FrozenClock, mails: Mails
) -> None:
    setup = factors.begin_totp(siti)
    right = code_at(setup.secret_text.replace(" ", ""), clock())
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    with pytest.raises(TotpCodeWrong):
        factors.confirm_totp(siti, setup.id, wrong)
    assert factors.of(siti) == ()
    assert mails.queued == []
    factor = factors.confirm_totp(siti, setup.id, right)
    assert factors.of(siti) == (factor,)
    assert factor.kind is FactorKind.TOTP


def test_a_page_shown_again_shows_the_same_secret(factors: Factors, siti: str) -> None:
    setup = factors.begin_totp(siti)
    assert factors.totp_setup(siti, setup.id) == setup


def test_a_set_up_ends_with_its_time_its_use_and_with_later_ones(
    factors: Factors, siti: str, new_person: Callable[..., str], clock: FrozenClock
) -> None:
    late = factors.begin_totp(siti)
    clock.advance(timedelta(minutes=20))
    with pytest.raises(TotpSetupGone):
        factors.confirm_totp(siti, late.id, code_at(late.secret_text.replace(" ", ""), clock()))
    pushed_out = factors.begin_totp(siti)
    clock.advance(timedelta(seconds=1))
    other = factors.begin_totp(siti)
    clock.advance(timedelta(seconds=1))
    used = factors.begin_totp(siti)
    with pytest.raises(TotpSetupGone):
        factors.totp_setup(siti, pushed_out.id)
    with pytest.raises(TotpSetupGone):
        factors.totp_setup(new_person(email="budi@contoh.id"), used.id)
    factors.confirm_totp(siti, used.id, code_at(used.secret_text.replace(" ", ""), clock()))
    for gone in (used, other):
        with pytest.raises(TotpSetupGone):
            factors.confirm_totp(siti, gone.id, code_at(gone.secret_text.replace(" ", ""), clock()))


def test_one_set_up_confirmed_20_times_at_once_is_one_app(
    factors: Factors, siti: str, clock: FrozenClock, database: Database, mails: Mails
) -> None:
    setup = factors.begin_totp(siti)
    code = code_at(setup.secret_text.replace(" ", ""), clock())
    answers = at_once(20, lambda: factors.confirm_totp(siti, setup.id, code))
    assert sum(isinstance(answer, TotpSetupGone) for answer in answers) == 19
    assert audited(database) == [("factor.added", siti)]
    assert len(mails.queued) == 1


def test_a_new_app_replaces_the_old_one(
    factors: Factors, siti: str, secret: str, clock: FrozenClock, mails: Mails
) -> None:
    setup = factors.begin_totp(siti)
    new = setup.secret_text.replace(" ", "")
    factors.confirm_totp(siti, setup.id, code_at(new, clock()))
    clock.advance(2 * STEP)
    assert not factors.check_totp(siti, code_at(secret, clock()))
    assert factors.check_totp(siti, code_at(new, clock()))
    assert [factor.kind for factor in factors.of(siti)] == [FactorKind.TOTP]
    assert [mail.template for mail in mails.queued] == ["factor_added"] * 2


def test_nobody_without_an_app_has_a_code(factors: Factors, siti: str) -> None:
    assert not factors.check_totp(siti, "000000")
    assert not factors.check_totp("person-unknown", "000000")
    with pytest.raises(HolderUnknown):
        factors.begin_totp("person-unknown")


def test_the_secret_rests_sealed_and_shows_in_no_repr(
    factors: Factors, siti: str, secret: str, database: Database
) -> None:
    with database.read() as tx:
        stored = TotpTable(tx).get(siti)
    assert stored is not None
    assert secret.encode() not in stored.sealed_secret
    setup = factors.begin_totp(siti)
    assert setup.secret_text not in repr(setup)
    assert setup.secret_text.replace(" ", "") not in repr(setup)


def test_secret_and_address_say_what_every_app_understands(factors: Factors, siti: str) -> None:
    setup = factors.begin_totp(siti)
    assert re.fullmatch(r"([A-Z2-7]{4} ){7}[A-Z2-7]{4}", setup.secret_text)
    address = urlparse(setup.uri)
    assert (address.scheme, address.netloc, address.path) == (
        "otpauth",
        "totp",
        "/Absah:siti.rahma%40contoh.id",
    )
    assert parse_qs(address.query) == {"secret": [setup.secret_text.replace(" ", "")], "issuer": ["Absah"]}


def test_the_picture_can_be_scanned(factors: Factors, siti: str) -> None:
    setup = factors.begin_totp(siti)
    read = zxingcpp.read_barcode(drawn(setup.qr_svg))
    assert read is not None
    assert read.text == setup.uri


def drawn(svg: str) -> Image.Image:
    """The picture in grey, eight pixels to a module."""
    found = re.search(r'viewBox="0 0 (\d+) \1"', svg)
    assert found
    size = int(found[1])
    picture = Image.new("L", (size, size), 255)
    for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", svg):
        picture.putpixel((int(x), int(y)), 0)
    return picture.resize((size * 8, size * 8), Image.Resampling.NEAREST)
