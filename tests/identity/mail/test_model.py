"""What gets into a mail, where its links lead, and when it is tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.mail.errors import MailAddressInvalid, MailUnknown, MailValuesWrong
from identity.mail.model import LETTERS, MailPolicy, checked_address, checked_values, harmless, link
from tests.identity.mail.samples import values_of

DEVICE = values_of("new_device")


@pytest.mark.parametrize("template", LETTERS)
def test_every_mail_takes_one_value_of_each_kind(template: str) -> None:
    assert checked_values(template, values_of(template)) == values_of(template)


def test_unknown_mails_and_missing_or_extra_values_are_refused_when_queued() -> None:
    with pytest.raises(MailUnknown, match="newsletter"):
        checked_values("newsletter", {})
    with pytest.raises(MailValuesWrong, match="code"):
        checked_values("registration", {})
    with pytest.raises(MailValuesWrong):
        checked_values("account_ready", {"name": "Siti"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("code", "abc"),
        ("code", "7K3M 9QXF"),
        ("code", "x/../../evil"),
        ("code", "x&next=//evil.example"),
        ("code", "7K3M\r\nBcc: a@b.example"),
        ("when", "yesterday"),
        ("when", "2026-06-01T03:00:00"),
    ],
)
def test_a_value_of_another_form_is_refused(name: str, value: str) -> None:
    with pytest.raises(MailValuesWrong, match=name):
        checked_values("new_device", DEVICE | {name: value})


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Firefox di Windows", "Firefox di Windows"),
        ("Dinas Kesehatan, Kab. Bandung (Jawa Barat)", "Dinas Kesehatan, Kab. Bandung (Jawa Barat)"),
        ("Anda menang! https://evil.example/x?y=1", "Anda menang https evil example x y 1"),
        ("evil.example", "evil example"),
        ("a@b.example", "a b example"),
        ("dua\r\nbaris\tdan\x00nol", "dua baris dan nol"),
        ("{code} {0.__class__}", "code 0. class"),
        ("\u202egnal\u200bbalik", "gnal balik"),
        ("😀", "-"),
        ("", "-"),
        ("x" * 500, "x" * 80),
    ],
)
def test_words_of_others_stay_on_one_line_and_never_become_a_link(text: str, left: str) -> None:
    assert harmless(text) == left


@given(st.text(max_size=300))
def test_whatever_others_write_is_one_harmless_line(text: str) -> None:
    line = harmless(text)
    assert 1 <= len(line) <= 80
    assert line.isprintable()
    assert not set(line) & set('/:@<>&{}"\\%?#=')
    assert harmless(line) == line


@pytest.mark.parametrize("template", LETTERS)
def test_every_link_leads_under_the_public_url(template: str) -> None:
    address = link("https://absah.example", template, values_of(template))
    assert address is None or address.startswith("https://absah.example/")


@pytest.mark.parametrize(
    "address",
    [
        "siti@contoh.example",
        "a+b@x.go.id",
        "o'neil@contoh.example",
        "a@xn--bcher-kva.example",
        "x" * 64 + "@a.id",
    ],
)
def test_ordinary_addresses_are_taken(address: str) -> None:
    assert checked_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "", "siti", "@contoh.example", "siti@", "siti@localhost", "siti@@contoh.example",
        "siti@contoh.example\r\nBcc: all@contoh.example", "siti@contoh.example\n", "si ti@contoh.example",
        "siti@contoh.example,budi@contoh.example", "<siti@contoh.example>", '"siti"@contoh.example',
        "Siti <siti@contoh.example>", "siti@[127.0.0.1]", "siti@-x.example", "siti@x-.example", "siti@a..b",
        ".siti@a.example", "siti.@a.example", "s..i@a.example", "siti\x00@a.example", "síti@a.example",
        "x" * 65 + "@a.id", "a@" + "b" * 64 + ".id", "a@" + ".".join(["b" * 60] * 5), "siti@a.example;",
    ],
)  # fmt: skip
def test_whatever_is_not_one_plain_address_is_refused_without_being_repeated(address: str) -> None:
    with pytest.raises(MailAddressInvalid) as refused:
        checked_address(address)
    assert not address or address not in str(refused.value)


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_smuggles_a_line_or_a_second_address_into_the_envelope(local: str, domain: str) -> None:
    try:
        address = checked_address(f"{local}@{domain}")
    except MailAddressInvalid:
        return
    assert address.isascii()
    assert not set(address) & set(' \r\n\t\0,;<>()[]"\\:')
    assert address.count("@") == 1


def test_pauses_double_up_to_the_longest() -> None:
    policy = MailPolicy(first_pause=timedelta(seconds=30), longest_pause=timedelta(minutes=10))
    assert [policy.pause(attempts).total_seconds() for attempts in range(1, 8)] == [
        30, 60, 120, 240, 480, 600, 600,
    ]  # fmt: skip
    assert policy.pause(10_000) == timedelta(minutes=10)


def test_a_mail_is_tried_for_more_than_a_day_before_it_is_given_up() -> None:
    policy = MailPolicy()
    waits = [policy.pause(attempts) for attempts in range(1, policy.attempts)]
    assert timedelta(hours=12) < sum(waits, timedelta()) < timedelta(days=3)
