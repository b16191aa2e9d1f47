"""A population registry of invented residents, so that proofing can be tried out without the real one.

All of them are registered in province 99, which does not exist; none of these numbers can be anybody's.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from identity.errors import RegistryUnavailable
from identity.people.errors import NikInvalid, SimulatorForbidden
from identity.people.nik import Nik
from identity.ports import RegistryAnswer

OUTAGE_SERIAL: Final = "9999"
"""Asked about a number with this serial, the simulator does not answer: to see how a page takes an outage."""


@dataclass(frozen=True, slots=True)
class Resident:
    """Somebody whom the registry knows."""

    nik: Nik
    name: str = field(repr=False)
    birth_date: date = field(repr=False)


def _resident(name: str, birth_date: date, serial: int, *, is_woman: bool) -> Resident:
    nik = Nik.compose(region="997103", birth_date=birth_date, is_woman=is_woman, serial=serial, samples=True)
    return Resident(nik, name, birth_date)


SAMPLE_RESIDENTS: Final = (
    _resident("Bima Arkatama Nugroho", date(1988, 8, 12), 1, is_woman=False),
    _resident("Laras Pertiwi", date(1991, 2, 23), 2, is_woman=True),
    _resident("Suparmi", date(1956, 1, 5), 1, is_woman=True),
    _resident("Yohanes Rumbiak", date(2000, 2, 29), 4, is_woman=False),
)


class SimulatedRegistry:
    """Implements :class:`identity.ports.PopulationRegistry` over ``residents``.

    Raises :class:`identity.people.errors.SimulatorForbidden` in production.
    """

    def __init__(self, residents: Iterable[Resident] = SAMPLE_RESIDENTS, *, is_production: bool) -> None:
        if is_production:
            raise SimulatorForbidden
        self._residents = {resident.nik.reveal(): resident for resident in residents}

    def confirm(self, *, nik: str, name: str, birth_date: date) -> RegistryAnswer:
        """Raises :class:`identity.errors.RegistryUnavailable` for :data:`OUTAGE_SERIAL`."""
        try:
            number = Nik.parse(nik, samples=True).reveal()
        except NikInvalid:
            return RegistryAnswer(known=False, name_matches=False, birth_date_matches=False)
        if number.endswith(OUTAGE_SERIAL):
            raise RegistryUnavailable("The population registry does not answer. Try again later.")
        resident = self._residents.get(number)
        return RegistryAnswer(
            known=resident is not None,
            name_matches=resident is not None and _plain(resident.name) == _plain(name),
            birth_date_matches=resident is not None and resident.birth_date == birth_date,
        )


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())
