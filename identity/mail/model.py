"""Mails as facts: which there are, what fills them, when one is tried again. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Final
from urllib.parse import quote

from identity.mail.errors import MailAddressInvalid, MailUnknown, MailValuesWrong


class Kind(StrEnum):
    """What a value is; each kind has one form, so that nothing else gets into a mail."""

    CODE = "code"  # letters, digits, - and _: for reading, typing, and the end of a link
    MOMENT = "moment"  # ISO 8601 with an offset
    NUMBER = "number"
    TEXT = "text"  # words, as :func:`harmless` leaves them


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail. ``path`` is where its button leads, under the public URL, filled with its values."""

    values: Mapping[str, Kind] = field(default_factory=dict)
    path: str = ""


def _letter(path: str = "", **values: Kind) -> Letter:
    return Letter(MappingProxyType(values), path)


_ACCOUNT: Final = "/account"
_FACTORS: Final = "/account/factors"

LETTERS: Final[Mapping[str, Letter]] = MappingProxyType(
    {
        # Accounts. Nothing that the sender of a form chose goes to an address that is not confirmed.
        "registration": _letter("/register/confirm?code={code}", code=Kind.CODE),
        "registration_known": _letter("/login"),
        "activation": _letter("/activate?code={code}", code=Kind.CODE),
        "account_ready": _letter("/login"),
        "account_suspended": _letter(),
        "account_resumed": _letter("/login"),
        "proofing_raised": _letter(_ACCOUNT),
        "proofing_lost": _letter(_ACCOUNT),
        "nik_tried_elsewhere": _letter(_ACCOUNT),
        "email_change": _letter("/register/confirm?code={code}", code=Kind.CODE),
        "email_change_known": _letter(),
        "email_change_notice": _letter(_ACCOUNT),
        "email_changed": _letter("/not-me/address?code={code}", code=Kind.CODE, until=Kind.MOMENT),
        "email_reverted": _letter(),
        # Factors
        "factor_added": _letter(_FACTORS, factor=Kind.TEXT, when=Kind.MOMENT),
        "factor_removed": _letter(_FACTORS, factor=Kind.TEXT, when=Kind.MOMENT),
        "password_changed": _letter(_FACTORS, when=Kind.MOMENT),
        "recovery_codes_renewed": _letter(_FACTORS, when=Kind.MOMENT),
        "recovery_code_used": _letter(_FACTORS, left=Kind.NUMBER, when=Kind.MOMENT),
        "passkey_suspected": _letter(_FACTORS, factor=Kind.TEXT, when=Kind.MOMENT),
        # Login and recovery
        "new_device": _letter(
            "/not-me?code={code}", code=Kind.CODE, device=Kind.TEXT, place=Kind.TEXT, when=Kind.MOMENT
        ),
        "not_me": _letter("/recovery", when=Kind.MOMENT),
        "recovery_started": _letter(
            "/recovery/cancel?code={code}",
            code=Kind.CODE,
            device=Kind.TEXT,
            place=Kind.TEXT,
            until=Kind.MOMENT,
        ),
        "recovery_code": _letter("/recovery/confirm?code={code}", code=Kind.CODE),
        "recovery_cancelled": _letter(_ACCOUNT, when=Kind.MOMENT),
        "recovery_ready": _letter("/recovery/finish?code={code}", code=Kind.CODE, until=Kind.MOMENT),
        "recovery_done": _letter(_FACTORS, when=Kind.MOMENT),
        # Operators
        "role_proposed": _letter(_FACTORS, role=Kind.TEXT, when=Kind.MOMENT),
        "role_confirmed": _letter(_ACCOUNT, role=Kind.TEXT, when=Kind.MOMENT),
        "role_ended": _letter(_ACCOUNT, role=Kind.TEXT, when=Kind.MOMENT),
        # Privacy and portals
        "privacy_received": _letter("/account/privacy", deadline=Kind.MOMENT),
        "privacy_answered": _letter("/account/privacy"),
        "account_erased": _letter(),
        "consent_given": _letter("/account/consents", portal=Kind.TEXT, when=Kind.MOMENT),
        # Systems of an agency, to those who administer it
        "system_proposed": _letter(
            "/proposals/{proposal}",
            agency=Kind.TEXT,
            system=Kind.TEXT,
            proposal=Kind.CODE,
            until=Kind.MOMENT,
        ),
        "system_confirmed": _letter(
            "/proposals/{proposal}",
            agency=Kind.TEXT,
            system=Kind.TEXT,
            proposal=Kind.CODE,
            when=Kind.MOMENT,
        ),
        "system_changed": _letter("/agency", agency=Kind.TEXT, system=Kind.TEXT, when=Kind.MOMENT),
        # Acts on keys, to their custodians and to who asked
        "key_request_waits": _letter(
            "/custody/{request}", request=Kind.CODE, act=Kind.TEXT, until=Kind.MOMENT
        ),
        "key_request_approved": _letter("/custody/{request}", request=Kind.CODE, act=Kind.TEXT),
        "key_request_rejected": _letter("/custody/{request}", request=Kind.CODE, act=Kind.TEXT),
        "key_request_cancelled": _letter("/custody/{request}", request=Kind.CODE, act=Kind.TEXT),
        "unit_distrusted": _letter("/custody", unit=Kind.TEXT, code=Kind.CODE),
        # A key that sealed documents was lost
        "seal_lost": _letter("/agency", agency=Kind.TEXT, count=Kind.NUMBER, since=Kind.MOMENT),
        "seal_renewed": _letter("/agency", agency=Kind.TEXT, count=Kind.NUMBER, when=Kind.MOMENT),
        "document_sealed_anew": _letter("/account/documents", issuer=Kind.TEXT),
        "trial": _letter(),
    }
)
"""Every mail that is ever sent, by name."""

_CODE: Final = re.compile(r"[A-Za-z0-9_-]{4,200}")
_NUMBER: Final = re.compile(r"[0-9]{1,6}")
_LONGEST_TEXT: Final = 80
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def letter_of(template: str) -> Letter:
    """Raises :class:`identity.mail.errors.MailUnknown`."""
    letter = LETTERS.get(template)
    if letter is None:
        raise MailUnknown(f"There is no mail named {template!r}: identity.mail.model.LETTERS lists them.")
    return letter


def checked_values(template: str, values: Mapping[str, str]) -> dict[str, str]:
    """The values in the one form of their kinds. Raises ``MailUnknown`` or ``MailValuesWrong``."""
    kinds = letter_of(template).values
    if kinds.keys() != values.keys():
        raise MailValuesWrong(f"The mail {template!r} takes {sorted(kinds)}, not {sorted(values)}.")
    for name, kind in kinds.items():
        if not _fits(kind, values[name]):
            raise MailValuesWrong(f"The value {name!r} of the mail {template!r} is not a {kind}.")
    return {name: harmless(value) if kinds[name] is Kind.TEXT else value for name, value in values.items()}


def _fits(kind: Kind, value: str) -> bool:
    match kind:
        case Kind.CODE:
            return _CODE.fullmatch(value) is not None
        case Kind.NUMBER:
            return _NUMBER.fullmatch(value) is not None
        case Kind.TEXT:
            return True
        case Kind.MOMENT:
            try:
                return datetime.fromisoformat(value).tzinfo is not None
            except ValueError:
                return False


def harmless(text: str) -> str:
    """Words on one line, of which no mail program makes a link: devices and portals are named by others.

    Letters, digits, spaces and ``' - ( ) ,`` stay; a full stop stays where a space follows.
    """
    composed = unicodedata.normalize("NFC", text[: 4 * _LONGEST_TEXT])
    kept = "".join(
        letter if unicodedata.category(letter)[0] in "LNM" or letter in "'-().," else " "
        for letter in composed
    )
    line = " ".join(re.sub(r"\.(?=\S)", " ", kept).split())
    return line[:_LONGEST_TEXT].rstrip() or "-"


def link(public_url: str, template: str, values: Mapping[str, str]) -> str | None:
    """Where the mail's button leads: always under ``public_url``, the origin from the settings."""
    path = letter_of(template).path
    if not path:
        return None
    return public_url + path.format_map({name: quote(value, safe="") for name, value in values.items()})


def checked_address(text: str) -> str:
    """``text``, if it is one plain address (RFC 5321, 4.1.2, without quotes and address literals).

    Raises :class:`identity.mail.errors.MailAddressInvalid`.
    """
    local, at, domain = text.rpartition("@")
    labels = domain.split(".")
    if (
        not at
        or len(text) > 254
        or len(local) > 64
        or len(labels) < 2
        or not _LOCAL.fullmatch(local)
        or not all(_LABEL.fullmatch(label) for label in labels)
    ):
        raise MailAddressInvalid
    return text


class MailState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"  # given up; kept for a while, and can be sent again


@dataclass(frozen=True, slots=True)
class QueuedMail:
    """One mail on its way. ``sealed`` holds address and values; it is emptied once the mail is sent."""

    id: str
    template: str
    language: str
    sealed: bytes | None = field(repr=False)
    state: MailState
    queued_at: datetime
    due_at: datetime
    attempts: int
    last_failure: str


@dataclass(frozen=True, slots=True)
class MailStanding:
    """What waits and what was given up. ``oldest`` is when the mail that waits longest was queued."""

    waiting: int
    dead: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class MailPolicy:
    """How often a mail is tried and how long it is kept."""

    claim: ClassVar[timedelta] = timedelta(minutes=15)
    """How long a mail belongs to the process that is sending it; longer than the slowest server takes."""

    attempts: int = 12
    """After so many it is given up: with the times below, after about a day and a half."""
    first_pause: timedelta = timedelta(seconds=30)
    longest_pause: timedelta = timedelta(hours=6)
    keep_sent: timedelta = timedelta(days=7)
    """Without address and words: only that it was sent."""
    keep_dead: timedelta = timedelta(days=30)

    def pause(self, attempts: int) -> timedelta:
        """Doubles with each attempt; ``attempts`` is how many there were."""
        return min(self.longest_pause, self.first_pause * (1 << min(attempts - 1, 30)))
