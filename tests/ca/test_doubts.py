"""What a seal is worth once a key was lost: the rule as a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ca.doubts import Doubt, SealStanding, Stamp, doubt_about, proven_time, standing_of
from ca.model import CertificateRecord, CertificateStatus, ProfileName, RevocationReason

LOSS = datetime(2026, 6, 1, tzinfo=UTC)
EARLY, LATE = LOSS - timedelta(days=1), LOSS + timedelta(days=1)
LOST, HELD = Doubt(LOSS, is_hold=False), Doubt(LOSS, is_hold=True)
GOOD, UNPROVEN, PROVEN, HOLD, WORTHLESS = SealStanding


@pytest.mark.parametrize(
    ("seal", "stamps", "standing"),
    [
        (None, [Stamp(EARLY)], GOOD),
        (None, [Stamp(EARLY, LOST)], UNPROVEN),
        (None, [Stamp(EARLY, LOST), Stamp(LATE)], GOOD),
        (None, [], UNPROVEN),
        (LOST, [Stamp(EARLY)], PROVEN),
        (LOST, [Stamp(LATE)], WORTHLESS),
        (LOST, [Stamp(LOSS)], WORTHLESS),
        (LOST, [], WORTHLESS),
        (LOST, [Stamp(EARLY, LOST)], WORTHLESS),  # the unit's thief writes any time
        (LOST, [Stamp(EARLY, Doubt(LATE, is_hold=False))], WORTHLESS),  # also one lost after the seal's key
        (LOST, [Stamp(EARLY, HELD)], HOLD),
        (LOST, [Stamp(LATE, HELD)], WORTHLESS),
        (LOST, [Stamp(EARLY, LOST), Stamp(LATE)], WORTHLESS),  # stamped again, but after the loss
        (LOST, [Stamp(LATE), Stamp(EARLY)], PROVEN),
        (HELD, [Stamp(EARLY)], PROVEN),
        (HELD, [Stamp(LATE)], HOLD),
        (HELD, [], HOLD),
    ],
)
def test_a_seal_is_worth_what_is_proven(
    seal: Doubt | None, stamps: list[Stamp], standing: SealStanding
) -> None:
    assert standing_of(seal, stamps) is standing


def test_the_earliest_time_of_a_unit_without_doubt_is_proven() -> None:
    assert proven_time([Stamp(LATE), Stamp(EARLY, HELD), Stamp(LOSS)]) == LOSS
    assert proven_time([Stamp(LATE), Stamp(EARLY, HELD)], even_held=True) == EARLY
    assert proven_time([Stamp(EARLY, LOST)], even_held=True) is None


def record(
    status: CertificateStatus, reason: RevocationReason | None, lost: datetime | None
) -> CertificateRecord:
    made = CertificateRecord(
        1, "seal-1", "issuing-1", ProfileName.SEAL, "key", "dinas", b"", b"", EARLY, EARLY, LATE, 2
    )
    return replace(made, status=status, reason=reason, revoked_at=LATE, invalidity_date=lost)


COMPROMISE = RevocationReason.KEY_COMPROMISE


@pytest.mark.parametrize(
    ("path", "doubt"),
    [
        ([record(CertificateStatus.REVOKED, COMPROMISE, LOSS)], LOST),
        ([record(CertificateStatus.REVOKED, RevocationReason.SUPERSEDED, None)], None),
        ([record(CertificateStatus.REVOKED, RevocationReason.UNSPECIFIED, LOSS)], LOST),
        ([record(CertificateStatus.REVOKED, RevocationReason.AA_COMPROMISE, LOSS)], LOST),
        ([record(CertificateStatus.ON_HOLD, RevocationReason.CERTIFICATE_HOLD, LOSS)], HELD),
        ([record(CertificateStatus.ON_HOLD, RevocationReason.CERTIFICATE_HOLD, None)], Doubt(LATE, True)),
        (
            [
                record(CertificateStatus.ON_HOLD, RevocationReason.CERTIFICATE_HOLD, EARLY),
                record(CertificateStatus.REVOKED, RevocationReason.CA_COMPROMISE, LOSS),
            ],
            LOST,
        ),
    ],
    ids=[
        "lost",
        "replaced",
        "nobody says why",
        "as an attribute authority",
        "held since a loss",
        "held",
        "held under a lost CA",
    ],
)
def test_doubt_comes_from_a_loss_or_a_hold_anywhere_above(
    path: list[CertificateRecord], doubt: Doubt | None
) -> None:
    assert doubt_about(path) == doubt
