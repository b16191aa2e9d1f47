"""``/certificates``: CA administrators see what is due, hold, release and revoke; auditors look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from fastapi import APIRouter

from app.certifying.reading import CertificateRegister
from app.certifying.words import WORDS
from ca.administration import Reason
from ca.errors import RevocationRefused
from ca.model import CertificateStatus, ProfileName, RevocationReason
from ca.overview import CertificateView, Use
from ca.revocation import Revocation
from ca.subjects import shown_name
from identity.operators.model import Role
from identity.operators.service import Operators
from identity.web.duty import Duty
from identity.web.errors import PageUnknown
from identity.web.shell import Form, Response, Section, Shell, Visit

_ENDED = frozenset({Use.REVOKED, Use.EXPIRED, Use.RETIRED})
_PARTS = {
    "authorities": frozenset(
        {ProfileName.ROOT, ProfileName.SUPERIOR, ProfileName.ISSUING, ProfileName.CROSS}
    ),
    "services": frozenset({ProfileName.TIMESTAMPING, ProfileName.OCSP, ProfileName.RECEIPT}),
    "seals": frozenset({ProfileName.SEAL}),
}
_NOT_CHANGED = frozenset({ProfileName.ROOT, ProfileName.SUPERIOR})


@dataclass(frozen=True, slots=True)
class Certifying:
    """What the pages stand on. ``administrators`` and ``auditors`` guard by role."""

    register: CertificateRegister
    revocation: Revocation
    operators: Operators
    administrators: Duty
    auditors: Duty

    def is_administrator(self, visit: Visit) -> bool:
        return self.operators.powers(visit.session.person_id).has(Role.CA_ADMINISTRATOR)

    def wanted(self, visit: Visit) -> CertificateView:
        """The certificate that the address names."""
        view = self.register.certificate(visit.parameter("name"))
        if view is None:
            raise PageUnknown
        return view


def router(shell: Shell, certifying: Certifying) -> APIRouter:
    """Everything under ``/certificates``."""

    def guard(visit: Visit) -> None:
        # Auditors hold no other role, so whoever is not one has to be an administrator.
        is_auditor = certifying.operators.powers(visit.session.person_id).has(Role.AUDITOR)
        (certifying.auditors if is_auditor else certifying.administrators).guard(visit)

    section = shell.section("app.certifying", words=WORDS, guard=guard)
    _add_list(section, certifying)
    _add_certificate(section, certifying)
    return section.router


def _add_list(section: Section, certifying: Certifying) -> None:
    @section.page("/certificates")
    def certificates_page(visit: Visit) -> Response:
        now = certifying.register.clock()
        views = certifying.register.certificates()
        standing = [view for view in views if view.use not in _ENDED]
        lists = certifying.register.lists()
        is_administrator = certifying.is_administrator(visit)
        return visit.show(
            "certificates.html",
            title="certificates_heading",
            due=[view for view in standing if view.is_due(now)],
            due_lists=[one for one in lists if one.brought and one.due_at <= now],
            parts={
                part: [view for view in standing if view.record.profile in kinds]
                for part, kinds in _PARTS.items()
            },
            ended=[view for view in views if view.use in _ENDED],
            lists=lists,
            back="/account" if is_administrator else "/operators",
            back_text="back_account" if is_administrator else "back_operators",
        )


def _add_certificate(section: Section, certifying: Certifying) -> None:
    @section.page("/certificates/{name}")
    def certificate_page(visit: Visit) -> Response:
        if certifying.is_administrator(visit):
            certifying.administrators.act(visit)
        return _shown(visit, certifying)

    @section.form("/certificates/{name}")
    def certificate_posted(visit: Visit, form: Form) -> Response:
        certifying.administrators.guard(visit)
        actor, record = certifying.administrators.act(visit), certifying.wanted(visit).record
        try:
            match form.text("act"):
                case "hold":
                    certifying.revocation.revoke(
                        record.serial, RevocationReason.CERTIFICATE_HOLD, actor=actor
                    )
                case "release":
                    certifying.revocation.release(record.serial, actor=actor)
                case "revoke":
                    errors, reason, since = _revocation(form, record.name)
                    if errors or reason is None:
                        return _shown(visit, certifying, errors)
                    if certifying.revocation.needs_custodians(record, reason, since):
                        return _shown(visit, certifying, {"": "custodians_say"})
                    certifying.revocation.revoke_alone(record.serial, reason, since, actor=actor)
        except RevocationRefused:
            return _shown(visit, certifying, {"": "change_refused"})
        return visit.go(f"/certificates/{record.name}")


def _revocation(form: Form, name: str) -> tuple[dict[str, str], RevocationReason | None, datetime | None]:
    errors: dict[str, str] = {}
    reason, since = None, None
    try:
        reason = RevocationReason[Reason(form.text("reason")).name]
    except ValueError:
        errors["reason"] = "reason_missing"
    if text := form.text("since"):
        try:
            since = datetime.fromisoformat(text)
        except ValueError:
            since = None
        if since is None or since.tzinfo is None:
            errors["since"], since = "since_wrong", None
    if form.text("name") != name:
        errors["name"] = "name_wrong"
    return errors, reason, None if since is None else since.astimezone(UTC)


def _shown(visit: Visit, certifying: Certifying, errors: dict[str, str] | None = None) -> Response:
    view = certifying.wanted(visit)
    record = view.record
    is_administrator = certifying.is_administrator(visit)
    changeable = record.profile not in _NOT_CHANGED and record.status is not CertificateStatus.REVOKED
    values: dict[str, Any] = {
        "view": view,
        "record": record,
        "subject": shown_name(x509.load_der_x509_certificate(record.der).subject),
        "serial": f"{record.serial:x}",
        "reason": _spelled(record.reason),
        "may_hold": record.status is CertificateStatus.GOOD,
        "may_release": record.status is CertificateStatus.ON_HOLD,
        "may_change": is_administrator and changeable,
        "why_not": "final" if is_administrator else "only_looking",
        "reasons": [(one.value, visit.says(f"reason_{one}")) for one in _fitting(record.profile)],
        "back": "/certificates",
        "back_text": "back_certificates",
    }
    return visit.show("certificate.html", title="certificates_heading", errors=errors, **values)


def _spelled(reason: RevocationReason | None) -> str:
    return "" if reason is None else reason.name.lower().replace("_", "-")


def _fitting(profile: ProfileName) -> list[Reason]:
    """The key of a CA is lost as a CA's, any other as a key (RFC 5280 5.3.1)."""
    is_ca = profile in {ProfileName.ISSUING, ProfileName.CROSS}
    wrong = Reason.KEY_COMPROMISE if is_ca else Reason.CA_COMPROMISE
    return [reason for reason in Reason if reason is not wrong]
