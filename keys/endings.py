"""How acts ended, as they are noted and read again: in English for the trail and the command line, and known
by form to whoever tells it in another language. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Ending(StrEnum):
    """Values are stored, filled in by :meth:`said`. What was refused has words of its own and is not here."""

    IN_USE = "in use: {keys}"
    IN_USE_ALONE = "in use: {keys}; retired: {retired}"
    PUBLISHED = "published; signs from {moment} UTC"
    BACKUPS = (
        "Copies in backups: delete or overwrite every backup of the database, of the token and of the "
        "key-encryption key that is older than this, or let it lapse; then `absah keys attest` says that you "
        "did."
    )
    SEALED_ANEW = "{count} documents sealed anew"
    FALSE_ALARM = "{case} was a false alarm"
    REGISTER = "version {version} of the register"
    CALLED_OFF_FOR = "called off by {actor}: {why}"
    CALLED_OFF = "called off by {actor}"
    RESTORED = "the service was restored from a backup: ask anew"

    def said(self, **values: object) -> str:
        return self.value.format(**values)


_VALUES: Final = {"actor": r"\S+", "why": ".+"}
"""What stands for a value, where anything without a semicolon would be too much or too little."""


def _form(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", template)
    spelt = [
        f"(?P<{part}>{_VALUES.get(part, '[^;]+')})" if odd % 2 else re.escape(part)
        for odd, part in enumerate(parts)
    ]
    return re.compile("".join(spelt))


_FORMS: Final = {ending: _form(ending.value) for ending in Ending}


def ending_of(detail: str) -> tuple[Ending, Mapping[str, str]] | None:
    """The reverse of :meth:`Ending.said`; None for words that were somebody's own."""
    for ending, form in _FORMS.items():
        if (match := form.fullmatch(detail)) is not None:
            return ending, match.groupdict()
    return None
