"""One-time codes that people read from paper or a mail and type. Pure.

Sixteen characters of Crockford's base 32 (no I, L, O, U) carry 80 random bits, so nothing has to slow down
their guessing (NIST SP 800-63B-4 asks for 64). The service keeps SHA-256 of them only: nobody inverts a hash
of 80 random bits, so a slow one would buy nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from enum import StrEnum
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH: Final = 16
_MEANT = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None, "\u2010": None, "\u2011": None})


class CodePurpose(StrEnum):
    REGISTRATION = "registration"  # a mailbox, and the account that is made when it answers
    EMAIL = "email"  # a mailbox of somebody who has an account
    REVERT = "revert"  # the old mailbox takes a change of address back
    ACTIVATION = "activation"  # an account that an officer opened


def new_code() -> str:
    """``7K3M-9QXF-2T8W-ABCD``, as it is printed and sent. Shown once, never stored."""
    raw = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return "-".join(raw[start : start + 4] for start in range(0, LENGTH, 4))


def hash_code(typed: str) -> bytes | None:
    """What the table knows a code by; None when ``typed`` cannot be one. Forgives how people type."""
    if len(typed) > 64:
        return None
    code = typed.strip().upper().translate(_MEANT)
    if len(code) != LENGTH or any(character not in ALPHABET for character in code):
        return None
    return hashlib.sha256(f"absah person code {code}".encode()).digest()
