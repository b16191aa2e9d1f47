"""The NIK, Indonesia's resident number: what it is made of, read strictly and written once. Pure.

``PPRRDD DDMMYY SSSS``: province, regency or city and district of first registration; the birth date, with 40
added to the day for women; a serial that starts at 0001 (Government Regulation 40/2019 and the rules before
it). There is no check digit, so a well-formed number may still be nobody's: only the registry knows.

The number never changes, whatever happens to borders later. So the region is held to be *plausible* (a
province that exists or existed), and nothing about today's residence is read out of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Self

from identity.people.errors import NikInvalid

PROVINCES: Final = frozenset(
    str(code)
    for codes in (
        range(11, 20), (21,),  # Sumatra and its islands
        range(31, 37), range(51, 55),  # Java; Bali, Nusa Tenggara
        range(61, 66), range(71, 77),  # Kalimantan; Sulawesi
        (81, 82), range(91, 97),  # Maluku; Papua
    )
    for code in codes
)  # fmt: skip
"""Codes of the Ministry of Home Affairs (Permendagri 72/2019 and the laws on the new provinces of Papua).
54 was East Timor until 1999; people who were registered there kept their numbers."""

SAMPLE_PROVINCE: Final = "99"
"""No province, and none planned: residents whom we invent for samples and training are registered there."""

WOMEN: Final = 40
_DIGITS = re.compile(r"[0-9]{16}")
_SEPARATORS = str.maketrans("", "", " .-\u00a0\u2010\u2011\u2013")


@dataclass(frozen=True, slots=True, repr=False)
class Nik:
    """A number of the right form. It shows its digits only through :meth:`reveal`: not in repr, str, format.

    Make it with :meth:`parse`, :meth:`typed` or :meth:`compose`; never by the constructor.
    """

    _digits: str = field()

    @classmethod
    def parse(cls, text: str, *, samples: bool = False) -> Self:
        """Exactly sixteen ASCII digits. ``samples`` lets :data:`SAMPLE_PROVINCE` through, for development.

        Raises :class:`identity.people.errors.NikInvalid`.
        """
        if not _DIGITS.fullmatch(text):
            raise NikInvalid("A NIK has exactly 16 digits.")
        if text[:2] not in PROVINCES and not (samples and text[:2] == SAMPLE_PROVINCE):
            raise NikInvalid("The first two digits of this NIK are no province.")
        if text[2:4] == "00" or text[4:6] == "00":
            raise NikInvalid("Digits 3 to 6 of this NIK are no regency and district.")
        if not _birth_dates(text):
            raise NikInvalid("Digits 7 to 12 of this NIK are no birth date.")
        if text[12:] == "0000":
            raise NikInvalid("The last four digits of this NIK cannot all be zero.")
        return cls(text)

    @classmethod
    def typed(cls, text: str, *, samples: bool = False) -> Self:
        """Forgives the spaces, dots and dashes that people put between the digits; then :meth:`parse`."""
        return cls.parse(text.translate(_SEPARATORS) if len(text) <= 64 else "", samples=samples)

    @classmethod
    def compose(
        cls, *, region: str, birth_date: date, is_woman: bool, serial: int, samples: bool = False
    ) -> Self:
        """Write a number the way the registry does. ``region`` has six digits, ``serial`` is 1 to 9999."""
        day = birth_date.day + (WOMEN if is_woman else 0)
        text = f"{region}{day:02}{birth_date.month:02}{birth_date.year % 100:02}{serial:04}"
        return cls.parse(text, samples=samples)

    def reveal(self) -> str:
        """The sixteen digits: for sealing, fingerprints, the registry, and the holder's own eyes."""
        return self._digits

    def masked(self) -> str:
        """The region and the serial's last two digits: enough to tell one's own cards apart on a screen."""
        return f"{self._digits[:6]}········{self._digits[14:]}"

    @property
    def is_woman(self) -> bool:
        return int(self._digits[6:8]) > WOMEN

    def agrees_with(self, birth_date: date) -> bool:
        """Whether this can be the number of someone born then. The number does not say the century."""
        return birth_date in _birth_dates(self._digits)

    def __repr__(self) -> str:
        return "Nik(<hidden>)"

    __str__ = __repr__


def _birth_dates(digits: str) -> tuple[date, ...]:
    """The dates that digits 7 to 12 can mean: two digits of a year name one of 19.. or 20.. or both."""
    day, month, year = int(digits[6:8]), int(digits[8:10]), int(digits[10:12])
    found = []
    for century in (1900, 2000):
        try:
            found.append(date(century + year, month, day - WOMEN if day > WOMEN else day))
        except ValueError:  # such as 29 February of 1900
            continue
    return tuple(found)
