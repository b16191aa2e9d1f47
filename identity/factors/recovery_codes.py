"""Recovery codes on paper: look-up secrets of NIST SP 800-63B-4, 3.1.2. Pure.

A code has 16 characters in four groups, such as ``7K2M-Q4TX-9B0D-WZ3F``. The first two are its label, which
finds its row; the other 14 carry 70 random bits. The alphabet is Crockford's base 32, which has no I, L, O
or U, and reads what people write in their stead.

Below 112 bits the clause demands a salted, slow hash. The label is what makes that cheap: one hash is
compared per attempt instead of ten.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

CODES: Final = 10

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LABEL: Final = 2
_SECRET: Final = 14
_GROUP: Final = 4
_READ_AS: Final = str.maketrans("ILO", "110")
_CODE = re.compile(f"[{_ALPHABET}]{{{_LABEL + _SECRET}}}")
_MOST_RAW: Final = 64


def new_codes() -> tuple[str, ...]:
    """:data:`CODES` codes with labels of their own."""
    labels = secrets.SystemRandom().sample(range(len(_ALPHABET) ** _LABEL), CODES)
    return tuple(_shown(_spell_label(label) + _random(_SECRET)) for label in labels)


def canonical(written: str) -> str | None:
    """The one spelling of a code that somebody typed: case, spaces and hyphens do not count.

    None when it cannot be a code.
    """
    if len(written) > _MOST_RAW or not written.isascii():
        return None
    compact = re.sub(r"[ -]", "", written).upper().translate(_READ_AS)
    return compact if _CODE.fullmatch(compact) else None


def label(code: str) -> str:
    """The public part of a canonical code."""
    return code[:_LABEL]


def _shown(code: str) -> str:
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))


def _spell_label(number: int) -> str:
    return _ALPHABET[number // len(_ALPHABET)] + _ALPHABET[number % len(_ALPHABET)]


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
