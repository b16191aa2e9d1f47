"""Seals outside of rotations: nobody has one certified alone where custodians have to agree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from sqlalchemy import update

from app.approving.asking import Asking
from app.provisioning import add_agency, certify_agency, certify_request, complete_hierarchy
from app.rotation.errors import RotationUnderWay, SealRefused
from app.rotation.seals import AgencySeals, registered
from app.settings import Settings
from app.wiring import Core
from ca.errors import IssuanceRefused
from ca.hierarchy import LAST_CALL
from ca.model import ProfileName
from ca.tables import Certificates
from identity.agencies.model import Agency
from identity.agencies.tables import agencies
from keys.approvals import KeyAct, RequestState
from keys.errors import RequestInvalid
from keys.model import KeyPurpose
from tests.app.rotation.conftest import active, audited, work
from tests.app.rotation.quorum import Custodians, demanding, with_custodians
from tests.support.clock import FrozenClock

Room = tuple[Core, Custodians]


@pytest.fixture
def room(settings: Settings, clock: FrozenClock) -> Iterator[Room]:
    with ExitStack() as closing:
        yield with_custodians(settings, closing=closing, clock=clock)


def _registered(core: Core) -> Agency:
    return core.agencies.add_agency(
        "pajak", name="Kantor Pajak", organization_identifier="NTRID-2", actor="test"
    )


def test_an_agency_has_its_first_seal_when_two_custodians_agreed_to_its_name(room: Room) -> None:
    core, custodians = room
    made = add_agency(
        core,
        "pajak",
        name="Kantor Pajak",
        organization_identifier="NTRID-2",
        scopes=["documents.read"],
        is_sandbox=False,
        actor="cli:ani",
    )
    assert (made.seal, made.client is not None) == (None, True), "its systems can be set up meanwhile"
    request = made.request
    assert request is not None
    assert request.parameters == {
        "owner": "pajak",
        "organisation": "Kantor Pajak",
        "organization_identifier": "NTRID-2",
    }
    custodians.approve(request, "budi")
    work(core)
    assert active(core, KeyPurpose.SEAL, "pajak") == []
    with pytest.raises(SealRefused, match="absah agency certify pajak"):
        certify_agency(core, made.agency, actor="cli:ani")
    with pytest.raises(RotationUnderWay, match=request.id):
        AgencySeals(core).obtain(made.agency, actor="cli:ani")
    custodians.approve(request, "citra")
    work(core)
    assert core.dual_control.standing(request.id).state is RequestState.DONE
    (key,) = active(core, KeyPurpose.SEAL, "pajak")
    with core.database.read() as tx:
        seal = Certificates(tx).of_key(key.id, ProfileName.SEAL)
    assert seal is not None
    assert AgencySeals(core).obtain(made.agency, actor="cli:ani") == (seal, None), (
        "a good one is not asked for"
    )
    assert certify_agency(core, made.agency, actor="cli:ani") == seal
    assert len(audited(core, "key.request_approved")) == 2


def test_a_seal_is_certified_under_no_other_name_than_was_agreed_to(room: Room) -> None:
    core, custodians = room
    agency = _registered(core)
    request = AgencySeals(core).request(agency, requester="cli:ani")
    custodians.agree(request)
    with core.database.begin() as tx:
        tx.execute(update(agencies).where(agencies.c.id == "pajak").values(certified_name="Kantor Presiden"))
    work(core)
    kept, _ = core.dual_control.history(request.id)
    assert (kept.state, "another name" in kept.detail) == (RequestState.FAILED, True)
    assert active(core, KeyPurpose.SEAL, "pajak") == []


def test_a_seal_that_is_there_is_replaced_by_a_rotation_only(room: Room) -> None:
    core, _ = room
    with pytest.raises(SealRefused, match="keys rotate seal --owner dinas"):
        AgencySeals(core).request(core.agencies.agency("dinas"), requester="cli:ani")


def test_a_suspended_seal_is_not_replaced_by_one_person(room: Room) -> None:
    core, custodians = room
    dinas = core.agencies.agency("dinas")
    (old,) = active(core, KeyPurpose.SEAL, "dinas")
    core.keys.suspend(old.id)
    seal, request = AgencySeals(core).obtain(dinas, actor="cli:ani", reason="diganti")
    assert seal is None
    assert request is not None
    work(core)
    assert active(core, KeyPurpose.SEAL, "dinas") == []
    custodians.agree(request)
    work(core)
    (new,) = active(core, KeyPurpose.SEAL, "dinas")
    assert new.id != old.id


def test_nobody_alone_certifies_a_key_that_an_agency_keeps_where_there_are_custodians(room: Room) -> None:
    core, _ = room
    with pytest.raises(IssuanceRefused, match="where there are custodians"):
        certify_request(core, "dinas", b"", actor="cli:ani")


def test_before_the_first_quorum_whoever_sets_the_service_up_acts_alone(
    settings: Settings, clock: FrozenClock
) -> None:
    with ExitStack() as closing:
        core = demanding(settings, 2, closing=closing, clock=clock)
        assert not core.custodians.decide()
        assert certify_agency(core, _registered(core), actor="cli:ani").owner == "pajak"


def test_requests_from_outside_name_what_is_registered(room: Room) -> None:
    core, _ = room
    agency, ask = _registered(core), Asking(core)
    for wrong in ({"owner": "nobody"}, {"organisation": "Kantor Presiden"}):
        with pytest.raises(RequestInvalid):
            ask(KeyAct.CERTIFY, registered(agency) | wrong, requester="x")
    asked = ask(KeyAct.CERTIFY, registered(agency) | {"reason": "baru"}, requester="x")
    assert asked.parameters == registered(agency) | {"reason": "baru"}


@pytest.mark.parametrize("purpose", [KeyPurpose.TIMESTAMPING, KeyPurpose.RECEIPT, KeyPurpose.OCSP])
def test_upkeep_leaves_successors_to_custodians_until_the_last_week(
    room: Room, clock: FrozenClock, purpose: KeyPurpose
) -> None:
    core, _ = room
    (old,) = [key for key in core.keys.list() if key.purpose is purpose]
    with core.database.read() as tx:
        (certificate,) = Certificates(tx).all_of_key(old.id)
    ends = min(filter(None, (certificate.not_after, old.not_after)))
    clock.advance(ends - LAST_CALL - timedelta(hours=1) - clock())
    complete_hierarchy(core, actor="upkeep")
    assert [key.id for key in core.keys.list() if key.purpose is purpose] == [old.id]
    asked = core.schedule.raise_requests()
    assert asked, "custodians were asked"
    clock.advance(timedelta(hours=2))
    complete_hierarchy(core, actor="upkeep")
    assert len([key for key in core.keys.list() if key.purpose is purpose]) == 2, (
        "or the service stands still"
    )
