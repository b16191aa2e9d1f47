"""To distrust a time-stamping unit of others is one person's word; to believe it again is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from app.approving.asking import Asking
from app.provisioning import publish_trust
from app.rotation.errors import RotationUnderWay, UnitNotDistrusted
from app.rotation.units import DistrustedTime
from app.settings import Settings
from app.wiring import Core
from ca.tables import DistrustedUnits
from keys.approvals import KeyAct, RequestState
from keys.errors import RequestInvalid
from tests.app.rotation.conftest import audited, work
from tests.app.rotation.quorum import Custodians, with_custodians
from tests.app.test_role_mails import Postman, holder_with_mailbox
from tests.signing.pki import certify
from tests.support.clock import FrozenClock
from tests.support.custodians import KeyHolder
from verify.trust import read_trust_folder

Room = tuple[Core, Custodians]


@pytest.fixture
def room(settings: Settings, clock: FrozenClock) -> Iterator[Room]:
    with ExitStack() as closing:
        yield with_custodians(settings, closing=closing, clock=clock)


@pytest.fixture(scope="module")
def unit() -> x509.Certificate:
    return certify("TSU Lain", issuer=None, extended=ExtendedKeyUsageOID.TIME_STAMPING).certificate


def _digest(unit: x509.Certificate) -> bytes:
    return unit.fingerprint(hashes.SHA256())


def _distrusted(core: Core) -> tuple[x509.Certificate, ...]:
    """By the folder, once it says what the register says."""
    publish_trust(core)
    with core.database.read() as tx:
        listed = DistrustedUnits(tx).all()
    found = read_trust_folder(core.settings.trust_dir).distrusted
    assert {_digest(unit) for unit in found} == set(listed)
    return found


def test_a_unit_is_believed_again_when_custodians_agreed_in_the_register_and_in_the_folder(
    room: Room, unit: x509.Certificate, clock: FrozenClock
) -> None:
    core, custodians = room
    assert core.distrust.of_unit(unit, actor="cli:ani")
    assert _distrusted(core) == (unit,)
    clock.advance(timedelta(minutes=1))
    request = DistrustedTime(core).request(_digest(unit), requester="cli:ani", reason="salah unit")
    assert request.parameters["issuer"] == unit.issuer.rfc4514_string()
    with pytest.raises(RotationUnderWay):
        DistrustedTime(core).request(_digest(unit), requester="cli:ani")
    custodians.approve(request, "budi")
    work(core)
    assert _distrusted(core) == (unit,)
    custodians.approve(request, "citra")
    work(core)
    assert core.dual_control.standing(request.id).state is RequestState.DONE
    assert _distrusted(core) == ()
    assert [subject for subject, _ in audited(core, "unit.believed_again")] == [_digest(unit).hex()]
    assert core.distrust.of_unit(unit, actor="cli:ani"), "and may be distrusted anew"


def test_consent_to_believe_a_unit_lifts_no_later_distrust(
    room: Room, unit: x509.Certificate, clock: FrozenClock
) -> None:
    core, custodians = room
    core.distrust.of_unit(unit, actor="cli:ani")
    clock.advance(timedelta(minutes=1))
    request = DistrustedTime(core).request(_digest(unit), requester="cli:ani")
    DistrustedTime(core).believe_again(_digest(unit), actor="test")
    clock.advance(timedelta(minutes=1))
    core.distrust.of_unit(unit, actor="cli:budi")
    custodians.agree(request)
    work(core)
    assert _distrusted(core) == (unit,)


def test_only_what_is_distrusted_is_asked_about_and_by_its_right_name(
    room: Room, unit: x509.Certificate
) -> None:
    core, _ = room
    with pytest.raises(UnitNotDistrusted):
        DistrustedTime(core).request(_digest(unit), requester="cli:ani")
    core.distrust.of_unit(unit, actor="cli:ani")
    right = {"unit": _digest(unit).hex(), "issuer": unit.issuer.rfc4514_string()}
    for wrong in ({"unit": "zz"}, {"unit": "00" * 32}, {"issuer": "CN=Akar"}):
        with pytest.raises(RequestInvalid):
            Asking(core)(KeyAct.TRUST, right | wrong, requester="x")
    assert Asking(core)(KeyAct.TRUST, right, requester="x").parameters == right


def test_every_custodian_with_an_address_is_told_that_somebody_distrusted_a_unit(
    room: Room, unit: x509.Certificate
) -> None:
    core, custodians = room
    postman = Postman()
    person_id = holder_with_mailbox(core, "id", postman)
    joining = KeyHolder("siti", person_id).joining
    added = core.dual_control.request(KeyAct.CUSTODIANS, joining, requester="cli:root")
    custodians.agree(added)
    core.dual_control.change_custodians_due()
    core.outbox.deliver(postman)
    postman.letters.clear()
    core.distrust.of_unit(unit, actor="cli:ani")
    assert not core.distrust.of_unit(unit, actor="cli:ani")
    core.outbox.deliver(postman)
    (letter,) = postman.letters
    assert letter.startswith("Sebuah unit cap waktu tidak dipercaya lagi")
    assert "TSU Lain" in letter
    assert _digest(unit).hex() in letter.replace("\n", "")
