"""What was looked up about somebody, by whom, on which day. Pure.

One line per day, looker and thing: whether an agency's system reads a document once or ten times an hour
tells a person nothing, and would bury what matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from identity.operators.model import Role


class LookupKind(StrEnum):
    """What was done. The words for people are in the pages' catalogue."""

    DOCUMENT_READ = "document_read"  # an agency's system read what a document says
    DOCUMENT_FILE_READ = "document_file_read"  # …or fetched the PDF itself
    PORTAL_LOGIN = "portal_login"  # a portal learnt that the person logged in
    CLAIMS_SHARED = "claims_shared"  # a portal was told what the person agreed to
    ACCOUNT_VIEWED = "account_viewed"  # an operator looked at the account
    ACCOUNT_SEARCHED = "account_searched"  # …or asked whether there is one


class ActorKind(StrEnum):
    AGENCY = "agency"
    PORTAL = "portal"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who looked. ``id`` is the agency's, the portal's or the operator's person id; ``name`` what the agency
    or portal is called, or the role in which an operator looked: people are told of the office, not of the
    officer, whom the audit trail knows.
    """

    kind: ActorKind
    id: str
    name: str

    @classmethod
    def operator(cls, person_id: str, role: Role) -> Actor:
        return cls(ActorKind.OPERATOR, person_id, role.value)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom it is about: somebody with an account, or the fingerprint of a NIK that a document carries.

    A document may be read before its holder has an account; once they are proofed, they find that too.
    """

    person_id: str | None = None
    holder: bytes | None = None

    def __post_init__(self) -> None:
        if (self.person_id is None) == (self.holder is None):
            raise ValueError("a lookup is about a person or about a holder")

    @property
    def key(self) -> str:
        """What the row is found by."""
        return self.person_id if self.person_id is not None else f"nik:{_hex(self.holder)}"


@dataclass(frozen=True, slots=True)
class Lookup:
    """One line. ``thing`` is a document's id, or the scopes that a portal was granted."""

    subject: Subject
    kind: LookupKind
    actor: Actor
    thing: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ShownLookup:
    """A line as its person sees it. ``at`` is when it happened first on that day."""

    kind: LookupKind
    actor: Actor
    thing: str
    at: datetime

    def held(self) -> Mapping[str, str]:
        """For the export of a person's data."""
        return {
            "at": self.at.isoformat(),
            "what": self.kind.value,
            "by": self.actor.name,
            "by_kind": self.actor.kind.value,
            "thing": self.thing,
        }


@dataclass(frozen=True, slots=True)
class LookupPolicy:
    """``keep`` is how long people can see who looked."""

    keep: timedelta = timedelta(days=730)


def _hex(value: bytes | None) -> str:
    return value.hex() if value is not None else ""
