"""``/custody``: custodians see what is asked for and decide by passkey; auditors look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter

from app.approving.telling import ACTS, KINDS, actor_told, told, told_ending
from app.approving.words import WORDS
from app.custodians import passkey_of_custodian
from identity.factors.errors import PasskeyRefused
from identity.factors.passkeys import PasskeyChallenge
from identity.factors.service import Factors
from identity.operators.model import Role
from identity.operators.service import Operators
from identity.people.errors import PersonUnknown
from identity.people.service import People
from identity.web.duty import Duty
from identity.web.errors import PageUnknown
from identity.web.passkeys import answer_of, options_answer
from identity.web.shell import Form, Response, Section, Shell, Visit
from identity.web.words import Language
from keys.approvals import Decision, KeyAct, RequestState, Standing, Statement, Verdict, grouped, may_decide
from keys.custodians import Change, Custodian, ProofKind, parameters_of
from keys.custodianship import Custodians
from keys.dual_control import DualControl
from keys.errors import (
    CustodianKeyRefused,
    CustodiansChangeRefused,
    CustodianUnknown,
    DecidedBefore,
    DualControlError,
    KeyUnknown,
    ProofRefused,
    RequestAltered,
    RequesterDecides,
    RequestExpired,
    RequestInvalid,
    RequestNotOpen,
    RequestUnknown,
)
from keys.model import KeyRecord
from keys.service import KeyService

_OPEN: Final = frozenset({RequestState.WAITING, RequestState.READY, RequestState.STARTED})
_LISTED: Final = 100
_REFUSED: Final[dict[type[DualControlError], str]] = {
    ProofRefused: "proof_refused",
    RequestNotOpen: "not_open",
    RequestExpired: "not_open",
    DecidedBefore: "decided_before",
    RequesterDecides: "own_request",
    CustodianUnknown: "not_listed",
    RequestAltered: "void",
}


@dataclass(frozen=True, slots=True)
class Approving:
    """What the pages stand on. ``custodians`` and ``auditors`` guard by role."""

    control: DualControl
    register: Custodians
    keys: KeyService
    factors: Factors
    people: People
    operators: Operators
    custodians: Duty
    auditors: Duty

    def custodian(self, visit: Visit) -> Custodian | None:
        """Whoever looks, if the register has a passkey of theirs."""
        found = self.register.register().of_person(visit.session.person_id)
        if found is None or all(key.kind is not ProofKind.PASSKEY for key in found.keys):
            return None
        return found

    def is_custodian(self, visit: Visit) -> bool:
        return self.operators.powers(visit.session.person_id).has(Role.KEY_CUSTODIAN)

    def name(self, actor: str, language: Language) -> str:
        """People who are gone keep what the trail calls them."""
        try:
            return self.people.get(actor).name
        except PersonUnknown:
            return actor_told(actor, language)

    def key_of(self, standing: Standing) -> KeyRecord | None:
        named = standing.request.parameters.get("key")
        try:
            return self.keys.get(named) if named else None
        except KeyUnknown:
            return None

    def wanted(self, visit: Visit) -> Standing:
        """The request that the address names."""
        try:
            return self.control.standing(visit.parameter("request"))
        except RequestUnknown:
            raise PageUnknown from None


def router(shell: Shell, approving: Approving) -> APIRouter:
    """Everything under ``/custody``."""

    def guard(visit: Visit) -> None:
        # Auditors hold no other role, so whoever is not one has to be a custodian.
        is_auditor = approving.operators.powers(visit.session.person_id).has(Role.AUDITOR)
        (approving.auditors if is_auditor else approving.custodians).guard(visit)

    section = shell.section("app.approving", words=WORDS, guard=guard)
    _add_list(section, approving)
    _add_joining(section, approving)
    _add_request(section, approving)
    return section.router


def _add_list(section: Section, approving: Approving) -> None:
    @section.page("/custody")
    def custody_page(visit: Visit) -> Response:
        own, listed = approving.custodian(visit), approving.control.list(limit=_LISTED)
        register, is_custodian = approving.register.register(), approving.is_custodian(visit)
        for_me = [one for one in listed if own is not None and _waits_for(one, own)]
        rest = [one for one in listed if one not in for_me]
        return visit.show(
            "custody.html",
            title="custody_heading",
            for_me=for_me,
            open=[one for one in rest if one.state in _OPEN],
            past=[one for one in rest if one.state not in _OPEN],
            acts=ACTS[visit.language],
            kinds=KINDS[visit.language],
            groups={key.id: grouped(key.id).split() for one in register.custodians for key in one.keys},
            names={
                one.request.requester: approving.name(one.request.requester, visit.language) for one in listed
            },
            register=register,
            serving=approving.control.serving(),
            people={
                one.person_id: approving.name(one.person_id, visit.language) for one in register.custodians
            },
            needed=approving.control.policy.required,
            is_custodian=is_custodian,
            back="/account" if is_custodian else "/operators",
            back_text="back_account" if is_custodian else "back_operators",
        )


def _add_request(section: Section, approving: Approving) -> None:
    @section.page("/custody/{request}")
    def request_page(visit: Visit) -> Response:
        return _show(visit, approving, approving.wanted(visit))

    @section.form("/custody/{request}")
    def decided(visit: Visit, form: Form) -> Response:
        """One address for both verdicts; ``act`` tells which."""
        return _decide(visit, approving, _verdict(form.text("act")), form)

    @section.form("/custody/{request}/options/{verdict}")
    def options(visit: Visit, form: Form) -> Response:
        """What the passkey is to sign: this verdict on this request, by whoever looks."""
        own, standing = approving.custodian(visit), approving.wanted(visit)
        if own is None or standing.is_void:
            raise PageUnknown
        verdict = _verdict(visit.parameter("verdict"))
        challenge = Statement(standing.request.digest, verdict, own.name).challenge()
        asked = approving.factors.statement_options(visit.session.person_id, challenge)
        return options_answer(PasskeyChallenge(standing.request.digest, asked.options_json))


def _verdict(text: str) -> Verdict:
    try:
        return Verdict(text)
    except ValueError:
        raise PageUnknown from None


def _decide(visit: Visit, approving: Approving, verdict: Verdict, form: Form) -> Response:
    """1. The passkey is theirs, verified and no copy. 2. It is the one in the register, and signed this."""
    own, standing, answer = approving.custodian(visit), approving.wanted(visit), answer_of(form)
    if own is None:
        return _show(visit, approving, standing, wrong="not_listed")
    try:
        challenge = Statement(standing.request.digest, verdict, own.name).challenge()
        approving.factors.check_statement(visit.session.person_id, answer.value, challenge)
        decision = Decision(own.name, verdict, answer.value.encode())
        approving.control.decide(standing.request.id, decision)
    except PasskeyRefused:
        return _show(visit, approving, standing, wrong="passkey_refused_here")
    except tuple(_REFUSED) as error:
        return _show(visit, approving, approving.wanted(visit), wrong=_REFUSED[type(error)])
    approving.control.change_custodians_due()
    return visit.go(f"/custody/{standing.request.id}")


def _show(visit: Visit, approving: Approving, standing: Standing, *, wrong: str = "") -> Response:
    request, own = standing.request, approving.custodian(visit)
    kept, decisions = approving.control.history(request.id)
    waits = standing.state in {RequestState.WAITING, RequestState.READY} and not standing.is_void
    values: dict[str, Any] = {
        "title": "void" if standing.is_void else ACTS[visit.language][request.act],
        "standing": standing,
        "request": request,
        "telling": None
        if standing.is_void
        else told(request, visit.language, key=approving.key_of(standing)),
        "requester": approving.name(request.requester, visit.language),
        "groups": grouped(request.digest).split(),
        "ending": told_ending(
            kept.detail, visit.language, lambda actor: approving.name(actor, visit.language)
        ),
        "detail": kept.detail,
        "decisions": [] if standing.is_void else decisions,
        "waits": waits,
        "lies_ahead": waits or standing.state is RequestState.STARTED,
        "may_decide": waits and own is not None and _waits_for(standing, own),
        "why_not": _why_not(visit, approving, standing, own),
        "back": "/custody",
        "back_text": "back_custody",
    }
    return visit.show("request.html", errors={"": wrong} if wrong else None, **values)


def _why_not(visit: Visit, approving: Approving, standing: Standing, own: Custodian | None) -> str:
    """Why whoever looks does not decide."""
    if not approving.is_custodian(visit):
        return "only_looking"
    if own is None:
        return "not_listed"
    return "own_request" if not may_decide(own, standing.request) else "decided_already"


def _waits_for(standing: Standing, own: Custodian) -> bool:
    return (
        standing.state in {RequestState.WAITING, RequestState.READY}
        and not standing.is_void
        and may_decide(own, standing.request)
        and own.name not in standing.approved_by + standing.rejected_by
    )


def _add_joining(section: Section, approving: Approving) -> None:
    """A custodian's passkey comes into the register only by the others' approval."""

    def values(visit: Visit) -> dict[str, Any]:
        register = approving.register.register()
        return {
            "title": "me_heading",
            "is_free": register.is_free(approving.control.policy.required),
            "own": register.of_person(visit.session.person_id),
            "passkeys": [
                (passkey.id, passkey.name or visit.says("me_passkey_unnamed"))
                for passkey in approving.factors.passkeys_of(visit.session.person_id)
            ],
            "back": "/custody",
            "back_text": "back_custody",
        }

    @section.page("/custody/me")
    def me_page(visit: Visit) -> Response:
        approving.custodians.guard(visit)
        approving.custodians.act(visit)
        return visit.show("me.html", **values(visit))

    @section.form("/custody/me")
    def me_posted(visit: Visit, form: Form) -> Response:
        approving.custodians.guard(visit)
        actor, known = approving.custodians.act(visit), values(visit)
        chosen = next(
            (one for one in approving.factors.passkeys_of(actor) if one.id == form.text("passkey")), None
        )
        if chosen is None:
            return visit.show("me.html", errors={"passkey": "me_passkey_missing"}, typed=form, **known)
        own: Custodian | None = known["own"]
        parameters = parameters_of(
            Change.ADD if own is None else Change.REPLACE_KEY,
            form.text("name", most=40) if own is None else own.name,
            key=passkey_of_custodian(chosen),
            person_id=actor,
            reason=form.text("reason"),
        )
        try:
            request = approving.control.request(KeyAct.CUSTODIANS, parameters, requester=actor)
        except (CustodianKeyRefused, CustodiansChangeRefused, RequestInvalid) as error:
            wrong = {"": visit.says("me_refused", reason=str(error))}
            return visit.show("me.html", errors=wrong, typed=form, **known)
        return visit.go(f"/custody/{request.id}")
