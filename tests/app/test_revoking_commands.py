"""``absah ca revoke``, ``hold`` and ``release``, as an operator types them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cryptography import x509

from tests.support.server import absah


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    made = {"ABSAH_DATA_DIR": str(tmp_path / "data")}
    absah("init", settings=made)
    return made


def seal(settings: dict[str, str]) -> str:
    found = re.search(r"tsu-[0-9a-f]+", absah("ca", "show", settings=settings).stdout)
    assert found is not None
    return found.group()


def listed(settings: dict[str, str], folder: Path) -> x509.CertificateRevocationList:
    path = folder / "list.crl"
    absah("ca", "crl", "issuing-1-p1", "-o", str(path), settings=settings)
    return x509.load_der_x509_crl(path.read_bytes())


def test_hold_release_and_revocation_reach_the_list_and_the_trail(
    settings: dict[str, str], tmp_path: Path
) -> None:
    name = seal(settings)
    serial = name.removeprefix("tsu-")
    assert "on hold" in absah("ca", "hold", name, "--yes", settings=settings).stdout
    assert [f"{entry.serial_number:x}" for entry in listed(settings, tmp_path)] == [serial]
    assert "good again" in absah("ca", "release", serial.upper(), "--yes", settings=settings).stdout
    assert len(listed(settings, tmp_path)) == 0
    since = ("--since", "2026-01-05T08:00+07:00")
    said = absah("ca", "revoke", name, "key-compromise", *since, "--yes", settings=settings).stdout
    assert f"{name} is revoked" in said
    (entry,) = listed(settings, tmp_path)
    assert f"{entry.revocation_date_utc:%Y-%m-%d %H:%M}" == "2026-01-05 01:00"
    trail = absah("audit", "show", settings=settings).stdout
    acts = [line for line in trail.splitlines() if "certificate.status" in line]
    assert len(acts) == 3
    assert "key_compromise" in acts[-1]
    assert "2026-01-05T01:00:00+00:00" in acts[-1]
    assert all("cli:" in line for line in acts)


def test_nothing_happens_without_a_yes_and_the_question_names_the_certificate(
    settings: dict[str, str], tmp_path: Path
) -> None:
    name = seal(settings)
    refused = absah("ca", "revoke", name, "superseded", settings=settings, check=False)
    assert refused.returncode == 1
    assert f"Revoke {name} (superseded)" in refused.stdout
    assert "Time-Stamping Unit" in refused.stdout
    assert len(listed(settings, tmp_path)) == 0


def test_what_cannot_be_done_is_said_in_words(settings: dict[str, str]) -> None:
    name = seal(settings)
    for arguments, words in (
        (("revoke", "seal-1", "superseded", "--yes"), "absah ca show"),
        (("revoke", name, "because", "--yes"), "key-compromise"),
        (("revoke", name), "reason"),
        (("revoke", name, "key-compromise", "--since", "yesterday", "--yes"), "time and zone"),
        (("revoke", name, "key-compromise", "--since", "2026-01-05T08:00", "--yes"), "time and zone"),
        (("revoke", name, "ca-compromise", "--yes"), "key_compromise"),
        (("release", name, "--yes"), "good already"),
        (("revoke", "root-1", "superseded", "--yes"), "trust lists"),
    ):
        said = absah("ca", *arguments, settings=settings, check=False)
        assert said.returncode != 0, arguments
        assert words in " ".join(said.stderr.split()), arguments
        assert "Traceback" not in said.stderr


def test_where_custodians_have_to_agree_a_loss_is_for_them_to_say(settings: dict[str, str]) -> None:
    name = seal(settings)
    strict = settings | {"ABSAH_KEYS_APPROVALS": "2"}
    said = absah("ca", "revoke", name, "key-compromise", "--yes", settings=strict, check=False)
    assert said.returncode != 0
    assert "absah keys compromise" in " ".join(said.stderr.split())
    assert "on hold" in absah("ca", "hold", name, "--yes", settings=strict).stdout
