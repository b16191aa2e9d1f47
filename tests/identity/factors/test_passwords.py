"""What may become a password: its spelling, its length, and what is guessed first."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.factors import common
from identity.factors.common import CommonPasswords, fold, shipped
from identity.factors.errors import (
    PasswordCharacterRefused,
    PasswordCommon,
    PasswordPersonal,
    PasswordRefused,
    PasswordTooLong,
    PasswordTooShort,
)
from identity.factors.guessing import require_unguessable
from identity.factors.model import PasswordCost
from identity.factors.passwords import SlowHasher, prepare
from identity.factors.words import build

SITI = ["Siti Rahmawati Nur", "siti.rahma88@dinas-contoh.go.id"]


def refuse(password: str) -> None:
    require_unguessable(prepare(password), common=[shipped()], about=SITI)


# --- one spelling (RFC 8265) -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "spelling"),
    [
        ("correct horse battery staple", "correct horse battery staple"),
        ("Correct Horse Battery Staple", "Correct Horse Battery Staple"),
        ("π\u00dfå\u00e5\u00e5\u00e5\u00e5\u00e5", "πßååååå" + "å"),
        ("Jack of \u2666s", "Jack of \u2666s"),
        ("foo\u1680bar baz", "foo bar baz"),
        ("cafe\u0301 tubruk", "café tubruk"),
        ("\uff4b\uff4f\uff50\uff49 susu", "kopi susu"),
        ("  spasi di ujung  ", "  spasi di ujung  "),
        ("ꦲꦤꦕꦫꦏ\ua9c0\u200cꦢꦠ", "ꦲꦤꦕꦫꦏ\ua9c0\u200cꦢꦠ"),
        ("sandi 🔐🐘🦜 saya", "sandi 🔐🐘🦜 saya"),
    ],
)
def test_a_password_has_one_spelling(typed: str, spelling: str) -> None:
    assert prepare(typed) == spelling
    assert prepare(spelling) == spelling


@given(st.text(max_size=140))
def test_spelling_is_stable_and_hostile_text_only_refused(text: str) -> None:
    try:
        spelling = prepare(text)
    except PasswordRefused:
        return
    assert prepare(spelling) == spelling
    assert 8 <= len(spelling) <= 128
    spelling.encode()


@pytest.mark.parametrize(
    "character",
    [
        "\x00",
        "\n",
        "\t",
        "\x7f",
        "\x85",
        "\u200b",
        "\u200d",
        "\u202e",
        "\ufeff",
        "\ue000",
        "\ud800",
        "\uffff",
        "\u0378",
    ],
    ids=lambda character: f"U+{ord(character):04X}",
)
def test_characters_that_keyboards_send_differently_are_refused(character: str) -> None:
    with pytest.raises(PasswordCharacterRefused):
        prepare(f"tujuh kuda{character}lumping")


def test_8_to_128_characters_whatever_their_bytes() -> None:
    assert prepare("k" * 7 + "é") == "k" * 7 + "é"
    assert len(prepare("🐘" * 128)) == 128
    for short in ("", "tujuh", "🐘" * 7, "e\u0301" * 7):
        with pytest.raises(PasswordTooShort):
            prepare(short)
    for long in ("🐘" * 129, "\ufdfa" * 30, "x" * 1_000_000):
        with pytest.raises(PasswordTooLong):
            prepare(long)


# --- what is guessed first ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "Password1!",
        "P@ssw0rd",
        "p4ssw0rd2024",
        "passwordpassword",
        "pass word",
        "indonesia",
        "Indonesia1945",
        "1ndonesia!",
        "INDONESIA17081945",
        "garudamuda",
        "MerahPutih45",
        "bismillah",
        "Bismillah99",
        "alhamdulillah",
        "sayangku",
        "sayang123",
        "s4y4ngku",
        "akusayangkamu",
        "aku sayang kamu",
        "Aku Cinta Kamu!",
        "rahasia1",
        "rahasia123",
        "katasandi",
        "kata sandi baru",
        "lupapassword",
        "bandung2024",
        "jakarta1",
        "surabaya",
        "persib1933",
        "arema.malang",
        "budi1990",
        "rizky12345",
        "kucingku",
        "admin123",
        "adminadmin",
        "administrator",
        "qwerty123",
        "qwertyuiop",
        "iloveyou2",
        "letmein1",
        "monkey12",
        "sedia payung sebelum hujan",
        "Bhinneka Tunggal Ika",
        "correct horse battery staple",
    ],
)
def test_common_words_and_phrases_are_refused_however_they_are_dressed_up(password: str) -> None:
    with pytest.raises(PasswordCommon):
        refuse(password)


@pytest.mark.parametrize(
    "password",
    [
        "12345678",
        "1234567890",
        "87654321",
        "11111111",
        "12121212",
        "aaaaaaaa",
        "abababab",
        "abcdefgh",
        "abcd1234",
        "qwertyui",
        "asdfghjkl;",
        "1qaz2wsx",
        "!QAZ2wsx",
        "q1w2e3r4",
        "1q2w3e4r5t",
        "zaq12wsx",
        "qwer1234",
        "poiuytrewq",
        "17081945",
        "19450817",
        "01011990",
        "08123456789",
        "6281234567890",
        "+6281234567890",
        "3273010101900001",
        "3273014101900001",
        "........",
        "        ",
        "7777777a",
    ],
)
def test_patterns_dates_and_telephone_numbers_are_refused(password: str) -> None:
    with pytest.raises(PasswordCommon):
        refuse(password)


@pytest.mark.parametrize(
    "password",
    [
        "SitiRahmawati",
        "siti rahmawati",
        "rahmawati88",
        "R4hm4w4ti!",
        "siti.rahma88",
        "sitirahma",
        "nurrahmawati",
        "siti sayang",
        "absahabsah",
        "dinascontoh1",
        "sitisiti2024",
        "Rahmawati#1",
        "siti.rahma88@dinas-contoh.go.id",
    ],
)
def test_the_persons_own_name_and_address_are_refused(password: str) -> None:
    with pytest.raises((PasswordPersonal, PasswordCommon)):
        refuse(password)


def test_another_persons_rare_name_is_nobody_elses_password() -> None:
    require_unguessable("wiradikromo77", common=[shipped()], about=SITI)
    with pytest.raises(PasswordPersonal):
        require_unguessable("wiradikromo77", common=[shipped()], about=["Raden Wiradikromo"])


@pytest.mark.parametrize(
    "password",
    [
        "tujuh kuda lumping",
        "kuda lumping ungu",
        "tempe goreng terbang",
        "Z7#kq!2vLx",
        "hujanDiBulanKetujuh",
        "gajah menari di atap",
        "xkhvbqtm",
        "siti menjual tujuh kambing",
        "lampu meja kayu jati",
        "seruling-batu-karang",
        "mobil biru di garasi paman",
        "31415926535897932384",
        "ꦲꦤꦕꦫꦏꦢꦠꦱꦮꦭ",
    ],
)
def test_words_that_do_not_belong_together_are_accepted_without_digits_or_capitals(password: str) -> None:
    refuse(password)


def test_random_passwords_are_hardly_ever_refused() -> None:
    draw = random.Random(7)
    refused = 0
    for _ in range(5_000):
        password = "".join(draw.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(10))
        try:
            refuse(password)
        except PasswordRefused:
            refused += 1
    assert refused <= 5


@pytest.mark.parametrize("password", ["a1" * 64, "\U0001d518" * 128, "4b5a" * 32, "siti" * 32, "x7!" * 42])
def test_judging_the_longest_passwords_takes_no_time_worth_sending_them_for(password: str) -> None:
    begun = time.thread_time()
    with suppress(PasswordRefused):
        refuse(password)
    assert time.thread_time() - begun < 0.02


# --- the filter --------------------------------------------------------------------------------------


def test_the_shipped_filter_is_what_the_script_makes_of_the_lists() -> None:
    assert common.SHIPPED.read_bytes() == build.build().packed


def test_the_shipped_filter_holds_every_word_and_little_else() -> None:
    words = {fold(word) for word in build.shipped_words()}
    assert len(words) > 3_000
    assert all(word in shipped() for word in words)
    assert len(shipped().packed) < 32_000
    draw = random.Random(11)
    strangers = ("".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=9)) for _ in range(100_000))
    assert sum(word in shipped() for word in strangers if word not in words) <= 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"ABF1",
        b"ABF1\x00\x00\x00\x08\x17",
        b"ABF2\x00\x00\x00\x08\x17\x00",
        b"ABF1\x00\x00\x00\x08\x00\x00",
    ],
)
def test_a_file_that_is_no_filter_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.filter"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a filter"):
        CommonPasswords.load(path)


# --- the slow hash -----------------------------------------------------------------------------------


def test_hashes_are_argon2id_with_19_mib_two_passes_and_one_lane() -> None:
    hasher = SlowHasher(at_once=1, waiting=1, cost=PasswordCost())
    hashed = hasher.hash("tujuh kuda lumping")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hasher.hash("tujuh kuda lumping") != hashed
    assert hasher.matches(hashed, "tujuh kuda lumping")
    assert not hasher.matches(hashed, "tujuh kuda lumpink")
    assert not hasher.is_outdated(hashed)


def test_a_missing_hash_a_broken_hash_and_a_missing_password_match_nothing() -> None:
    hasher = SlowHasher(at_once=1, waiting=1, cost=PasswordCost())
    hashed = hasher.hash("tujuh kuda lumping")
    assert not hasher.matches(None, "tujuh kuda lumping")
    assert not hasher.matches(None, "")
    assert not hasher.matches(hashed, None)
    assert not hasher.matches("", "")
    assert not hasher.matches("$argon2id$broken", "tujuh kuda lumping")


def test_nobody_costs_what_somebody_costs() -> None:
    hasher = SlowHasher(at_once=1, waiting=1, cost=PasswordCost())
    hashed = hasher.hash("tujuh kuda lumping")

    def seconds(stored: str | None, password: str | None) -> float:
        begun = time.thread_time()
        hasher.matches(stored, password)
        return time.thread_time() - begun

    known = min(seconds(hashed, "delapan kuda lumping") for _ in range(8))
    for stored, password in [(None, "delapan kuda lumping"), (None, None), (hashed, None), (None, "x" * 128)]:
        assert min(seconds(stored, password) for _ in range(8)) == pytest.approx(known, rel=0.35)
