"""From settings to the policies of the slices: a policy's ``idle`` is the section's ``idle_minutes``.

Settings speak in the unit that a person would use for the value; policies hold ``timedelta``. One rule for
all of them, so that a new limit is one line in the slice and one in :mod:`app.settings.people`.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar, get_origin, get_type_hints

from app.errors import SettingsInvalid
from app.settings import Settings
from app.settings.values import Section
from identity.agencies.model import AgencyPolicy
from identity.people.policy import PeoplePolicy
from identity.provider.model import ProviderPolicy

UNITS: Final = ("seconds", "minutes", "hours", "days")

Policy = TypeVar("Policy")


def policy_from(section: Section, kind: type[Policy], **given: object) -> Policy:
    """A policy of class ``kind`` out of a section's values; ``given`` are those that no setting decides.

    A part that is a dataclass itself takes the settings that begin with its name: ``account.free`` is
    ``account_free``. A set of words is one text with spaces. Raises ``LookupError`` for a limit without a
    setting, because every limit has one, and :class:`app.errors.SettingsInvalid` for values that exclude each
    other.
    """
    try:
        return kind(**{**_parts(section, kind, "", given), **given})
    except ValueError as cause:
        raise SettingsInvalid(
            f"{type(section).__doc__} {cause}. Change the settings of this section."
        ) from None


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
        elif get_origin(hint) is frozenset:
            found[part.name] = frozenset(_value(section, name).split())
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


def people_policy(settings: Settings) -> PeoplePolicy:
    """Invented residents are let in outside production only."""
    return policy_from(settings.people, PeoplePolicy, sample_niks=not settings.production)


def agency_policy(settings: Settings) -> AgencyPolicy:
    """Client secrets are for development."""
    return policy_from(settings.agencies, AgencyPolicy, secrets_allowed=not settings.production)


def provider_policy(settings: Settings) -> ProviderPolicy:
    """Portals on plain http are for development."""
    return policy_from(
        settings.provider, ProviderPolicy, issuer=settings.issuer, allow_http=not settings.production
    )
