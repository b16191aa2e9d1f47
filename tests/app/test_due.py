"""What the table of keys and the calendar tell people."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.calendar import icalendar
from app.due import KeyLine, Urgency, in_words, key_lines
from app.expiries import SIGNED_ELSEWHERE, Expiry, ExpiryKind
from ca.model import CertificateRecord, CertificateStatus, ProfileName
from keys.model import KeyAlgorithm, KeyPurpose, KeyRecord, KeyState, KeyUses
from keys.policy import SchedulePolicy
from tests.support.server import absah

NOW = datetime(2026, 6, 1, tzinfo=UTC)
YEAR = timedelta(days=365)


def _key(
    key_id: str,
    state: KeyState = KeyState.ACTIVE,
    *,
    purpose: KeyPurpose = KeyPurpose.SEAL,
    owner: str = "dinas",
    age: timedelta = YEAR,
    not_after: datetime | None = None,
) -> KeyRecord:
    return KeyRecord(
        key_id, purpose, KeyAlgorithm.EC_P256, owner, "software", state, b"", NOW - age, not_after
    )


def _certificate(
    key: KeyRecord, left: timedelta, *, profile: ProfileName = ProfileName.SEAL
) -> CertificateRecord:
    return CertificateRecord(
        serial=1, name=f"c-{key.id}", issuer="issuing-1", profile=profile, key_id=key.id, owner=key.owner,
        der=b"", sha256=b"", issued_at=key.created_at, not_before=key.created_at, not_after=NOW + left,
        profile_version=1, status=CertificateStatus.GOOD,
    )  # fmt: skip


def _one(
    key: KeyRecord, *certificates: CertificateRecord, uses: int = 0, limit: int | None = None
) -> KeyLine:
    policy = SchedulePolicy(limits={} if limit is None else {key.purpose: limit})
    (line,) = key_lines([key], certificates, uses={key.id: KeyUses(uses)}, policy=policy, now=NOW)
    return line


STANDING = {
    "fresh": (_key("k"), 2 * YEAR, 0, None, Urgency.LATER, "in 21 months"),
    "ends-in-a-month": (_key("k", age=3 * YEAR), timedelta(days=30), 0, None, Urgency.SOON, "rotate"),
    "has-ended": (_key("k"), timedelta(0), 0, None, Urgency.NOW, "rotate"),
    "period-ends-before-the-certificate": (
        _key("k", not_after=NOW + timedelta(days=20)), 2 * YEAR, 0, None, Urgency.SOON, "rotate",
    ),
    "nearly-worn-out": (_key("k"), 2 * YEAR, 80, 100, Urgency.SOON, "rotate"),
    "worn-out": (_key("k"), 2 * YEAR, 100, 100, Urgency.NOW, "rotate"),
    "not-worn-out": (_key("k"), 2 * YEAR, 79, 100, Urgency.LATER, "in 21 months"),
    "waiting": (_key("k", KeyState.PRE_ACTIVATION), 2 * YEAR, 0, None, Urgency.LATER, "takes over"),
    "suspended": (_key("k", KeyState.SUSPENDED), 2 * YEAR, 0, None, Urgency.SOON, "decide"),
    "compromised": (_key("k", KeyState.COMPROMISED), 2 * YEAR, 0, None, Urgency.SOON, "destroy"),
    "retired-and-past-its-end": (_key("k", KeyState.DEACTIVATED), -YEAR, 0, None, Urgency.LATER, "destroy"),
    "destroyed": (_key("k", KeyState.DESTROYED), -YEAR, 0, None, Urgency.LATER, ""),
    "a-ca-is-due-when-custodians-need-time": (
        _key("k", purpose=KeyPurpose.ISSUING_CA, age=14 * YEAR), timedelta(days=80), 0, None,
        Urgency.SOON, "rotate",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STANDING)
def test_the_next_step_of_a_key_follows_from_how_it_stands(name: str) -> None:
    key, left, uses, limit, urgency, step = STANDING[name]
    profile = ProfileName.ISSUING if key.purpose is KeyPurpose.ISSUING_CA else ProfileName.SEAL
    line = _one(key, _certificate(key, left, profile=profile), uses=uses, limit=limit)
    assert (line.urgency, line.step) == (urgency, step)
    assert bool(line.why) or line.urgency is Urgency.LATER


def test_of_two_active_keys_the_one_with_a_successor_is_to_be_retired() -> None:
    old, new = _key("old", age=2 * YEAR), _key("new", age=timedelta(days=1))
    lines = key_lines(
        [old, new],
        [_certificate(old, YEAR), _certificate(new, 2 * YEAR)],
        uses={},
        policy=SchedulePolicy(),
        now=NOW,
    )
    assert {line.key.id: line.step for line in lines}["old"] == "retire"


def test_what_is_due_stands_first_then_the_hierarchy_from_the_root_down() -> None:
    keys = [
        _key("token", purpose=KeyPurpose.TOKEN, owner=""),
        _key("seal", KeyState.SUSPENDED),
        _key("root", purpose=KeyPurpose.ROOT_CA, owner=""),
        _key("worn", purpose=KeyPurpose.RECEIPT, owner="", not_after=NOW),
    ]
    lines = key_lines(keys, [], uses={}, policy=SchedulePolicy(), now=NOW)
    assert [line.key.id for line in lines] == ["worn", "seal", "root", "token"]


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=5), "0 hours"), (timedelta(hours=1), "1 hour"), (timedelta(hours=23), "23 hours"),
        (timedelta(days=1), "1 day"), (timedelta(days=13), "13 days"), (timedelta(days=14), "2 weeks"),
        (timedelta(days=60), "8 weeks"), (timedelta(days=61), "2 months"), (timedelta(days=730), "23 months"),
        (timedelta(days=731), "2 years"), (-timedelta(days=1), "0 hours"),
    ],
)  # fmt: skip
def test_spans_are_told_in_the_unit_that_a_person_would_use(span: timedelta, words: str) -> None:
    assert in_words(span) == words


# --- as operators see it ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    given = {
        "ABSAH_DATA_DIR": str(tmp_path_factory.mktemp("due") / "data"),
        "ABSAH_KEYS_LIMITS": "seal=10",
        "COLUMNS": "80",
    }
    absah("init", settings=given)
    absah(
        *("agency", "add", "dinas", "--name", "Dinas Contoh", "--organization-identifier", "NTRID-1"),
        *("--scope", "documents.read"),
        settings=given,
    )
    return given


def test_the_table_fits_into_80_columns_and_says_in_words_what_colours_say(settings: dict[str, str]) -> None:
    said = absah("keys", "list", settings=settings).stdout
    assert max(map(len, said.splitlines())) <= 80
    assert "\x1b" not in said
    assert re.search(r"^  seal-[0-9a-f]{20} +● active +\d{4}-\d\d-\d\d +in \d+ (years|months)$", said, re.M)
    assert re.search(r"^    dinas · ec-p256 · software · made today · 0 of 10 uses$", said, re.M)
    assert "Nothing is due." in said


def test_programs_get_the_same_as_json(settings: dict[str, str]) -> None:
    keys = json.loads(absah("keys", "list", "--json", settings=settings).stdout)
    said = absah("keys", "list", settings=settings).stdout
    assert [key["id"] for key in keys] == re.findall(r"^..([a-z-]+-[0-9a-f]{20}) ", said, re.M)
    (seal,) = [key for key in keys if key["purpose"] == "seal"]
    assert (seal["owner"], seal["state"], seal["limit"], seal["urgency"]) == ("dinas", "active", 10, "later")


def test_the_calendar_goes_month_by_month_and_says_what_happens_by_itself(settings: dict[str, str]) -> None:
    said = absah("keys", "calendar", "--months", "400", settings=settings, check=False)
    assert said.returncode == 2  # more than thirty years
    said = absah("keys", "calendar", "--months", "40", settings=settings)
    assert max(map(len, said.stdout.splitlines())) <= 80
    assert "seal certificate ends" in said.stdout
    assert "revocation list ends, by itself" in said.stdout
    assert re.search(r"^\d+ end later: --months$", said.stdout, re.M)
    found = json.loads(absah("keys", "calendar", "--json", settings=settings).stdout)
    assert [entry["at"] for entry in found] == sorted(entry["at"] for entry in found)


def test_the_calendar_is_written_as_a_file_that_calendars_read(
    settings: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "absah.ics"
    absah("keys", "calendar", "--ics", file, settings=settings)
    lines = _unfolded(file.read_bytes())
    assert lines.count("BEGIN:VEVENT") == lines.count("END:VEVENT") >= 6
    assert not any("revocation list" in line for line in lines)


def _unfolded(content: bytes) -> list[str]:
    """As a reader does (RFC 5545, 3.1), strictly."""
    assert content.endswith(b"\r\n")
    raw = content[:-2].split(b"\r\n")
    assert all(len(line) <= 75 for line in raw)
    assert not any(b"\n" in line or b"\r" in line for line in raw)
    for line in raw:
        line.decode()  # no character is torn apart
    return b"\n".join(raw).replace(b"\n ", b"").decode().split("\n")


def test_every_event_has_what_the_standard_demands_and_hostile_names_change_nothing() -> None:
    hostile = "Dinas, Kota; Ünïcödé \\ " + "é" * 60 + "\nEND:VCALENDAR"
    ends = [
        Expiry(ExpiryKind.CERTIFICATE, "seal", "seal-1", hostile, NOW, NOW + YEAR),
        Expiry(ExpiryKind.KEY, "seal", "seal-1", hostile, NOW, NOW + YEAR),
        Expiry(ExpiryKind.LIST, "list", "issuing-1", "", NOW, NOW + YEAR),
        Expiry(ExpiryKind.LIST, SIGNED_ELSEWHERE, "root-1", "", NOW, NOW + YEAR),
    ]
    lines = _unfolded(icalendar(ends, host="absah.example", now=NOW))
    assert lines[:4] == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Absah//Expiries//EN",
        "CALSCALE:GREGORIAN",
    ]
    assert lines.count("END:VCALENDAR") == 1
    events = "\n".join(lines).split("BEGIN:VEVENT")[1:]
    assert len(events) == 3
    assert "SUMMARY:revocation list signed elsewhere ends: root-1" in events.pop()  # nobody here renews it
    for event in events:
        for name in ("UID:", "DTSTAMP:", "DTSTART;VALUE=DATE:", "SUMMARY:", "BEGIN:VALARM", "TRIGGER:"):
            assert event.count(f"\n{name}") == 1
        assert "DTSTART;VALUE=DATE:20270601\nDTEND;VALUE=DATE:20270602" in event
        assert "Dinas\\, Kota\\; Ünïcödé \\\\ " in event
    uids = re.findall(r"UID:(\S+)", "\n".join(lines))
    assert len(set(uids)) == 3
    assert uids == re.findall(r"UID:(\S+)", icalendar(ends, host="absah.example", now=NOW + YEAR).decode())
