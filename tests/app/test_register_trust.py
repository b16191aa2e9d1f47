"""Anchors of others that the operator puts into the trust folder count without a restart."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from app.register import RegisterTrust
from app.wiring import Core
from tests.signing.pki import certify
from verify.errors import TrustFolderInvalid


@pytest.fixture(scope="module")
def anchors() -> tuple[x509.Certificate, x509.Certificate]:
    return tuple(certify(name, issuer=None, ca=True).certificate for name in ("Akar Satu", "Akar Dua"))  # type: ignore[return-value]


@pytest.fixture
def folder(core: Core) -> Path:
    folder = core.settings.trust_dir
    for name in ("foreign", "time"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    return folder


def _put(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".draft")
    draft.write_bytes(content)
    draft.replace(path)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


@pytest.mark.parametrize("kind", ["foreign", "time"])
def test_an_anchor_counts_when_it_is_put_there_replaced_or_taken_away(
    core: Core, folder: Path, anchors: tuple[x509.Certificate, x509.Certificate], kind: str
) -> None:
    trust = RegisterTrust(core.database.read, folder, max_staleness=0.0)
    found = {"foreign": lambda: trust().foreign_anchors, "time": lambda: trust().time_anchors}[kind]
    one, two = anchors
    assert found() == ()
    _put(folder / kind / "other.crt", _der(one))
    assert found() == (one,)
    _put(folder / kind / "other.crt", _der(two))
    assert found() == (two,)
    before = trust()
    assert trust() is before, "parsed again only when something changed"
    (folder / kind / "other.crt").unlink()
    assert found() == ()
    assert trust().anchors, "our own root stays"


def test_a_half_copied_anchor_stops_nobody_and_counts_when_it_is_whole(
    core: Core,
    folder: Path,
    anchors: tuple[x509.Certificate, x509.Certificate],
) -> None:
    trust = RegisterTrust(core.database.read, folder, max_staleness=0.0)
    one, two = anchors
    _put(folder / "time" / "one.crt", _der(one))
    assert trust().time_anchors == (one,)
    _put(folder / "time" / "two.crt", _der(two)[:100])
    assert trust().time_anchors == (one,)
    _put(folder / "time" / "two.crt", _der(two))
    assert set(trust().time_anchors) == {one, two}


def test_at_the_start_an_anchor_that_cannot_be_read_is_an_error(core: Core, folder: Path) -> None:
    (folder / "foreign" / "broken.crt").write_bytes(b"rubbish")
    with pytest.raises(TrustFolderInvalid, match=r"broken\.crt"):
        RegisterTrust(core.database.read, folder)()
