"""Signatures that a PDF already carries, and whether they let anything be added."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pyhanko.pdf_utils import generic

from signing.errors import LockedByEarlierSignature
from signing.syntax import entry

_DEEPEST_FIELD: Final = 64
_ALLOWED: Final = {
    1: "no changes",
    2: "only filling in and signing fields that are already there",
    3: "only comments and filling in and signing fields that are already there",
}


def signatures_in(catalog: generic.DictionaryObject) -> Iterator[tuple[generic.DictionaryObject, Any]]:
    """Signed signature fields as pairs of field and signature dictionary."""
    stack: list[tuple[Any, Any, int]] = [(entry(entry(catalog, "/AcroForm"), "/Fields"), None, 0)]
    seen: set[int] = set()
    while stack:
        kids, inherited_type, depth = stack.pop()
        if not isinstance(kids, generic.ArrayObject) or depth > _DEEPEST_FIELD:
            continue
        for index in range(len(kids)):
            raw = kids.raw_get(index)
            if isinstance(raw, generic.IndirectObject):
                if raw.idnum in seen:
                    continue
                seen.add(raw.idnum)
            field = raw.get_object()
            if not isinstance(field, generic.DictionaryObject):
                continue
            kind = entry(field, "/FT", inherited_type)
            value = entry(field, "/V")
            if kind == "/Sig" and isinstance(value, generic.DictionaryObject):
                yield field, value
            stack.append((entry(field, "/Kids"), kind, depth + 1))


def refuse_locked(signatures: tuple[Any, ...]) -> None:
    """Refuse what must not be added to: ISO 32000-2, 12.8.2.2 (DocMDP) and 12.8.2.4 (FieldMDP).

    P=2 allows "filling in forms, instantiating page templates, and signing" (Table 257),
    P=3 comments besides. Signing there means a field that the certifier left for it. A new visible field can
    hide what was certified (the "sneaky signature" attack of 2021), so validators count it as a forbidden
    change, though some viewers let it pass. A certification without /P means 2.
    """
    permissions: list[int] = []
    for field, signature in signatures:
        locks = [entry(field, "/Lock")]
        for raw in entry(signature, "/Reference", ()):
            reference = raw.get_object()
            method, parameters = (entry(reference, key) for key in ("/TransformMethod", "/TransformParams"))
            if method == "/DocMDP":
                permissions.append(_permission(parameters))
            elif method == "/FieldMDP":
                locks.append(parameters)
        for lock in locks:
            if not isinstance(lock, generic.DictionaryObject):
                continue
            if entry(lock, "/Action") in ("/All", "/Exclude"):
                raise LockedByEarlierSignature(
                    "A signature in the PDF locks every form field, new ones included, so a visible seal "
                    "would break it: seal before signing, or send the document without that lock."
                )
            if "/P" in lock:
                permissions.append(_permission(lock))
    strictest = min(permissions, default=None)
    if strictest is not None:
        raise LockedByEarlierSignature(
            f"The PDF is certified and allows {_ALLOWED[strictest]} (DocMDP P={strictest}); a visible seal "
            "is a new field and would break that certification: seal the document before it is certified, or "
            "ask for a copy without it."
        )


def _permission(parameters: Any) -> int:
    value = entry(parameters, "/P", 2)
    return int(value) if isinstance(value, int) and value in (1, 2, 3) else 2
