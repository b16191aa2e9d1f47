"""From settings to the policies of the slices: a policy's ``idle`` is the section's ``idle_minutes``.

Settings speak in the unit that a person would use for the value; policies hold ``timedelta``. One rule for
all of them, so that a new limit is one line in the slice and one in :mod:`app.settings.people`.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar, get_type_hints

from app.settings.values import Section

UNITS: Final = ("seconds", "minutes", "hours", "days")

Policy = TypeVar("Policy")


def policy_from(section: Section, kind: type[Policy], **given: object) -> Policy:
    """A policy of class ``kind`` out of a section's values; ``given`` are those that no setting decides.

    A part that is a dataclass itself takes the settings that begin with its name: ``account.free`` is
    ``account_free``. Raises ``LookupError`` for a limit without a setting: every limit has one.
    """
    return kind(**{**_parts(section, kind, "", given), **given})


def _parts(section: Section, kind: type[Any], prefix: str, given: dict[str, object]) -> dict[str, object]:
    hints = get_type_hints(kind)
    found: dict[str, object] = {}
    for part in fields(kind):
        if part.name in given:
            continue
        hint = hints[part.name]
        name = prefix + part.name
        if is_dataclass(hint):
            assert isinstance(hint, type)
            found[part.name] = hint(**_parts(section, hint, f"{name}_", {}))
        elif hint is timedelta:
            found[part.name] = _duration(section, name)
        else:
            found[part.name] = _value(section, name)
    return found


def _duration(section: Section, name: str) -> timedelta:
    for unit in UNITS:
        if f"{name}_{unit}" in type(section).model_fields:
            return timedelta(**{unit: getattr(section, f"{name}_{unit}")})
    return timedelta(seconds=_value(section, f"{name}_seconds"))


def _value(section: Section, name: str) -> Any:
    if name not in type(section).model_fields:
        raise LookupError(f"{type(section).__name__} has no {name!r}: add it, so that operators can set it")
    return getattr(section, name)
