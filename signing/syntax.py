"""Between pyHanko's objects and bytes: reading entries, and writing values as they stand in a file (7.3)."""

from __future__ import annotations

import io
from typing import Any

from pyhanko.pdf_utils import generic

Entries = dict[str, bytes]
"""A dictionary as its keys (with their slash) and the written form of each value."""


def written(value: Any) -> bytes:
    """A value as it stands in a file. References stay references."""
    out = io.BytesIO()
    value.write_to_stream(out)
    return out.getvalue()


def entries_of(dictionary: generic.DictionaryObject) -> Entries:
    """A shallow copy, ready to have entries replaced."""
    return {key: written(dictionary.raw_get(key)) for key in dictionary}


def dictionary(entries: Entries) -> bytes:
    return b"<<%b>>" % b"".join([b"%b %b" % (_name(key), value) for key, value in entries.items()])


def _name(key: str) -> bytes:
    """A key as it stands in a file: plain letters as they are, everything else with its escapes (7.3.5)."""
    plain = key[1:].isalnum() and key.isascii()
    return key.encode("ascii") if plain else written(generic.NameObject(key))


def array_with(array: Any, *more: bytes) -> bytes:
    """``array`` (or nothing, when it is not one) with written values added at its end."""
    items = (
        [written(array.raw_get(i)) for i in range(len(array))]
        if isinstance(array, generic.ArrayObject)
        else []
    )
    return b"[%b]" % b" ".join([*items, *more])


def text_string(text: str) -> bytes:
    """A text string (7.9.2.2) in hexadecimal: ASCII as it is, everything else as UTF-16BE with its mark."""
    raw = text.encode("ascii") if text.isascii() else b"\xfe\xff" + text.encode("utf-16-be")
    return b"<%b>" % raw.hex().encode("ascii")


def stream(entries: bytes, data: bytes) -> bytes:
    """A stream object whose dictionary holds ``entries`` (written) besides its length."""
    return b"<<%b/Length %d>>stream\n%b\nendstream" % (entries, len(data), data)


def entry(holder: Any, key: str, default: Any = None) -> Any:
    """What a dictionary holds under ``key``, references followed; ``default`` where there is nothing.

    ``get`` of pyHanko's dictionaries is that of ``dict`` and would return the reference.
    """
    if not isinstance(holder, generic.DictionaryObject) or key not in holder:
        return default
    value = holder[key]
    return default if isinstance(value, generic.NullObject) else value
