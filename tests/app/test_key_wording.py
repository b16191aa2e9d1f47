"""Numbers and steps of keys and certificates, in the words that people would use."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from app.cli import certificates, keyring
from app.cli.context import counted
from app.due import Urgency, key_lines, when
from ca.model import CertificateRecord, CertificateStatus, ProfileName
from ca.overview import overview
from keys.model import KeyAlgorithm, KeyPurpose, KeyRecord, KeyState, KeyUses
from keys.policy import SchedulePolicy

NOW = datetime(2026, 6, 1, tzinfo=UTC)
YEAR = timedelta(days=365)


def seal_key(state: KeyState = KeyState.ACTIVE) -> KeyRecord:
    return KeyRecord("k", KeyPurpose.SEAL, KeyAlgorithm.EC_P256, "dinas", "software", state, b"", NOW - YEAR)


def certificate(status: CertificateStatus = CertificateStatus.GOOD) -> CertificateRecord:
    return CertificateRecord(
        serial=1, name="seal-1", issuer="issuing-1", profile=ProfileName.SEAL, key_id="k", owner="dinas",
        der=b"", sha256=b"", issued_at=NOW - YEAR, not_before=NOW - YEAR, not_after=NOW + 2 * YEAR,
        profile_version=1, status=status, revoked_at=NOW - timedelta(days=3),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("uses", "limit", "words"),
    [
        (0, None, "0 uses"),
        (1, None, "1 use"),
        (4_096, None, "4,096 uses"),
        (1, 2**32, "1 of 4,294,967,296 uses"),
        (1, 1, "1 of 1 use"),
        (0, 1, "0 of 1 use"),
    ],
)
def test_uses_are_counted_as_people_count(uses: int, limit: int | None, words: str) -> None:
    policy = SchedulePolicy(limits={} if limit is None else {KeyPurpose.SEAL: limit})
    (line,) = key_lines([seal_key()], [], uses={"k": KeyUses(uses)}, policy=policy, now=NOW)
    assert keyring._described(line, NOW).endswith(f" · {words}")


def test_one_is_one_and_none_and_many_are_many() -> None:
    assert [counted(number, "key") for number in (0, 1, 2, 4096)] == [
        "0 keys",
        "1 key",
        "2 keys",
        "4,096 keys",
    ]


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (-YEAR, "now"),
        (timedelta(0), "now"),
        (timedelta(hours=5), "in 5 hours"),
        (timedelta(days=99), "in 99 d"),
        (timedelta(days=100), "in 3 months"),
        (2 * YEAR, "in 23 months"),
    ],
)
def test_when_a_step_is_due_is_said_alike_of_keys_and_certificates(left: timedelta, words: str) -> None:
    assert when(NOW + left, NOW) == words


def test_the_two_tables_say_a_step_with_its_verb_and_its_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = key_lines([seal_key()], [certificate()], uses={}, policy=SchedulePolicy(), now=NOW)
    assert line.urgency is Urgency.LATER
    (view,) = overview([certificate()], {"k": "active"}, NOW)
    for module in (keyring, certificates):
        monkeypatch.setattr(module.out, "width", 120)
    keyring._print(line, NOW)
    certificates._print(view, NOW)
    key, _, seal, *_ = capsys.readouterr().out.splitlines()
    assert re.search(r" rotate in \d+ months$", key)
    assert re.search(r" renew in \d+ months$", seal)


def test_a_decision_is_one_word_in_both_tables_and_explained_beneath(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = key_lines([seal_key(KeyState.SUSPENDED)], [], uses={}, policy=SchedulePolicy(), now=NOW)
    (view,) = overview([certificate(CertificateStatus.ON_HOLD)], {"k": "suspended"}, NOW)
    monkeypatch.setattr(keyring.out, "width", 120)
    keyring._print(line, NOW)
    certificates._print(view, NOW)
    said = capsys.readouterr().out
    assert re.search(r" decide$", said, re.M)
    assert re.search(r" decide now$", said, re.M)
    assert "→ suspended: reinstate it, or retire it" in said
    assert "→ on hold: release it, or revoke it" in said
