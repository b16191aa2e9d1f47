"""A finished message from a mail's words and values: plain text and the same in simple HTML. No I/O.

Every link begins with the public URL from the settings; reading the mail fetches nothing from anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

from identity.mail.model import Kind, QueuedMail, letter_of, link
from identity.mail.words import FRAME, WORDINGS
from identity.mail.words.wording import Wording
from identity.web.words import Language, shown_moment

_POLICY: Final = SMTP.clone(cte_type="7bit")
_LONGEST_LINE: Final = 900


class Composer:
    """Writes every mail in the name of one sender, for one site. Safe to share between threads.

    ``sender`` is a plain address; ``sender_name`` is shown beside it.
    """

    def __init__(self, *, public_url: str, sender: str, sender_name: str) -> None:
        self._public_url = public_url
        self._sender = Address(sender_name, addr_spec=sender)
        self._host = urlsplit(public_url).hostname or "localhost"
        self._html = Environment(
            loader=PackageLoader("identity.mail"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        ).get_template("letter.html")

    def compose(self, mail: QueuedMail, *, to: str, values: Mapping[str, str]) -> EmailMessage:
        """The message, the same one every time: whoever gets it twice can tell by its Message-ID."""
        language: Language = "en" if mail.language == "en" else "id"
        wording = _filled(WORDINGS[language][mail.template], _shown(mail.template, values, language))
        frame = {name: text.format(site=self._public_url) for name, text in FRAME[language].items()}
        address = link(self._public_url, mail.template, values)
        message = EmailMessage(_POLICY)
        message["From"] = self._sender
        message["To"] = Address(addr_spec=to)
        message["Subject"] = wording.subject
        message["Date"] = format_datetime(mail.queued_at)
        message["Message-ID"] = f"<{mail.id}@{self._host}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834, 5: nobody's holiday notice answers
        message["X-Auto-Response-Suppress"] = "All"
        plain = _plain(wording, frame, address)
        message.set_content(plain, cte=_readable(plain))
        html = self._html.render(
            language=language, subject=wording.subject, wording=wording, frame=frame, link=address
        )
        html = html.encode("ascii", "xmlcharrefreplace").decode()
        message.add_alternative(html, subtype="html", cte=_readable(html))
        message["Content-Language"] = language  # last: making a body moves Content-* headers into it
        return message


def _shown(template: str, values: Mapping[str, str], language: Language) -> dict[str, str]:
    kinds = letter_of(template).values
    return {
        name: shown_moment(datetime.fromisoformat(value), language) if kinds[name] is Kind.MOMENT else value
        for name, value in values.items()
    }


def _filled(wording: Wording, values: Mapping[str, str]) -> Wording:
    return replace(
        wording,
        subject=wording.subject.format_map(values),
        text=tuple(paragraph.format_map(values) for paragraph in wording.text),
        after=tuple(paragraph.format_map(values) for paragraph in wording.after),
    )


def _plain(wording: Wording, frame: Mapping[str, str], address: str | None) -> str:
    """Lines are not wrapped: a link that is cut in two leads nowhere."""
    parts = [frame["greeting"], *wording.text]
    if address and wording.button:
        parts.append(f"{wording.button}:\n{address}")
    parts += [*wording.after, f"--\n{frame['automatic']}\n{frame['caution']}"]
    return "\n\n".join(parts) + "\n"


def _readable(body: str) -> str:
    """Any server takes either (RFC 5321, 4.5.3.1.6); the first shows links whole to who opens the file."""
    fits = body.isascii() and max(map(len, body.splitlines())) <= _LONGEST_LINE
    return "7bit" if fits else "quoted-printable"
