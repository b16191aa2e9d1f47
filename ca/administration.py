"""``/v1/ca``: what was certified here, what is due, and ending it. For CA administrators; auditors read."""

# No postponed annotations here: FastAPI could not resolve the guard, which is local to `router`.

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ca.errors import CertificateUnknown
from ca.model import CertificateStatus, ProfileName, RevocationReason
from ca.overview import CertificateView, Due, ListView, Use
from ca.ports import Clock
from ca.revocation import Revocation

_MOST_LISTED = 500


class Register(Protocol):
    """What is read; the composition root fills it."""

    def certificates(self) -> Sequence[CertificateView]: ...

    def certificate(self, name: str) -> CertificateView | None: ...

    def lists(self) -> Sequence[ListView]: ...


class Reason(StrEnum):
    """CRLReason (RFC 5280 5.3.1) without those that say nothing, and without the hold, which has its own
    address."""

    KEY_COMPROMISE = "key-compromise"
    CA_COMPROMISE = "ca-compromise"
    AFFILIATION_CHANGED = "affiliation-changed"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessation-of-operation"
    PRIVILEGE_WITHDRAWN = "privilege-withdrawn"


class _Schema(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CertificateOut(_Schema):
    """A certificate, and what is due with it."""

    name: str = Field(description="Its place in `/pki/{name}.crt`.")
    serial: str = Field(description="Hexadecimal.")
    profile: ProfileName
    profile_version: int
    issuer: str
    owner: str
    key: str
    sha256: str = Field(description="Of the DER certificate, hexadecimal.")
    not_before: datetime
    not_after: datetime
    status: CertificateStatus
    use: Use
    due: Due = Field(description="What will have to be done next, from `due_at` on.")
    due_at: datetime | None
    revoked_at: datetime | None
    reason: str | None
    invalidity_date: datetime | None


class ListOut(_Schema):
    """The newest revocation list of a CA or of one of its partitions."""

    name: str = Field(description="Its place in `/pki/{name}.crl`.")
    number: int
    this_update: datetime
    next_update: datetime
    due_at: datetime
    signed_elsewhere: bool


class RevocationIn(_Schema):
    reason: Reason
    since: AwareDatetime | None = Field(
        default=None, description="Since when somebody else may have had the key. It is published."
    )


def router(
    *, register: Register, revocation: Revocation, guard: Callable[[Request], str], clock: Clock
) -> APIRouter:
    """``guard`` gives the person's id: it lets auditors read, and nobody but CA administrators who used their
    passkey a moment ago change something."""
    routes = APIRouter(prefix="/v1/ca", tags=["ca"])
    Person = Annotated[str, Depends(guard)]
    Name = Annotated[str, Path(max_length=64, pattern="^[a-z0-9-]+$")]

    def found(name: str) -> CertificateView:
        view = register.certificate(name)
        if view is None:
            raise CertificateUnknown("no certificate with this name was issued here")
        return view

    @routes.get("/certificates", summary="Every certificate, by kind, oldest first")
    def list_certificates(
        person: Person,
        *,
        profile: ProfileName | None = None,
        owner: Annotated[str | None, Query(max_length=128)] = None,
        due: Annotated[bool, Query(description="Only those with which something is due.")] = False,
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=_MOST_LISTED)] = 100,
    ) -> list[CertificateOut]:
        del person
        wanted = [
            view
            for view in register.certificates()
            if (profile is None or view.record.profile is profile)
            and (owner is None or view.record.owner == owner)
            and (not due or view.is_due(clock()))
        ]
        return [_shown(view) for view in wanted[offset : offset + limit]]

    @routes.get("/certificates/{name}", summary="One certificate")
    def read_certificate(name: Name, person: Person) -> CertificateOut:
        del person
        return _shown(found(name))

    @routes.get("/lists", summary="The newest list of every CA and partition")
    def list_lists(person: Person) -> list[ListOut]:
        del person
        return [
            ListOut(
                name=one.name,
                number=one.number,
                this_update=one.this_update,
                next_update=one.next_update,
                due_at=one.due_at,
                signed_elsewhere=one.brought,
            )
            for one in register.lists()
        ]

    @routes.post("/certificates/{name}/revocation", summary="Revoke for good")
    def revoke(name: Name, asked: RevocationIn, person: Person) -> CertificateOut:
        reason = RevocationReason[asked.reason.name]
        revocation.revoke_alone(found(name).record.serial, reason, asked.since, actor=person)
        return _shown(found(name))

    @routes.post("/certificates/{name}/hold", summary="Suspend while something is looked into")
    def hold(name: Name, person: Person) -> CertificateOut:
        revocation.revoke(found(name).record.serial, RevocationReason.CERTIFICATE_HOLD, actor=person)
        return _shown(found(name))

    @routes.post("/certificates/{name}/release", summary="End a hold; the certificate counts as never held")
    def release(name: Name, person: Person) -> CertificateOut:
        revocation.release(found(name).record.serial, actor=person)
        return _shown(found(name))

    return routes


def _shown(view: CertificateView) -> CertificateOut:
    record = view.record
    return CertificateOut(
        name=record.name,
        serial=f"{record.serial:x}",
        profile=record.profile,
        profile_version=record.profile_version,
        issuer=record.issuer,
        owner=record.owner,
        key=record.key_id,
        sha256=record.sha256.hex(),
        not_before=record.not_before,
        not_after=record.not_after,
        status=record.status,
        use=view.use,
        due=view.due,
        due_at=view.due_at,
        revoked_at=record.revoked_at,
        reason=None if record.reason is None else record.reason.name.lower().replace("_", "-"),
        invalidity_date=record.invalidity_date,
    )
