"""The reference of all settings, and the guard against misspelt ones."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import NoneType
from typing import Any, Final, get_args

from pydantic import BaseModel

from app.errors import SettingsInvalid
from app.settings.values import Section

PREFIX: Final = "ABSAH_"
NOT_OURS: Final = ("ABSAH_REQUIRE", "ABSAH_TEST_", "ABSAH_BENCH_")
"""Read by the tests and benchmarks, not by the service: names, or prefixes that end in an underscore."""


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """One line of the reference: environment variable, type, default as text, meaning."""

    variable: str
    type: str
    default: str
    doc: str


def described(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[SettingDescription]:
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from described(kind, (*path, name))
            continue
        default = "" if info.default is None else str(info.default)
        yield SettingDescription(variable_name((*path, name)), _kind(kind), default, info.description or "")


def _kind(annotation: Any) -> str:
    """The type in words of an operator."""
    if isinstance(annotation, type):
        if issubclass(annotation, StrEnum):
            return " | ".join(annotation)
        return {int: "number", bool: "true | false", str: "text", Path: "path"}[annotation]
    inner = [argument for argument in get_args(annotation) if argument is not NoneType]
    return _kind(inner[0])


def variable_name(path: Iterator[str] | tuple[str, ...]) -> str:
    """``("keys", "kek_file")`` as ``ABSAH_KEYS_KEK_FILE``."""
    return PREFIX + "_".join(path).upper()


def refuse_unknown(environ: Mapping[str, str], settings: type[BaseModel]) -> None:
    """A misspelt setting must not be a setting silently ignored. Raises :class:`SettingsInvalid`."""
    known = [setting.variable for setting in described(settings, ())]
    for name in sorted(environ):
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper in known or _belongs_elsewhere(upper):
            continue
        near = difflib.get_close_matches(upper, known, n=1, cutoff=0)
        raise SettingsInvalid(
            f"{name} is not a setting. Did you mean {near[0]}? `absah doctor --settings` lists every setting."
        )


def _belongs_elsewhere(name: str) -> bool:
    return any(name == other or (other.endswith("_") and name.startswith(other)) for other in NOT_OURS)


def reason(message: str) -> str:
    return message.removeprefix("Value error, ").removesuffix(".").replace("Input should", "should")
