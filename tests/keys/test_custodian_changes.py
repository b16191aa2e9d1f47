"""Who is a custodian changes by requests that custodians approve, and at once in what their word is worth."""

from __future__ import annotations

import pytest

from keys.approvals import KeyAct, RequestState
from keys.custodians import Change, parameters_of
from keys.errors import (
    CustodianKeyRefused,
    CustodiansChangeRefused,
    CustodianUnknown,
    NotApproved,
    ProofRefused,
    RequestInvalid,
    RequestNotOpen,
)
from tests.keys.office import (
    ANI,
    BUDI,
    CITRA,
    STRANGER,
    Office,
    approved,
    carried_out,
    removed_by_request,
)
from tests.support.custodians import KeyHolder


def test_once_there_is_a_quorum_the_register_changes_by_requests_only(office: Office) -> None:
    with pytest.raises(CustodiansChangeRefused, match="has to be requested"):
        office.custodians.change_freely(STRANGER.joining, actor="cli:root")
    request = office.asks(KeyAct.CUSTODIANS, **STRANGER.joining)
    with pytest.raises(NotApproved):
        office.control.change_custodians(request.id)
    for holder in (ANI, BUDI):
        office.control.decide(request.id, holder.approves(request))
    register = office.control.change_custodians(request.id)
    assert register.find("stranger") is not None
    assert office.custodians.register() == register
    assert office.state(request) is RequestState.DONE
    with pytest.raises(RequestNotOpen):
        office.control.change_custodians(request.id)


def test_a_custodian_who_is_removed_counts_no_more_at_once(office: Office) -> None:
    request = office.asks()
    for holder in (ANI, CITRA):
        office.control.decide(request.id, holder.approves(request))
    removed_by_request(office, "citra", by=(ANI, BUDI))
    with pytest.raises(NotApproved):
        office.control.claim(request.id)
    with pytest.raises(CustodianUnknown):
        office.control.decide(office.asks().id, CITRA.approves(request))


def test_a_replaced_key_takes_its_approvals_with_it_and_the_new_one_decides_anew(office: Office) -> None:
    request, renewed = office.asks(), KeyHolder("citra")
    for holder in (ANI, CITRA):
        office.control.decide(request.id, holder.approves(request))
    change = parameters_of(Change.REPLACE_KEY, "citra", key=renewed.key)
    carried_out(office, change, by=(ANI, BUDI))
    with pytest.raises(NotApproved):
        office.control.claim(request.id)
    with pytest.raises(ProofRefused):
        office.control.decide(request.id, CITRA.approves(request))
    office.control.decide(request.id, renewed.approves(request))
    assert office.control.claim(request.id) == request


def test_a_change_that_cannot_be_made_is_not_asked_for(office: Office) -> None:
    with pytest.raises(CustodiansChangeRefused):
        office.asks(KeyAct.CUSTODIANS, **parameters_of(Change.REMOVE, "nobody"))
    with pytest.raises(CustodianKeyRefused):
        office.asks(KeyAct.CUSTODIANS, change="add", custodian="dewi")


def test_a_change_that_became_impossible_fails_and_does_not_come_back(office: Office) -> None:
    twice = [office.asks(KeyAct.CUSTODIANS, **STRANGER.joining) for _ in range(2)]
    for request in twice:
        for holder in (ANI, BUDI):
            office.control.decide(request.id, holder.approves(request))
    office.control.change_custodians(twice[0].id)
    with pytest.raises(CustodiansChangeRefused, match="custodian already"):
        office.control.change_custodians(twice[1].id)
    assert office.state(twice[1]) is RequestState.FAILED
    assert office.control.ready() == []


def test_another_act_changes_no_custodians_and_is_not_used_up(office: Office) -> None:
    request = approved(office)
    with pytest.raises(RequestInvalid, match="changes no custodians"):
        office.control.change_custodians(request.id)
    assert office.control.claim(request.id) == request
