"""Passwords: their one spelling (RFC 8265), and Argon2id in a bounded number of places (RFC 9106)."""

from __future__ import annotations

import base64
import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from identity.factors.errors import (
    PasswordCharacterRefused,
    PasswordsBusy,
    PasswordTooLong,
    PasswordTooShort,
)
from identity.factors.model import PasswordCost

LEAST: Final = 8
MOST: Final = 128
_MOST_RAW: Final = 1024
"""Characters that are looked at at all; composing may make one of several, but never one of eight."""

_SALT_BYTES: Final = 16
_DIGEST_BYTES: Final = 32
_RETRY_AFTER: Final = 2

_REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_REFUSED_RANGES: Final = (
    (0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF),  # default ignorable: nobody sees them
    (0x1100, 0x11FF), (0xA960, 0xA97F), (0xD7B0, 0xD7FF),  # old Hangul jamo
)  # fmt: skip
_JOINERS: Final = "\u200c\u200d"
_VIRAMA: Final = 9  # canonical combining class


def prepare(password: str) -> str:
    """The one spelling under which a password is hashed: the OpaqueString profile of RFC 8265, 4.2.

    Other spaces become the ASCII space, and characters outside the FreeformClass of RFC 8264 are refused.
    Normalisation is NFKC, which NIST SP 800-63B-4, 3.1.1.2 asks for, instead of the profile's NFC: it makes
    equal all that NFC makes equal, and the full-width letters of some phone keyboards besides. Case and
    spaces at the ends count. Raises a leaf of :class:`identity.factors.errors.PasswordRefused`.
    """
    if len(password) > _MOST_RAW:
        raise PasswordTooLong(most=MOST)
    spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in password)
    normal = unicodedata.normalize("NFKC", spaced)
    if any(_is_refused(normal, position) for position in range(len(normal))):
        raise PasswordCharacterRefused
    if len(normal) < LEAST:
        raise PasswordTooShort(least=LEAST)
    if len(normal) > MOST:
        raise PasswordTooLong(most=MOST)
    return normal


def _is_refused(text: str, position: int) -> bool:
    character = text[position]
    if character.isascii():
        return not character.isprintable()
    if character in _JOINERS:  # RFC 5892, A.1 and A.2: right behind a virama, as Javanese and Balinese need
        return position == 0 or unicodedata.combining(text[position - 1]) != _VIRAMA
    if unicodedata.category(character) in _REFUSED_CATEGORIES:
        return True
    return any(first <= ord(character) <= last for first, last in _REFUSED_RANGES)


class SlowHasher:
    """Argon2id in one lane. Safe to share between threads.

    At most ``at_once`` hashes run at the same time, on the callers' threads: memory and processor time stay
    bounded whatever comes in. Up to ``waiting`` callers wait for a place; the next one is sent away. Do not
    hold a transaction while calling.
    """

    def __init__(self, *, at_once: int, waiting: int, cost: PasswordCost) -> None:
        self._argon2 = PasswordHasher(
            time_cost=cost.passes,
            memory_cost=cost.memory_kib,
            parallelism=1,
            hash_len=_DIGEST_BYTES,
            salt_len=_SALT_BYTES,
            type=Type.ID,
        )
        self._running = BoundedSemaphore(at_once)
        self._places = BoundedSemaphore(at_once + waiting)
        self._nobody = _hash_of_nothing(cost)

    def hash(self, secret: str) -> str:
        """A PHC string. Raises :class:`identity.factors.errors.PasswordsBusy`."""
        with self._place():
            return self._argon2.hash(secret)

    def matches(self, hashed: str | None, secret: str | None) -> bool:
        """Whether ``secret`` was hashed to ``hashed``; the same work when either is missing.

        Raises :class:`identity.factors.errors.PasswordsBusy`.
        """
        with self._place():
            try:
                matched = self._argon2.verify(
                    hashed if hashed and secret is not None else self._nobody, secret or ""
                )
            except (VerificationError, InvalidHashError):
                return False
        return matched and hashed is not None and secret is not None

    def is_outdated(self, hashed: str) -> bool:
        """Made with other parameters than today's."""
        return self._argon2.check_needs_rehash(hashed)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise PasswordsBusy(retry_after=_RETRY_AFTER)
        try:
            with self._running:
                yield
        finally:
            self._places.release()


def _hash_of_nothing(cost: PasswordCost) -> str:
    """A well-formed hash that no password has: random bytes in the place of both salt and digest."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode("ascii")
        for size in (_SALT_BYTES, _DIGEST_BYTES)
    )
    return f"$argon2id$v=19$m={cost.memory_kib},t={cost.passes},p=1${salt}${digest}"
