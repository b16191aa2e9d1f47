"""Requests at the authorization endpoint: answered once, at the right address, as the person decided."""

from __future__ import annotations

from datetime import timedelta

import pytest

from identity.factors.model import FactorKind
from identity.login.model import Session
from identity.people.model import Person
from identity.provider.authorizing import Answered, Waiting
from identity.provider.decisions import Ask, LogIn, StepUp
from identity.provider.errors import (
    ErrorCode,
    FlowGone,
    PortalNotRecognised,
    PushRefused,
    RedirectNotRegistered,
)
from identity.provider.model import Portal, ResponseMode
from identity.provider.requests import Parameters
from tests.identity.provider.house import CALLBACK, ISSUER, House, at_once, claims_of


def waiting(outcome: object, step: type) -> Waiting:
    assert isinstance(outcome, Waiting), outcome
    assert isinstance(outcome.step, step), outcome
    return outcome


def answered(outcome: object) -> Answered:
    assert isinstance(outcome, Answered), outcome
    assert outcome.redirect_uri == CALLBACK
    assert outcome.members["iss"] == ISSUER
    return outcome


def test_somebody_logs_in_agrees_once_and_is_not_asked_again(
    house: House, portal: Portal, session: Session
) -> None:
    flow = waiting(house.authorizing.begin(house.request(portal), None), LogIn)
    assert waiting(house.authorizing.proceed(flow.handle, session), Ask).handle == flow.handle
    first = answered(house.authorizing.proceed(flow.handle, session, agreed=True))
    assert set(first.members) == {"code", "state", "iss"}
    assert first.members["state"] == "s-1"
    # The second time there is nothing to ask, and no flow is left behind.
    assert "code" in answered(house.authorizing.begin(house.request(portal), session)).members
    # More than was agreed to is asked for again; what was agreed to stays.
    more = house.request(portal, scope="openid nik")
    again = waiting(house.authorizing.begin(more, session), Ask)
    answered(house.authorizing.proceed(again.handle, session, agreed=True))
    everything = house.request(portal, scope="openid profile email nik", prompt="none")
    assert "code" in answered(house.authorizing.begin(everything, session)).members
    assert house.audited().count("consent.given") == 2
    assert [mail.template for mail in house.post.all()] == ["consent_given"] * 2


def test_of_twenty_agreements_at_once_exactly_one_is_answered(
    house: House, portal: Portal, session: Session
) -> None:
    flow = waiting(house.authorizing.begin(house.request(portal), session), Ask)
    results = at_once(20, lambda: house.authorizing.proceed(flow.handle, session, agreed=True))
    assert sum(isinstance(result, Answered) for result in results) == 1
    assert sum(isinstance(result, FlowGone) for result in results) == 19


def test_one_persons_agreement_is_not_anothers(house: House, portal: Portal, session: Session) -> None:
    house.agree(portal, session)
    other = house.login(house.person(email="budi@contoh.example", nik=None))
    waiting(house.authorizing.begin(house.request(portal), other), Ask)


def test_a_flow_ends_with_its_time_and_with_no(house: House, portal: Portal, session: Session) -> None:
    flow = waiting(house.authorizing.begin(house.request(portal), None), LogIn)
    assert house.authorizing.pending(flow.handle) is not None
    house.clock.advance(house.policy.flow_life)
    assert house.authorizing.pending(flow.handle) is None
    with pytest.raises(FlowGone):
        house.authorizing.proceed(flow.handle, session)
    second = waiting(house.authorizing.begin(house.request(portal), None), LogIn)
    told = answered(house.authorizing.decline(second.handle))
    assert (told.members["error"], told.members["state"]) == ("access_denied", "s-1")
    with pytest.raises(FlowGone):
        house.authorizing.proceed(second.handle, session, agreed=True)


@pytest.mark.parametrize("handle", ["", "guessed", "ü", "a" * 5000])
def test_a_handle_that_was_guessed_is_none(handle: str, house: House, session: Session) -> None:
    assert house.authorizing.pending(handle) is None
    with pytest.raises(FlowGone):
        house.authorizing.proceed(handle, session)


def test_a_wrong_request_is_told_and_an_unknown_address_is_not(
    house: House, portal: Portal, session: Session
) -> None:
    told = answered(house.authorizing.begin(house.request(portal, code_challenge=None), session))
    assert (told.members["error"], told.members["state"]) == ("invalid_request", "s-1")
    with pytest.raises(RedirectNotRegistered):
        house.authorizing.begin(house.request(portal, redirect_uri=CALLBACK + "/"), session)
    for client_id in (None, "portal-0000000000000000", "client-0000000000000000", "x" * 9000, "'--"):
        with pytest.raises(PortalNotRecognised):
            house.authorizing.begin(house.request(portal, client_id=client_id), session)


def test_a_disabled_portal_is_nobody_in_the_middle_of_a_login_too(
    house: House, portal: Portal, session: Session
) -> None:
    flow = waiting(house.authorizing.begin(house.request(portal), None), LogIn)
    house.portals.disable(portal.id, actor="test")
    assert house.authorizing.pending(flow.handle) is None
    with pytest.raises(PortalNotRecognised):
        house.authorizing.proceed(flow.handle, session, agreed=True)
    with pytest.raises(PortalNotRecognised):
        house.authorizing.begin(house.request(portal), session)


def test_a_stronger_or_fresher_login_is_asked_for_until_it_is_there(
    house: House, portal: Portal, siti: Person, session: Session
) -> None:
    house.agree(portal, session)
    house.clock.advance(timedelta(minutes=1))
    strong = waiting(house.authorizing.begin(house.request(portal, acr_values="phr"), session), StepUp)
    assert strong.step == StepUp(acr=house.login(siti, {FactorKind.PASSKEY}).acr)
    passkey = house.login(siti, {FactorKind.PASSKEY})
    code = answered(house.authorizing.proceed(strong.handle, passkey)).members["code"]
    assert claims_of(house.redeem(portal, code)["id_token"])["acr"] == "phr"
    fresh = waiting(house.authorizing.begin(house.request(portal, prompt="login"), session), StepUp)
    waiting(house.authorizing.proceed(fresh.handle, session), StepUp)
    answered(house.authorizing.proceed(fresh.handle, house.login(siti)))


def test_a_hint_is_an_id_token_that_this_portal_got(
    house: House, portal: Portal, siti: Person, session: Session
) -> None:
    token = house.tokens(portal, session)["id_token"]
    house.clock.advance(timedelta(minutes=59))  # expired, and still a hint
    silent = {"prompt": "none", "id_token_hint": token}
    assert "code" in answered(house.authorizing.begin(house.request(portal, **silent), session)).members
    other = house.login(house.person(email="budi@contoh.example", nik=None))
    told = answered(house.authorizing.begin(house.request(portal, **silent), other))
    assert told.members["error"] == "login_required"
    elsewhere = house.portal(name="Lain").portal
    told = answered(house.authorizing.begin(house.request(elsewhere, **silent), session))
    assert told.members["error"] == "invalid_request"


# --- pushed ----------------------------------------------------------------------------------------------


def pushed(house: House, portal: Portal, **changes: str | None) -> Parameters:
    uri, _ = house.authorizing.push(portal.id, house.request(portal, **changes))
    return Parameters.of([("client_id", portal.id), ("request_uri", uri)])


def test_a_pushed_request_is_used_once_though_its_page_may_be_loaded_again(
    house: House, portal: Portal, session: Session
) -> None:
    request = pushed(house, portal)
    first = waiting(house.authorizing.begin(request, None), LogIn)
    assert waiting(house.authorizing.begin(request, None), LogIn).handle == first.handle
    answered(house.authorizing.proceed(first.handle, session, agreed=True))
    with pytest.raises(FlowGone):
        house.authorizing.begin(request, session)


def test_a_pushed_request_waits_for_its_browser_briefly_and_for_its_person_longer(
    house: House, portal: Portal, session: Session
) -> None:
    late = pushed(house, portal)
    house.clock.advance(house.policy.pushed_life)
    with pytest.raises(FlowGone):
        house.authorizing.begin(late, None)
    flow = waiting(house.authorizing.begin(pushed(house, portal), None), LogIn)
    house.clock.advance(house.policy.flow_life - timedelta(seconds=1))
    answered(house.authorizing.proceed(flow.handle, session, agreed=True))


def test_loading_a_pushed_request_again_does_not_prolong_it(house: House, portal: Portal) -> None:
    request = pushed(house, portal)
    house.authorizing.begin(request, None)
    house.clock.advance(house.policy.flow_life - timedelta(seconds=1))
    waiting(house.authorizing.begin(request, None), LogIn)
    house.clock.advance(timedelta(seconds=1))
    with pytest.raises(FlowGone):
        house.authorizing.begin(request, None)


def test_a_pushed_request_belongs_to_its_portal_and_is_no_flow_before_its_browser_came(
    house: House, portal: Portal, session: Session
) -> None:
    request = pushed(house, portal)
    other = house.portal(name="Lain").portal
    stolen = Parameters.of([("client_id", other.id), ("request_uri", request.values["request_uri"])])
    with pytest.raises(FlowGone):
        house.authorizing.begin(stolen, session)
    handle = request.values["request_uri"].rpartition(":")[2]
    with pytest.raises(FlowGone):
        house.authorizing.proceed(handle, session, agreed=True)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"code_challenge_method": "plain"}, ErrorCode.INVALID_REQUEST),
        ({"redirect_uri": "https://evil.example/"}, ErrorCode.INVALID_REQUEST),
        ({"redirect_uri": None}, ErrorCode.INVALID_REQUEST),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, ErrorCode.INVALID_REQUEST),
        ({"client_id": "portal-0000000000000000"}, ErrorCode.INVALID_REQUEST),
        ({"scope": "openid documents.read"}, ErrorCode.INVALID_SCOPE),
        ({"response_type": "token"}, ErrorCode.UNSUPPORTED_RESPONSE_TYPE),
    ],
    ids=str,
)
def test_a_wrong_request_is_refused_when_it_is_pushed(
    changes: dict[str, str | None], code: ErrorCode, house: House, portal: Portal
) -> None:
    with pytest.raises(PushRefused) as refused:
        house.authorizing.push(portal.id, house.request(portal, **changes))
    assert refused.value.code == code.value


def test_an_agencys_system_pushes_nothing(house: House, portal: Portal) -> None:
    with pytest.raises(PushRefused) as refused:
        house.authorizing.push("client-0000000000000000", house.request(portal))
    assert refused.value.code == "unauthorized_client"


def test_a_portal_that_pushes_is_not_heard_otherwise(house: House, session: Session) -> None:
    strict = house.portal(require_pushed=True).portal
    told = answered(house.authorizing.begin(house.request(strict), session))
    assert told.members["error"] == "invalid_request"
    waiting(house.authorizing.begin(pushed(house, strict), session), Ask)


def test_a_request_uri_of_anywhere_is_never_fetched(house: House, portal: Portal, session: Session) -> None:
    request = house.request(portal, request_uri="https://evil.example/request.jwt")
    told = answered(house.authorizing.begin(request, session))
    assert told.members["error"] == "request_uri_not_supported"


def test_an_answer_as_a_form_goes_through_a_flow_because_it_is_a_page(
    house: House, portal: Portal, session: Session
) -> None:
    house.agree(portal, session)
    told = answered(house.authorizing.begin(house.request(portal, response_mode="form_post"), session))
    assert told.response_mode is ResponseMode.FORM_POST
    assert told.form_target == "https://izin.bandung.example"
