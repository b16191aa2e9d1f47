"""The units of the time-stamping authority: how long their keys are used, and how one follows another."""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path

import pytest
from asn1crypto import cms
from cryptography import x509 as c509
from sqlalchemy import select

from ca.errors import TimeNotAvailable
from ca.model import ProfileName
from ca.trust import CertifiedUse, PathStatus, check_path
from keys.model import KeyAlgorithm, KeyPurpose, KeyRecord
from tests.ca.conftest import Pki, run
from tests.ca.test_timestamping import DIGEST, failure, request
from tests.keys.conftest import audit_entries


def test_the_certificate_says_how_long_its_private_key_is_used(pki: Pki) -> None:
    record = pki.record(ProfileName.TIMESTAMPING)
    period = pki.certificate(ProfileName.TIMESTAMPING).extensions.get_extension_for_class(
        c509.PrivateKeyUsagePeriod
    )
    assert not period.critical
    assert period.value.not_before == record.not_before.replace(tzinfo=None)
    assert period.value.not_after is not None
    assert period.value.not_after.replace(tzinfo=UTC) - record.not_before == timedelta(days=365)
    assert record.not_after - record.not_before == timedelta(days=3650)
    ends = pki.keys.get(record.key_id).not_after
    assert ends is not None
    assert ends.replace(microsecond=0) == period.value.not_after.replace(tzinfo=UTC)


def test_after_the_period_the_key_stamps_nothing_and_its_tokens_stay_valid(pki: Pki, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_bytes(pki.tsa.token(DIGEST))
    pki.clock.advance(timedelta(days=365))
    pki.ticks.value += 2
    pki.tsa.token(DIGEST)
    pki.clock.advance(timedelta(seconds=1))
    assert failure(pki.tsa.respond(request())) == "time_not_available"  # the certificate's own statement
    pki.ticks.value += 2
    with pytest.raises(TimeNotAvailable, match="cryptoperiod"):  # custody's
        pki.tsa.token(DIGEST)
    command = ["openssl", "ts", "-verify", "-token_in", "-in", token, "-CAfile", pki.pem(ProfileName.ROOT)]
    verdict = run(*command, "-attime", str(int(pki.clock().timestamp())), "-digest", DIGEST.hex())
    assert "Verification: OK" in verdict.stdout, verdict.stderr


def test_a_unit_whose_key_is_used_up_is_replaced_before_its_certificate_ends(pki: Pki) -> None:
    first = pki.record(ProfileName.TIMESTAMPING)
    pki.clock.advance(timedelta(days=300))
    pki.hierarchy.init()
    assert pki.record(ProfileName.TIMESTAMPING) == first
    pki.clock.advance(timedelta(days=6))
    pki.hierarchy.init()
    second = pki.record(ProfileName.TIMESTAMPING)
    assert second.key_id != first.key_id
    pki.ticks.value += 2
    assert pki.tsa.chain[0] == second.der
    pki.hierarchy.init()
    assert pki.record(ProfileName.TIMESTAMPING) == second


def test_a_key_that_was_limited_long_ago_and_never_certified_is_not_certified_now(pki: Pki) -> None:
    left = pki.keys.generate(KeyPurpose.TIMESTAMPING, KeyAlgorithm.EC_P256)
    pki.keys.limit(left.id, pki.clock() + timedelta(days=365))
    pki.clock.advance(timedelta(days=400))
    pki.hierarchy.init()
    fresh = pki.record(ProfileName.TIMESTAMPING)
    assert fresh.key_id != left.id
    pki.ticks.value += 2
    assert pki.tsa.chain[0] == fresh.der


def test_a_cryptoperiod_is_only_ever_shortened(pki: Pki) -> None:
    key = pki.keys.get(pki.record(ProfileName.TIMESTAMPING).key_id)
    assert key.not_after is not None
    assert pki.keys.limit(key.id, key.not_after + timedelta(days=1)) == key
    earlier = key.not_after - timedelta(days=1)
    assert pki.keys.limit(key.id, earlier).not_after == earlier
    with pki.begin() as tx:
        limited = select(audit_entries.c.subject).where(audit_entries.c.action == "key.limited")
        assert list(tx.scalars(limited)) == [key.id, key.id]  # when it was certified, and now


# --- changing over --------------------------------------------------------------------------------------


def successor(pki: Pki) -> KeyRecord:
    """A unit that is certified and waits: its key is not active yet."""
    key = pki.keys.generate(KeyPurpose.TIMESTAMPING, KeyAlgorithm.EC_P256)
    pki.clock.advance(timedelta(seconds=1))
    pki.hierarchy._certify(
        ProfileName.TIMESTAMPING, "", pki.hierarchy._service_name(ProfileName.TIMESTAMPING), key, "test"
    )
    return key


def test_a_unit_that_waits_for_its_turn_stamps_nothing_until_its_key_is_activated(pki: Pki) -> None:
    old = pki.tsa.chain
    waiting = successor(pki)
    pki.ticks.value += 2
    assert pki.tsa.chain == old
    pki.keys.activate(waiting.id)
    pki.ticks.value += 2
    new = pki.tsa.chain
    assert new[0] == pki.record(ProfileName.TIMESTAMPING).der != old[0]


def test_a_unit_that_was_handed_out_stays_the_same_and_its_successor_is_offered_after_it(pki: Pki) -> None:
    units = pki.tsa.units()
    first = next(units)
    waiting = successor(pki)
    pki.keys.activate(waiting.id)
    pki.ticks.value += 2
    signed = cms.ContentInfo.load(first.token(DIGEST))["content"]
    assert first.chain[0] in {entry.chosen.dump() for entry in signed["certificates"]}
    pki.keys.suspend(pki.keys.list()[2].id)
    second = next(units)
    assert second.chain[0] == pki.record(ProfileName.TIMESTAMPING).der
    second.token(DIGEST)
    assert next(units, None) is None


def test_a_time_after_the_private_key_s_period_is_not_believed_though_the_certificate_lasts(pki: Pki) -> None:
    unit, *above = (c509.load_der_x509_certificate(encoded) for encoded in pki.tsa.chain)
    for days, status in ((0, PathStatus.GOOD), (364, PathStatus.GOOD), (366, PathStatus.EXPIRED)):
        verdict = check_path(
            unit,
            intermediates=tuple(above),
            anchors=(above[-1],),
            at=pki.clock() + timedelta(days=days),
            use=CertifiedUse.TIMESTAMPING,
            evidence=None,
        )
        assert verdict.status is status, verdict.reason
