"""Finished messages: what a mail program and its reader get."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default
from html.parser import HTMLParser

import pytest

from identity.mail.composing import Composer
from identity.mail.model import LETTERS, MailState, QueuedMail
from tests.identity.mail.conftest import SITE
from tests.identity.mail.samples import values_of

LANGUAGES = ("id", "en")


def queued(template: str, language: str = "id") -> QueuedMail:
    at = datetime(2026, 6, 1, 3, tzinfo=UTC)
    return QueuedMail("0" * 32, template, language, b"", MailState.WAITING, at, at, 0, "")


def composed(composer: Composer, template: str, language: str = "id", **values: str) -> EmailMessage:
    made = composer.compose(
        queued(template, language), to="siti@contoh.example", values=values_of(template) | values
    )
    received = message_from_bytes(made.as_bytes(), policy=default)
    assert isinstance(received, EmailMessage)
    return received


def parts(message: EmailMessage) -> tuple[str, str]:
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    return plain.get_content(), html.get_content()


class Markup(HTMLParser):
    """Every address that the HTML names, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.language = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in {"href", "src", "action", "background"}:
                self.addresses.append(value or "")
            if tag == "html" and name == "lang":
                self.language = value or ""

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", LETTERS)
def test_every_mail_reads_the_same_as_text_and_as_html_and_links_to_us_only(
    composer: Composer, template: str, language: str
) -> None:
    message = composed(composer, template, language)
    plain, html = parts(message)
    markup = Markup(html)
    assert message.get_content_type() == "multipart/alternative"
    assert markup.language == language
    assert not markup.tags & {"img", "script", "link", "iframe", "form", "style"}
    assert all(address.startswith(f"{SITE}/") for address in markup.addresses)
    assert all(found.startswith(SITE) for found in re.findall(r"https?://\S+", plain))
    squeezed = " ".join(markup.text.split())
    for line in (line for line in plain.splitlines() if line and line != "--"):
        assert " ".join(line.removesuffix(":").split()) in squeezed
    assert "{" not in plain + markup.text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", LETTERS)
def test_every_mail_is_seven_bit_with_short_lines(composer: Composer, template: str, language: str) -> None:
    made = composer.compose(queued(template, language), to="siti@contoh.example", values=values_of(template))
    raw = made.as_bytes()
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_headers_say_who_and_that_nobody_should_answer(composer: Composer) -> None:
    message = composed(composer, "account_ready", "en")
    assert message["From"] == "Absah <absah@absah.example>"
    assert message["To"] == "siti@contoh.example"
    assert message["Subject"] == "Your account is ready"
    assert message["Message-ID"] == f"<{'0' * 32}@absah.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "en"
    assert message["Date"].datetime == datetime(2026, 6, 1, 3, tzinfo=UTC)


def test_the_same_mail_is_the_same_message_each_time(composer: Composer) -> None:
    first, second = (
        composer.compose(queued("account_ready"), to="siti@contoh.example", values={}) for _ in range(2)
    )
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]


def test_moments_are_told_in_jakarta_and_words_stay_words(composer: Composer) -> None:
    plain, html = parts(composed(composer, "new_device", device="Peramban & <b>tebal</b>"))
    assert "1 Juni 2026, 10.00 WIB" in plain
    assert "Peramban &amp; &lt;b&gt;tebal&lt;/b&gt;" in html
    plain, _ = parts(composed(composer, "new_device", "en"))
    assert "1 June 2026, 10:00 WIB" in plain


def test_an_unknown_language_is_indonesian(composer: Composer) -> None:
    assert composed(composer, "account_ready", "fr")["Content-Language"] == "id"


def test_even_values_that_were_never_checked_cannot_add_a_header(composer: Composer) -> None:
    """The check at the queue is one wall; this is the one behind it."""
    evil = "x\r\nBcc: semua@contoh.example\r\n\r\nisi"
    with pytest.raises(ValueError, match=r"."):
        composer.compose(queued("account_ready"), to=f"siti@contoh.example{evil}", values={})
    message = composed(composer, "new_device", device=evil)
    assert message["Bcc"] is None
    assert {name.lower() for name in message.keys()} == {  # noqa: SIM118 - a message is no mapping
        "from", "to", "subject", "date", "message-id", "content-language", "auto-submitted",
        "x-auto-response-suppress", "mime-version", "content-type",
    }  # fmt: skip


def test_a_sender_name_with_signs_stays_one_name() -> None:
    named = Composer(public_url=SITE, sender="absah@absah.example", sender_name='Kab. "Nusa", <x@y>')
    made = named.compose(queued("account_ready"), to="siti@contoh.example", values={})
    received = message_from_bytes(made.as_bytes(policy=SMTP), policy=default)
    assert [address.addr_spec for address in received["From"].addresses] == ["absah@absah.example"]
    assert received["From"].addresses[0].display_name == 'Kab. "Nusa", <x@y>'
