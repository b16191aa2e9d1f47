"""Base 64 and JSON with one spelling per value, for everything that strangers sign. Pure.

Two readers that understand one text differently are how signed things are forged: what is not the canonical
spelling, or names a member twice, is refused instead of interpreted (RFC 7515, 10.12 and 10.13).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from typing import Any, NoReturn


def base64url(raw: bytes) -> str:
    """Without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def strict_base64url(text: str) -> bytes:
    """The bytes, if ``text`` is their one spelling: no padding, leftover bits zero. Raises ``ValueError``."""
    try:
        decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, UnicodeEncodeError) as cause:
        raise ValueError("not base64url") from cause
    if base64url(decoded) != text:
        raise ValueError("not the canonical base64url")
    return decoded


def strict_json_object(raw: bytes) -> dict[str, Any]:
    """A JSON object whose members are named once. Raises ``ValueError``, whatever is wrong.

    Text that cannot be stored is refused too: halves of characters, which no encoding takes, and U+0000,
    which PostgreSQL does not.
    """
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_named_once, parse_constant=_refuse_constant)
        if b"\\u" in raw:
            _require_storable(value)
    except _NotOneMeaning:
        raise
    except (ValueError, RecursionError) as cause:  # the parser's own words say nothing to a stranger
        raise ValueError("not JSON") from cause
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


class _NotOneMeaning(ValueError):
    """JSON to some readers, and not the same to all."""


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _NotOneMeaning("a member is there twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise _NotOneMeaning(f"{name} is not JSON")


def _require_storable(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise _NotOneMeaning("U+0000 is not text")
        value.encode()
    elif isinstance(value, list):
        for item in value:
            _require_storable(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            _require_storable(name)
            _require_storable(item)


def equal(given: object, expected: str) -> bool:
    """Compare in constant time; whatever is not text is not equal."""
    return isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
