"""A NIK is read strictly, written once, and never shows itself."""

from __future__ import annotations

import copy
import pickle
import traceback
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from identity.people.errors import NikInvalid
from identity.people.nik import PROVINCES, Nik

MAN = "3273011203450007"
WOMAN = "3273015203450007"

regions = st.builds(
    "{}{:02}{:02}".format, st.sampled_from(sorted(PROVINCES)), st.integers(1, 99), st.integers(1, 99)
)
births = st.dates(date(1900, 1, 1), date(2099, 12, 31))


@given(regions, births, st.booleans(), st.integers(1, 9999))
@example("327301", date(2000, 2, 29), True, 9999)
@example("540101", date(1900, 1, 1), False, 1)
def test_what_the_registry_writes_is_read_back(
    region: str, birth_date: date, is_woman: bool, serial: int
) -> None:
    nik = Nik.compose(region=region, birth_date=birth_date, is_woman=is_woman, serial=serial)
    assert Nik.parse(nik.reveal()) == nik
    assert nik.is_woman is is_woman
    assert nik.agrees_with(birth_date)
    assert nik.reveal()[:6] == region
    assert int(nik.reveal()[12:]) == serial


@given(st.text(alphabet="0123456789", min_size=16, max_size=16))
def test_every_sixteen_digits_are_one_number_or_none(digits: str) -> None:
    try:
        nik = Nik.parse(digits)
    except NikInvalid:
        return
    day = int(digits[6:8]) % 40
    born = [
        date(century + int(digits[10:12]), int(digits[8:10]), day)
        for century in (1900, 2000)
        if not (century == 1900 and digits[8:12] == "0200" and day == 29)
    ]
    assert all(nik.agrees_with(one) for one in born)
    written = Nik.compose(
        region=digits[:6], birth_date=born[0], is_woman=nik.is_woman, serial=int(digits[12:])
    )
    assert written.reveal() == digits


@given(st.text(max_size=40))
def test_nothing_else_is_a_number(text: str) -> None:
    try:
        nik = Nik.parse(text)
    except NikInvalid:
        return
    assert nik.reveal() == text


@pytest.mark.parametrize(
    "digits",
    [
        "",
        MAN[:15],
        MAN + "0",
        MAN + "\n",
        "3273 0112 0345 0007",
        "３２７３０１１２０３４５０００７",  # full-width digits
        "٣٢٧٣٠١١٢٠٣٤٥٠٠٠٧",
        "0073011203450007",  # no province
        "2073011203450007",
        "9973011203450007",  # samples only
        "3200011203450007",  # no regency
        "3273001203450007",  # no district
        "3273010003450007",  # day 0
        "3273013203450007",  # day 32
        "3273014003450007",  # day 40 is day 0 of a woman
        "3273017203450007",  # day 72
        "3273011213450007",  # month 13
        "3273011200450007",  # month 0
        "3273013002450007",  # 30 February
        "3273012902010007",  # 29 February of no leap year, in neither century
        "3273011203450000",  # serial 0
    ],
)  # fmt: skip
def test_what_cannot_be_a_number_is_refused(digits: str) -> None:
    with pytest.raises(NikInvalid) as refused:
        Nik.parse(digits)
    assert refused.value.field == "nik"


def test_29_february_of_a_year_00_means_2000_alone() -> None:
    nik = Nik.parse("3273012902000007")
    assert nik.agrees_with(date(2000, 2, 29))
    assert not nik.agrees_with(date(1900, 3, 1))


def test_the_number_does_not_say_the_century() -> None:
    nik = Nik.parse("3273011203260007")
    assert nik.agrees_with(date(1926, 3, 12))
    assert nik.agrees_with(date(2026, 3, 12))
    assert not nik.agrees_with(date(2026, 3, 13))


def test_people_may_type_separators_but_nothing_else() -> None:
    assert Nik.typed(" 3273 01-120345.0007 ") == Nik.parse(MAN)
    for text in ("3273/011203450007", "3273011203450007x", "3" * 10_000, "３２７３０１１２０３４５０００７"):
        with pytest.raises(NikInvalid):
            Nik.typed(text)


def test_province_99_is_let_in_only_where_samples_are() -> None:
    sample = "9971031403880001"
    assert Nik.parse(sample, samples=True).reveal() == sample
    with pytest.raises(NikInvalid):
        Nik.parse(sample)


def test_a_number_shows_itself_nowhere() -> None:
    nik = Nik.parse(WOMAN)
    shown = [
        repr(nik),
        str(nik),
        f"{nik}",
        f"{nik!r:>40}",
        repr([nik]),
        repr({"nik": nik}),
        ascii(nik),
    ]
    assert not any(WOMAN in text or WOMAN[6:] in text for text in shown)
    try:
        raise ValueError(nik)
    except ValueError:
        assert WOMAN not in traceback.format_exc()


def test_the_masked_form_hides_birth_date_and_serial() -> None:
    assert Nik.parse(WOMAN).masked() == "327301········07"


def test_numbers_are_equal_by_their_digits_and_cannot_be_changed() -> None:
    assert {Nik.parse(MAN), Nik.parse(MAN), Nik.parse(WOMAN)} == {Nik.parse(WOMAN), Nik.parse(MAN)}
    assert copy.deepcopy(Nik.parse(MAN)) == pickle.loads(pickle.dumps(Nik.parse(MAN))) == Nik.parse(MAN)
    with pytest.raises(AttributeError):
        Nik.parse(MAN)._digits = WOMAN  # type: ignore[misc]


@pytest.mark.parametrize(
    "digits", [MAN[:9] + "x" + MAN[10:], "0073011203450007", "3273013203450007", MAN[:12] + "0000"]
)
def test_a_refusal_never_repeats_the_number(digits: str) -> None:
    with pytest.raises(NikInvalid) as refused:
        Nik.parse(digits)
    assert not any(digits[i : i + 6] in str(refused.value) for i in range(11))
