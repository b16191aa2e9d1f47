"""A service whose keys are in a token, looked at by ``absah doctor``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.doctor import Finding, Health, examine
from app.provisioning import initialise
from app.settings import Settings
from keys.model import KeyPurpose
from keys.stores.pkcs11.module import close_modules
from tests.support.hsm import Hsm, running_hsm
from tests.support.needs import requires

pytestmark = requires("softhsm2-util", "pkcs11-tool")


@pytest.fixture
def hsm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hsm]:
    with running_hsm(monkeypatch) as made:
        for name, value in (made.settings() | {"ABSAH_DATA_DIR": str(tmp_path / "data")}).items():
            monkeypatch.setenv(name, value)
        yield made


def found(part: str) -> Finding:
    return next(finding for finding in examine() if finding.part == part)


def test_the_doctor_compares_the_token_with_the_register(hsm: Hsm, tmp_path: Path) -> None:
    with ExitStack() as closing:
        core = initialise(Settings.load(), closing=closing, actor="test")
        assert {key.store for key in core.keys.list()} == {"pkcs11"}
        receipt = core.keys.active(KeyPurpose.RECEIPT).record.id
    assert not (tmp_path / "data" / "keys").exists()
    assert found("token").health is Health.OK
    assert found("keys in the token").health is Health.OK
    # A key that a crash left, or another installation's.
    hsm.tool("--keypairgen", "--key-type", "EC:prime256v1", "--id", b"stray".hex(), "--label", "stray")
    stray = found("keys in the token")
    assert stray.health is Health.WARNING
    assert "stray" in stray.found
    # A key that the register knows and the token lost.
    hsm.tool("--delete-object", "--type", "privkey", "--id", receipt.encode().hex())
    missing = found("keys in the token")
    assert missing.health is Health.BROKEN
    assert receipt in missing.found
    # No PIN, no keys; and the report reaches its end.
    hsm.pin_file.write_text("wrong-pin\n")
    close_modules()
    refused = found("token")
    assert refused.health is Health.BROKEN
    assert "PIN" in refused.found
    assert found("audit trail").health is Health.OK
