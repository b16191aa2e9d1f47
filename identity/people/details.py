"""What people say about themselves, held to a form. Pure.

Names and addresses end up in mails, pages and claims of other systems, so what could be a header, a link or
a trick of the eye in one of those places is refused here once.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Final

from identity.people.errors import PersonDataInvalid
from identity.people.model import LANGUAGES

MOST_EMAIL: Final = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
MOST_NAME: Final = 120
OLDEST_YEARS: Final = 130

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_LOCAL = re.compile(rf"(?=.{{1,64}}\Z){_ATOM}(?:\.{_ATOM})*")
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.(?:[a-z]{{2,63}}|xn--[a-z0-9-]{{1,59}})")
_NAME_MARKS: Final = frozenset(" .,'-/()\u2019\u02bc`")


def email_address(text: str) -> str:
    """The address with its domain in lower case: a dot-atom of RFC 5322 at a public domain, ASCII only.

    Quoted local parts, address literals and non-ASCII mailboxes are refused: too many mail servers on the way
    cannot carry them, and look-alike letters would make two addresses of one. Raises ``PersonDataInvalid``.
    """
    local, at, domain = text.strip(" \t").rpartition("@")
    domain = domain.lower()
    if (
        not at
        or len(local) + 1 + len(domain) > MOST_EMAIL
        or not _LOCAL.fullmatch(local)
        or not _DOMAIN.fullmatch(domain)
    ):
        raise PersonDataInvalid("email", "This is not an e-mail address such as nama@contoh.id.")
    return f"{local}@{domain}"


def email_key(address: str) -> str:
    """What addresses are compared by: the whole in lower case, as mail servers do in practice."""
    return address.lower()


def person_name(text: str) -> str:
    """One to 120 letters of any script, with the marks that names have. Raises ``PersonDataInvalid``.

    A single name is a full name here. No digits, no colon, no at sign: a name must never become a link.
    """
    name = " ".join(unicodedata.normalize("NFC", text).split()) if len(text) <= 4 * MOST_NAME else ""
    if not 0 < len(name) <= MOST_NAME:
        raise PersonDataInvalid("name", f"A name has 1 to {MOST_NAME} letters, as on the identity card.")
    if not all(
        character in _NAME_MARKS or unicodedata.category(character)[0] in "LM" for character in name
    ) or not any(unicodedata.category(character)[0] == "L" for character in name):
        raise PersonDataInvalid("name", "A name has letters, spaces, points, commas, hyphens, apostrophes.")
    return name


def preferred_language(text: str) -> str:
    """Raises ``PersonDataInvalid`` for anything but ``id`` and ``en``."""
    if text not in LANGUAGES:
        raise PersonDataInvalid("language", "Choose one of the languages of this service: id or en.")
    return text


def born(birth_date: date, *, today: date) -> date:
    """A date somebody alive can be born on. Raises ``PersonDataInvalid``."""
    if birth_date > today or today.year - birth_date.year > OLDEST_YEARS:
        raise PersonDataInvalid("birth_date", "Nobody alive was born on this date. Check the year.")
    return birth_date
