"""Document ids: 80 random bits, written so that a person can read them aloud and type them.

Sixteen characters of Crockford's base 32 (no I, L, O, U). The stored and transported form is upper case
without separators; :func:`grouped` is for print; :func:`parse_id` forgives what people do when they type.
"""

from __future__ import annotations

import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ID_BYTES = 10
ID_LENGTH = 16

_VALUES = {character: value for value, character in enumerate(ALPHABET)}
_TYPED = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


def new_document_id() -> str:
    """A fresh id from the operating system's random source."""
    return id_from_bytes(secrets.token_bytes(ID_BYTES))


def id_from_bytes(raw: bytes) -> str:
    """The text form of exactly :data:`ID_BYTES` bytes."""
    if len(raw) != ID_BYTES:
        raise ValueError(f"a document id has {ID_BYTES} bytes, not {len(raw)}")
    number = int.from_bytes(raw)
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(75, -1, -5))


def id_to_bytes(document_id: str) -> bytes:
    """The inverse of :func:`id_from_bytes`; raises ``ValueError`` for anything but the canonical form."""
    if len(document_id) != ID_LENGTH:
        raise ValueError(f"a document id has {ID_LENGTH} characters")
    number = 0
    for character in document_id:
        value = _VALUES.get(character)
        if value is None:
            raise ValueError("a document id has only digits and upper-case letters other than I, L, O and U")
        number = number << 5 | value
    return number.to_bytes(ID_BYTES)


def parse_id(text: str) -> str | None:
    """The canonical id that a person meant by ``text``, or None when it cannot be one."""
    if len(text) > 64:
        return None
    candidate = text.strip().upper().translate(_TYPED)
    if len(candidate) != ID_LENGTH or any(character not in _VALUES for character in candidate):
        return None
    return candidate


def is_document_id(text: str) -> bool:
    """Whether ``text`` is the canonical form of some id, and so may be looked up."""
    return parse_id(text) == text


def grouped(document_id: str) -> str:
    """``7K3M9QXF…`` as ``7K3M-9QXF-…``, for print."""
    return "-".join(document_id[start : start + 4] for start in range(0, ID_LENGTH, 4))
