"""One value of each kind, for every mail there is."""

from __future__ import annotations

from identity.mail.model import LETTERS, Kind

SAMPLE = {
    Kind.CODE: "7K3M-9QXF-2T8W-ABCD",
    Kind.MOMENT: "2026-06-01T03:00:00+00:00",
    Kind.NUMBER: "7",
    Kind.TEXT: "Firefox di Windows",
}


def values_of(template: str) -> dict[str, str]:
    return {name: SAMPLE[kind] for name, kind in LETTERS[template].values.items()}
