"""Names, addresses and codes as people give them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.people.codes import ALPHABET, LENGTH, hash_code, new_code
from identity.people.details import born, email_address, email_key, person_name
from identity.people.errors import PersonDataInvalid

TODAY = date(2026, 6, 1)


@pytest.mark.parametrize(
    "email",
    [
        "",
        "budi",
        "budi@",
        "@contoh.id",
        "budi@contoh",
        "budi@@contoh.id",
        "a b@contoh.id",
        "budi@contoh.id\nBcc: x@y.id",
        "budi@contoh.id\r",
        "budi\0@contoh.id",
        "budi@[10.0.0.1]",
        '"a b"@contoh.id',
        ".a@contoh.id",
        "a..b@contoh.id",
        "budi@-contoh.id",
        "budi@contoh.id.",
        "budì@contoh.id",
        "budi@c\u043entoh.id",  # Cyrillic o
        "b" * 65 + "@contoh.id",
        "budi@" + "a." * 130 + "id",
        "budi@contoh.1d",
        "x" * 100_000,
        "@" * 100_000,
        "a." * 50_000 + "@contoh.id",
    ],
)
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(PersonDataInvalid) as refused:
        email_address(email)
    assert refused.value.field == "email"


@pytest.mark.parametrize(
    "email", ["a@b.id", "a+b@contoh.co.id", "o'neil@contoh.id", "x@xn--abc-1ka.xn--p1ai"]
)
def test_unusual_addresses_are_addresses(email: str) -> None:
    assert email_address(email) == email


@given(st.text(max_size=300))
def test_an_address_has_no_room_for_a_second_header(text: str) -> None:
    try:
        address = email_address(text)
    except PersonDataInvalid:
        return
    assert address.isascii()
    assert address.isprintable()
    assert " " not in address
    assert address.count("@") == 1
    assert email_address(address) == address
    assert email_key(address.upper()) == email_key(address)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a" * 121,
        "Budi\u202egnp.exe",
        "http://x.id",
        "Budi <b>",
        "Budi1",
        "...",
        "Budi\x00",
        "\ud800",
        "a@b",
        "x" * 100_000,
        "👍",
    ],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(PersonDataInvalid) as refused:
        person_name(name)
    assert refused.value.field == "name"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Suparmi", "Suparmi"),
        ("  I Gusti\tAyu  ", "I Gusti Ayu"),
        ("dr. H. Ma'ruf, S.H.", "dr. H. Ma'ruf, S.H."),
        ("Nur\u2019aini", "Nur\u2019aini"),
        ("Jose\u0301", "Jos\u00e9"),
        ("陳大文", "陳大文"),
    ],
)
def test_names_of_all_kinds_are_names(typed: str, kept: str) -> None:
    assert person_name(typed) == kept


@given(st.text(max_size=200))
def test_a_name_that_was_accepted_stays_as_it_is(text: str) -> None:
    try:
        name = person_name(text)
    except PersonDataInvalid:
        return
    assert person_name(name) == name
    assert name.isprintable()


def test_only_people_who_may_be_alive_are_born() -> None:
    for day in (date(1896, 1, 1), TODAY):
        assert born(day, today=TODAY) == day
    for day in (date(1895, 12, 31), date(2026, 6, 2), date.max, date.min):
        with pytest.raises(PersonDataInvalid):
            born(day, today=TODAY)


@given(st.text(alphabet=ALPHABET, min_size=LENGTH, max_size=LENGTH))
def test_a_code_is_the_same_however_it_is_typed(code: str) -> None:
    typed = code.lower().replace("0", "o").replace("1", "l")
    spaced = f" {code[:4]} {code[4:8]}-{code[8:12]}\u2010{code[12:]} "
    assert hash_code(code) == hash_code(typed) == hash_code(spaced) is not None


def test_codes_are_readable_and_never_the_same() -> None:
    codes = {new_code() for _ in range(200)}
    assert len(codes) == 200
    assert all(len(code) == 19 and set(code) <= set(ALPHABET) | {"-"} for code in codes)
    assert len(ALPHABET) ** LENGTH >= 2**64


@given(st.text(max_size=80))
def test_what_is_no_code_has_no_hash(text: str) -> None:
    found = hash_code(text)
    assert found is None or len(found) == 32
