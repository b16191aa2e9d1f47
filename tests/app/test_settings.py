"""Settings: parsed once, refused early, described completely."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.errors import SettingsInvalid, UnsafeForProduction
from app.settings import Settings, describe
from app.settings.values import KEY_PURPOSES
from keys.model import KeyPurpose


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ABSAH_")]:
        monkeypatch.delenv(name)


def test_without_any_setting_the_service_runs_on_this_machine_and_says_what_is_unsafe() -> None:
    settings = Settings.load()
    assert settings.database_url == f"sqlite:///{Path('var').absolute()}/absah.sqlite3"
    assert settings.storage_url == f"file://{Path('var').absolute()}/documents"
    assert settings.pki_origin == settings.issuer == "http://127.0.0.1:8000"
    assert len(settings.unsafe()) == 7
    assert settings.mail_dir == Path("var").absolute() / "mail"


def test_a_variable_reaches_its_section(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSAH_KEYS_KEK_FILE", "/run/secrets/kek")
    monkeypatch.setenv("ABSAH_SIGNING_MAX_PAGES", "7")
    monkeypatch.setenv("ABSAH_DATABASE_URL", "postgresql://absah@db/absah")
    settings = Settings.load()
    assert settings.keys.kek_file == Path("/run/secrets/kek")
    assert settings.signing.max_pages == 7
    assert settings.database_url == "postgresql://absah@db/absah"


def test_every_described_variable_is_really_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each alone, with a value that no type takes or that changes what is loaded."""
    plain = Settings.load().model_dump()
    for setting in describe():
        with monkeypatch.context() as patch:
            patch.setenv(setting.variable, "/nowhere")
            try:
                changed = Settings.load().model_dump() != plain
            except SettingsInvalid as refused:
                changed = setting.variable in str(refused)
            assert changed, f"{setting.variable} changes nothing"
        assert setting.doc.endswith("."), f"{setting.variable} is not explained"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("ABSAH_KEYS_KEKFILE", "ABSAH_KEYS_KEK_FILE"),
        ("ABSAH_DATABSE_URL", "ABSAH_DATABASE_URL"),
        ("ABSAH_PUBLICURL", "ABSAH_PUBLIC_URL"),
        ("absah_data_dirr", "ABSAH_DATA_DIR"),
    ],
)
def test_an_unknown_variable_stops_the_start_and_names_the_nearest(
    wrong: str, right: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(wrong, "x")
    with pytest.raises(SettingsInvalid, match=rf"{wrong} is not a setting. Did you mean {right}\?"):
        Settings.load()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ABSAH_SERVER_PORT", "eighty", "valid integer"),
        ("ABSAH_SERVER_PORT", "0", "greater than or equal to 1"),
        ("ABSAH_ENV", "prod", "'development' or 'production'"),
        ("ABSAH_PUBLIC_URL", "segel.example", "is not a web address"),
        ("ABSAH_PUBLIC_URL", "https://absah.example/app", "without a path"),
        ("ABSAH_PKI_URL", "https://pki.example", "must start with http://"),
        ("ABSAH_CA_COUNTRY", "Indonesia", "pattern"),
        ("ABSAH_MAIL_SECURITY", "maybe", "'starttls', 'tls' or 'none'"),
        ("ABSAH_MAIL_SENDER", "Absah <absah@absah.example>", "pattern"),
    ],
)
def test_a_wrong_value_is_refused_by_its_variable_and_not_repeated(
    variable: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsInvalid) as refused:
        Settings.load()
    assert variable in str(refused.value)
    assert words in str(refused.value)
    assert value not in str(refused.value).replace(words, "").replace(variable, "")


def test_production_refuses_every_stand_in_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSAH_ENV", "production")
    with pytest.raises(UnsafeForProduction) as refused:
        Settings.load()
    for variable in (
        "ABSAH_KEYS_KEK_FILE",
        "ABSAH_KEYS_APPROVALS",
        "ABSAH_DATABASE_URL",
        "ABSAH_PUBLIC_URL",
        "ABSAH_IDENTITY_ISSUER",
        "ABSAH_MAIL_HOST",
        "ABSAH_CLOCK_SERVERS",
    ):
        assert variable in str(refused.value)


def test_production_starts_when_nothing_is_a_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ABSAH_ENV": "production",
        "ABSAH_KEYS_PASSPHRASE_FILE": "/run/secrets/passphrase",
        "ABSAH_KEYS_APPROVALS": "2",
        "ABSAH_DATABASE_URL": "postgresql://absah@db/absah",
        "ABSAH_MAIL_HOST": "mail.absah.example",
        "ABSAH_CLOCK_SERVERS": "time.absah.example 192.0.2.1:123",
        "ABSAH_PUBLIC_URL": "https://absah.example",
        "ABSAH_PKI_URL": "http://pki.absah.example",
    }.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    assert settings.production
    assert settings.unsafe() == []


@pytest.mark.parametrize(("approvals", "words"), [("0", "nobody has"), ("1", "one person has")])
def test_no_single_person_acts_on_a_key_in_production(
    approvals: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABSAH_KEYS_APPROVALS", approvals)
    assert any(found.startswith(words) for found in Settings.load().unsafe())
    monkeypatch.setenv("ABSAH_ENV", "production")
    with pytest.raises(UnsafeForProduction, match=f"{words} to agree to acts on keys"):
        Settings.load()


def test_the_public_process_starts_in_production_without_a_key_and_the_core_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "ABSAH_ENV": "production",
        "ABSAH_DATABASE_URL": "postgresql://absah_public@db/absah",
        "ABSAH_PUBLIC_URL": "https://absah.example",
        "ABSAH_PKI_URL": "http://pki.absah.example",
    }.items():
        monkeypatch.setenv(name, value)
    assert Settings.load(keyless=True).production
    with pytest.raises(UnsafeForProduction, match="key-encryption key"):
        Settings.load()


def test_an_https_service_must_say_where_plain_http_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSAH_PUBLIC_URL", "https://absah.example")
    with pytest.raises(SettingsInvalid, match="ABSAH_PKI_URL is needed"):
        Settings.load()


def test_two_ways_to_unlock_the_keys_are_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSAH_KEYS_KEK_FILE", "/a")
    monkeypatch.setenv("ABSAH_KEYS_PASSPHRASE_FILE", "/b")
    with pytest.raises(SettingsInvalid, match="exclude each other"):
        Settings.load()


def test_production_sends_no_mail_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSAH_MAIL_HOST", "mail.absah.example")
    monkeypatch.setenv("ABSAH_MAIL_SECURITY", "none")
    assert any("ABSAH_MAIL_SECURITY" in words for words in Settings.load().unsafe())


@pytest.mark.parametrize("alone", ["ABSAH_MAIL_USER", "ABSAH_MAIL_PASSWORD_FILE"])
def test_a_mail_user_and_a_password_come_together(alone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(alone, "/run/secrets/mail")
    with pytest.raises(SettingsInvalid, match="belong together"):
        Settings.load()


def test_settings_cannot_be_changed_after_they_were_parsed() -> None:
    settings = Settings.load()
    with pytest.raises(ValidationError):
        settings.env = "production"  # type: ignore[misc, assignment]
    with pytest.raises(ValidationError):
        settings.server.port = 1  # type: ignore[misc]


def test_a_plain_http_loopback_service_takes_forms_under_both_of_its_names() -> None:
    local = Settings(public_url="http://127.0.0.1:8000")
    assert set(local.page_origins) == {"http://127.0.0.1:8000", "http://localhost:8000"}
    assert local.passkey_origin == "http://localhost:8000"
    public = Settings(public_url="https://sah.example.go.id", pki_url="http://pki.example.go.id")
    assert public.page_origins == ("https://sah.example.go.id",)
    assert public.passkey_origin == "https://sah.example.go.id"


def test_stores_are_chosen_for_all_keys_and_then_by_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(KEY_PURPOSES) == set(KeyPurpose)
    monkeypatch.setenv("ABSAH_KEYS_STORES", "pkcs11 wrapping=software")
    with pytest.raises(SettingsInvalid, match="ABSAH_KEYS_PKCS11_MODULE"):
        Settings.load()
    monkeypatch.setenv("ABSAH_KEYS_PKCS11_MODULE", "/usr/lib/hsm.so")
    with pytest.raises(SettingsInvalid, match="ABSAH_KEYS_PKCS11_PIN_FILE"):
        Settings.load()
    monkeypatch.setenv("ABSAH_KEYS_PKCS11_PIN_FILE", "/run/secrets/pin")
    chosen = Settings.load().keys
    assert {purpose for purpose, store in chosen.store_of.items() if store == "software"} == {"wrapping"}
    assert chosen.in_software
    monkeypatch.setenv("ABSAH_KEYS_STORES", "pkcs11")
    assert not Settings.load().keys.in_software
    assert not any("key-encryption key" in words for words in Settings.load().unsafe())


@pytest.mark.parametrize("value", ["", "hsm", "software seal", "software king=pkcs11", "seal=pkcs11"])
def test_a_store_that_is_none_is_refused_in_words(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSAH_KEYS_STORES", value)
    with pytest.raises(SettingsInvalid, match=r"ABSAH_KEYS_STORES .*software or pkcs11"):
        Settings.load()
