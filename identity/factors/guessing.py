"""Passwords that are guessed first, and are therefore refused (NIST SP 800-63B-4, 3.1.1.2). Pure.

No composition rules: a password is refused only when it is

1. a common word, phrase or password, also with digits or signs around it, with digits and signs for letters,
   or twice in a row;
2. a pattern: a walk over the keyboard or the alphabet (or two that take turns), hardly any different
   characters, or only digits, of which breaches hold every date and nearly every short number;
3. little more than the person's own name, their e-mail address or the name of this service.

Online, every guess costs a delay; these are what the first guesses are made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from identity.factors.common import CommonPasswords, fold
from identity.factors.errors import PasswordCommon, PasswordPersonal

_MOST_AROUND: Final = 6
"""Digits and signs around a common word that add nothing worth guessing."""
_AROUND: Final = "0123456789!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~"
_LEAST_WORD: Final = 4
_FEW_CHARACTERS: Final = 3
_MOST_DIGITS: Final = 10
_RUN: Final = 4
"""A pattern is made of runs of at least so many neighbours on average."""

_SIGNS_AS_LETTERS: Final = (
    str.maketrans("0134578@$!+|", "oieastbasitl"),
    str.maketrans("0134567@$!+|", "oleasgtasltl"),
)
_ROWS: Final = (("1234567890", 0.0), ("qwertyuiop", 0.5), ("asdfghjkl", 0.75), ("zxcvbnm", 1.25))
_KEYS: Final = {
    key: (column + shift, row) for row, (keys, shift) in enumerate(_ROWS) for column, key in enumerate(keys)
}
_SHIFTED: Final = str.maketrans("!@#$%^&*()", "1234567890")
_MOBILE: Final = re.compile(r"(?:\+?62|0)8[0-9]{8,11}")
_NIK: Final = re.compile(r"[1-9][0-9]{5}(?:[04][1-9]|[1256][0-9]|[37][01])(?:0[1-9]|1[0-2])[0-9]{6}")
_OWN_NAMES: Final = ("absah",)


def require_unguessable(prepared: str, *, common: Sequence[CommonPasswords], about: Sequence[str]) -> None:
    """``about`` holds what is known of the person, such as name and e-mail address.

    Raises :class:`identity.factors.errors.PasswordCommon` or ``PasswordPersonal``.
    """
    folded = fold(prepared)
    if is_pattern(prepared.casefold()) or is_pattern(folded) or _is_common(folded, common):
        raise PasswordCommon
    if _is_personal(folded, common, about):
        raise PasswordPersonal


def is_pattern(text: str) -> bool:
    """Rule 2. ``text`` is folded or at least without capitals."""
    if len(set(text)) <= _FEW_CHARACTERS:
        return True
    if _MOBILE.fullmatch(text) or _NIK.fullmatch(text) or (text.isdecimal() and len(text) <= _MOST_DIGITS):
        return True
    unshifted = text.translate(_SHIFTED)
    return _is_walk(unshifted) or (_is_walk(unshifted[::2]) and _is_walk(unshifted[1::2]))


def _is_walk(text: str) -> bool:
    """Neighbours on the keyboard or in the alphabet, but for a jump now and then."""
    jumps = sum(not _are_neighbours(one, other) for one, other in pairwise(text))
    return (jumps + 1) * _RUN <= len(text)


def _are_neighbours(one: str, other: str) -> bool:
    if one == other or (one.isalnum() and other.isalnum() and abs(ord(one) - ord(other)) == 1):
        return True
    if one not in _KEYS or other not in _KEYS:
        return False
    (x, row), (other_x, other_row) = _KEYS[one], _KEYS[other]
    return abs(x - other_x) <= 1 if row == other_row else abs(row - other_row) == 1 and abs(x - other_x) < 0.8


def _is_common(folded: str, common: Sequence[CommonPasswords]) -> bool:
    return any(form in words for form in set(_forms(folded)) for words in common)


def _forms(folded: str) -> Iterator[str]:
    """Rule 1: the words that a password may be a dressed-up form of."""
    for text in {folded, _repeated(folded) or folded}:
        for bare in {text, text.strip(_AROUND), text.lstrip(_AROUND), text.rstrip(_AROUND)}:
            if len(bare) < _LEAST_WORD:
                continue
            around = "".join(text.split(bare, 1))
            if len(around) <= _MOST_AROUND or is_pattern(around):
                yield bare
                yield from (bare.translate(signs) for signs in _SIGNS_AS_LETTERS)


def _repeated(text: str) -> str | None:
    """The unit of a text that is nothing but its repetition."""
    period = (text + text).find(text, 1)
    return text[:period] if period < len(text) else None


def _is_personal(folded: str, common: Sequence[CommonPasswords], about: Sequence[str]) -> bool:
    """Rule 3: without their own words there is nothing left, or one common word."""
    own = {word for text in (*about, *_OWN_NAMES) for word in _own_words(text)}
    for read in (folded, *(folded.translate(signs) for signs in _SIGNS_AS_LETTERS)):
        left = read
        for word in sorted(own, key=len, reverse=True):
            left = left.replace(word, " ")
        if left == read:
            continue
        letters = "".join(character for character in left if character.isalpha())
        if len(letters) < _LEAST_WORD or _is_common(letters, common):
            return True
    return False


def _own_words(text: str) -> Iterator[str]:
    """The parts of a name or an address, and the whole of it; the ends of domains say nothing."""
    local, at, domain = text.rpartition("@")
    if at:
        yield from _own_words(local)
        yield from _own_words(" ".join(domain.split(".")[:-1]))
        return
    whole = "".join(character for character in fold(text) if character.isalnum())
    parts = [fold(part) for part in re.findall(r"[^\W\d_]+", text)]
    yield from {word for word in (whole, *parts) if len(word) >= _LEAST_WORD - 1}
