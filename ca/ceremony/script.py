"""The script of a ceremony: what will happen, who takes part, and what comes in, for people to review. Pure.

A script is YAML without anything that hides meaning: no aliases, no repeated or unknown keys. Everything
that needs no machine to be checked is checked here, all of it before anything happens.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import yaml

from ca.errors import CeremonyRefused, CertificationError
from ca.model import CertificationConfig, RevocationReason

LARGEST = 256 * 1024
_MOST_STEPS = 50
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ROLE = re.compile(r"[a-z][a-z0-9-]{0,39}")
_ROOT = re.compile(r"root-[1-9][0-9]{0,2}")
_ISSUING = re.compile(r"issuing-[1-9][0-9]{0,2}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FEWEST_CONFIRM = 2


class Act(StrEnum):
    GENERATE_ROOT = "generate-root"
    ISSUE = "issue"
    CROSS_CERTIFY = "cross-certify"
    REVOKE = "revoke"
    SIGN_LIST = "sign-list"
    PUBLISH = "publish"


_FIELDS: Mapping[Act, tuple[frozenset[str], frozenset[str]]] = {
    Act.GENERATE_ROOT: (frozenset({"name"}), frozenset()),
    Act.ISSUE: (frozenset({"name", "issuer", "request"}), frozenset()),
    Act.CROSS_CERTIFY: (frozenset({"old", "new"}), frozenset()),
    Act.REVOKE: (frozenset({"name", "reason"}), frozenset({"since"})),
    Act.SIGN_LIST: (frozenset({"issuer", "valid_days"}), frozenset()),
    Act.PUBLISH: (frozenset({"folder"}), frozenset()),
}
"""Of each act, the fields that it must have and those that it may have."""

_FORMS: Mapping[Act, Mapping[str, re.Pattern[str]]] = {
    Act.GENERATE_ROOT: {"name": _ROOT},
    Act.ISSUE: {"name": _ISSUING, "issuer": _ROOT},
    Act.CROSS_CERTIFY: {"old": _ROOT, "new": _ROOT},
    Act.REVOKE: {},
    Act.SIGN_LIST: {"issuer": _ROOT},
    Act.PUBLISH: {"folder": _FILE},
}

_REASONS = {
    reason.name.lower().replace("_", "-"): reason
    for reason in (
        RevocationReason.CA_COMPROMISE,
        RevocationReason.SUPERSEDED,
        RevocationReason.CESSATION_OF_OPERATION,
        RevocationReason.AFFILIATION_CHANGED,
        RevocationReason.PRIVILEGE_WITHDRAWN,
    )
}


@dataclass(frozen=True, slots=True)
class Step:
    """One act with what it needs. ``confirmed_by`` are roles, at least two people."""

    number: int
    act: Act
    fields: Mapping[str, str]
    confirmed_by: tuple[str, ...]
    valid_days: int = 0
    reason: RevocationReason | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Custody:
    """Where the root's key is kept: ``passphrase`` (a file with it) or ``token`` (PKCS #11)."""

    kind: str
    passphrase_file: str = ""
    module: str = ""
    token: str = ""
    pin_file: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """A ceremony as it was reviewed. ``inputs`` are file names beside the script, with their SHA-256."""

    title: str
    place: str
    home: str
    custody: Custody
    config: CertificationConfig
    roles: Mapping[str, str]
    witnesses: tuple[str, ...]
    inputs: Mapping[str, str]
    steps: tuple[Step, ...]


def read_script(text: bytes) -> Script:
    """Raises :class:`ca.errors.CeremonyRefused` naming what to correct."""
    if len(text) > LARGEST:
        raise CeremonyRefused("the script is longer than anybody can review")
    try:
        content = yaml.load(text.decode("utf-8"), Loader=_PlainLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as broken:
        raise CeremonyRefused(f"the script cannot be read as plain YAML: {broken}") from broken
    top = _fields(
        content,
        "the script",
        {"version", "title", "place", "home", "custody", "hierarchy", "roles", "witnesses", "steps"},
        {"inputs"},
    )
    if top["version"] != 1:
        raise CeremonyRefused("the script's version is not 1, the only one that this software knows")
    roles = {
        _match(_ROLE, role, "a role"): _words(name, f"the person of role {role}")
        for role, name in _mapping(top["roles"], "roles").items()
    }
    witnesses = tuple(_words(name, "a witness") for name in _list(top["witnesses"], "witnesses"))
    if not witnesses:
        raise CeremonyRefused("nobody witnesses the ceremony: name at least one witness")
    people = [*roles.values(), *witnesses]
    if len({person.casefold() for person in people}) < len(people):
        raise CeremonyRefused("one person has two parts: every role and every witness is somebody else")
    inputs = {
        _match(_FILE, file, "an input"): _match(_SHA256, digest, f"the SHA-256 of {file}")
        for file, digest in _mapping(top.get("inputs", {}), "inputs").items()
    }
    listed = _list(top["steps"], "steps")
    if not 1 <= len(listed) <= _MOST_STEPS:
        raise CeremonyRefused(f"a ceremony has 1 to {_MOST_STEPS} steps")
    steps = tuple(_step(number, one, roles, inputs) for number, one in enumerate(listed, start=1))
    unused = set(inputs) - {step.fields.get("request") for step in steps}
    if unused:
        raise CeremonyRefused(f"no step uses the input {sorted(unused)[0]}: take it out, or use it")
    return Script(
        title=_words(top["title"], "the title"),
        place=_words(top["place"], "the place"),
        home=_match(_FILE, top["home"], "home"),
        custody=_custody(top["custody"]),
        config=_config(top["hierarchy"]),
        roles=roles,
        witnesses=witnesses,
        inputs=inputs,
        steps=steps,
    )


def _step(number: int, content: object, roles: Mapping[str, str], inputs: Mapping[str, str]) -> Step:
    where = f"step {number}"
    given = _mapping(content, where)
    try:
        act = Act(str(given.get("do")))
    except ValueError:
        raise CeremonyRefused(f"{where}: do is one of {', '.join(Act)}, not {given.get('do')!r}") from None
    needed, optional = _FIELDS[act]
    found = _fields(content, where, {"do", "confirmed_by", *needed}, set(optional))
    confirmed_by = tuple(str(role) for role in _list(found["confirmed_by"], f"{where}: confirmed_by"))
    for role in confirmed_by:
        if role not in roles:
            raise CeremonyRefused(f"{where}: nobody has the role {role!r}")
    if len(set(confirmed_by)) < max(_FEWEST_CONFIRM, len(confirmed_by)):
        raise CeremonyRefused(f"{where}: at least {_FEWEST_CONFIRM} roles confirm it, each named once")
    fields = {name: str(found[name]) for name in needed if name not in {"valid_days", "reason"}}
    for name, form in _FORMS[act].items():
        _match(form, fields[name], f"{where}: {name}")
    if act is Act.ISSUE and fields["request"] not in inputs:
        raise CeremonyRefused(f"{where}: {fields['request']!r} is not among the inputs")
    days, reason, since = 0, None, None
    if act is Act.REVOKE:
        reason = _REASONS.get(str(found["reason"]))
        if reason is None:
            raise CeremonyRefused(f"{where}: reason is one of {', '.join(_REASONS)}")
        since = _moment(found["since"], where) if "since" in found else None
    if act is Act.SIGN_LIST:
        days = found["valid_days"]
        if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= 400:
            raise CeremonyRefused(f"{where}: a root's list is valid for 1 to 400 days")
    return Step(number, act, fields, confirmed_by, days, reason, since)


def _custody(content: object) -> Custody:
    kind = str(_mapping(content, "custody").get("kind"))
    if kind == "passphrase":
        fields = _fields(content, "custody", {"kind", "passphrase_file"}, set())
    elif kind == "token":
        fields = _fields(content, "custody", {"kind", "module", "token", "pin_file"}, set())
    else:
        raise CeremonyRefused("custody: kind is passphrase or token")
    return Custody(**{name: _words(value, f"custody: {name}") for name, value in fields.items()})


def _config(content: object) -> CertificationConfig:
    names = {"base_url", "organisation", "organization_identifier", "country"}
    fields = _fields(content, "hierarchy", names, {"arc"})
    words = {name: _words(value, name) for name, value in fields.items()}
    arc = words.get("arc")
    try:
        config = CertificationConfig(
            base_url=words["base_url"],
            organisation=words["organisation"],
            organization_identifier=words["organization_identifier"],
            country=words["country"],
        )
        return config if arc is None else replace(config, arc=arc)
    except CertificationError as refused:
        raise CeremonyRefused(f"hierarchy: {refused}") from refused


def _moment(value: object, where: str) -> datetime:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CeremonyRefused(f"{where}: since needs date, time and zone, such as '2026-11-20T08:00+07:00'")
    return moment.astimezone(UTC)


def _mapping(content: object, where: str) -> Mapping[str, Any]:
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise CeremonyRefused(f"{where} must be a list of names with values")
    return content


def _list(content: object, where: str) -> list[Any]:
    if not isinstance(content, list):
        raise CeremonyRefused(f"{where} must be a list")
    return content


def _fields(content: object, where: str, needed: set[str], optional: set[str]) -> Mapping[str, Any]:
    found = _mapping(content, where)
    for name in sorted(needed - found.keys()):
        raise CeremonyRefused(f"{where}: {name} is missing")
    for name in sorted(found.keys() - needed - optional):
        raise CeremonyRefused(f"{where}: {name[:40]!r} means nothing here")
    return found


def _words(value: object, where: str) -> str:
    text = value if isinstance(value, str) else ""
    if not 1 <= len(text) <= 200 or not text.isprintable() or text != text.strip():
        raise CeremonyRefused(f"{where} must be 1 to 200 printable characters")
    return text


def _match(pattern: re.Pattern[str], value: object, where: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise CeremonyRefused(f"{where}: {str(value)[:60]!r} has not the form that it must have")
    return value


class _PlainLoader(yaml.SafeLoader):
    """YAML in which what is read is what is written: no aliases, no key twice, text stays text."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases hide what a script says: write it out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.YAMLError(f"{key.value!r} stands there twice{key.start_mark}")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:int"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
