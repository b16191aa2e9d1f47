"""``absah keys custodian``, ``requests``, ``approve``, ``sign`` and the like, as custodians type them."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from app.approving.keyfiles import make_key, open_key
from keys.errors import CustodianKeyRefused
from tests.support.needs import requires
from tests.support.server import ABSAH, absah, environment

Run = Callable[..., CompletedProcess[str]]
PASSPHRASE = "tujuh kuda lumping biru"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service with three custodians, whose keys lie beside it."""
    folder = tmp_path_factory.mktemp("custody")
    (folder / "passphrase").write_text(f"{PASSPHRASE}\n")
    settings = {"ABSAH_DATA_DIR": str(folder / "data"), "ABSAH_KEYS_APPROVALS": "2"}
    absah("init", settings=settings)
    for name in ("ani", "budi", "citra"):
        made = ["keys", "custodian", "new-key", folder / name, "--passphrase-file", folder / "passphrase"]
        absah(*made, settings={})
        said = absah(
            "keys", "custodian", "add", name, "--public-key", folder / f"{name}.pub", settings=settings
        ).stdout
        if name == "citra":
            request = re.search(r"key-request-\w+", said)
            assert request is not None, said
            for voter in ("ani", "budi"):
                absah(*_approve(folder, request[0], voter), settings=settings)
    return folder


@pytest.fixture
def run(home: Path) -> Run:
    settings = {"ABSAH_DATA_DIR": str(home / "data"), "ABSAH_KEYS_APPROVALS": "2"}
    return lambda *words, **given: absah(*words, settings=settings, **given)


@pytest.fixture
def asked(run: Run) -> str:
    """A request that waits."""
    said = run("keys", "custodian", "remove", "citra", "--reason", "moves to another office").stdout
    request = re.search(r"key-request-\w+", said)
    assert request is not None, said
    return request[0]


def _approve(home: Path, request: str, name: str) -> list[str | Path]:
    return [
        "keys", "approve", request, "--as", name, "--key", home / name,
        "--passphrase-file", home / "passphrase", "--yes",
    ]  # fmt: skip


@requires("openssl")
def test_a_key_is_made_encrypted_for_its_owner_only_and_never_overwritten(home: Path) -> None:
    key = home / "ani"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert b"ENCRYPTED" in key.read_bytes()
    opened = subprocess.run(
        ["openssl", "pkey", "-in", key, "-passin", f"pass:{PASSPHRASE}", "-noout", "-text"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "P-256" in opened.stdout
    with pytest.raises(FileExistsError):
        make_key(key, PASSPHRASE)
    with pytest.raises(CustodianKeyRefused, match="fewer than 15 characters"):
        make_key(home / "weak", "kuda")
    assert not (home / "weak").exists()


def test_two_join_freely_and_the_third_by_their_approval(run: Run) -> None:
    said = run("keys", "custodian", "list").stdout
    assert "3 custodians; 2 have to agree to an act." in said
    assert "without approvals" not in said
    assert len(re.findall(r"\b[0-9a-f]{64}\b", said)) == 3
    done = run("keys", "requests", "--all").stdout
    assert "Change who may approve" in done
    assert "done" in done


def test_a_fingerprint_is_whole_on_the_narrowest_terminal(home: Path) -> None:
    settings = {"ABSAH_DATA_DIR": str(home / "data"), "ABSAH_KEYS_APPROVALS": "2", "COLUMNS": "80"}
    said = absah("keys", "custodian", "list", settings=settings).stdout
    assert len(re.findall(r"^  key file +[0-9a-f]{64}$", said, re.M)) == 3
    assert max(len(line) for line in said.splitlines()) <= 80
    asked = absah("keys", "requests", "--all", settings=settings).stdout
    assert "…" not in asked
    assert max(len(line) for line in asked.splitlines()) <= 80


def test_a_public_key_can_be_piped_in_where_its_file_is_not(home: Path, tmp_path: Path) -> None:
    """As into a container."""
    key = make_key(tmp_path / "dewi", PASSPHRASE)
    done = subprocess.run(
        [ABSAH, "keys", "custodian", "add", "dewi", "--public-key", "-"],
        input=(tmp_path / "dewi.pub").read_text(), capture_output=True, text=True, check=False,
        env=environment({"ABSAH_DATA_DIR": str(home / "data"), "ABSAH_KEYS_APPROVALS": "2"}),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert key.id in done.stdout
    assert "It waits for 2 custodians" in done.stdout.replace("\n", " ")


def test_a_request_is_shown_in_plain_words_with_what_is_signed(run: Run, asked: str) -> None:
    said = run("keys", "show", asked).stdout
    assert "citra may approve nothing any more." in said
    assert "moves to another office" in said
    assert re.search(r"Digest +([0-9a-f]{4} ){15}[0-9a-f]{4}", said)
    assert "0 of 2 approvals" in said
    assert asked in run("keys", "requests").stdout


def test_without_a_yes_nothing_is_signed(run: Run, home: Path, asked: str) -> None:
    words = [word for word in _approve(home, asked, "ani") if word != "--yes"]
    refused = run(*words, check=False)
    assert refused.returncode == 1
    assert "0 of 2 approvals" in run("keys", "show", asked).stdout


def test_enough_rejections_end_a_request(run: Run, home: Path, asked: str) -> None:
    for name, state in (("ani", "waiting"), ("budi", "rejected")):
        words = _approve(home, asked, name)
        words[1] = "reject"
        assert f"The request is {state}" in run(*words).stdout
    refused = run(*_approve(home, asked, "citra"), check=False)
    assert "it is rejected" in refused.stderr


def test_a_decision_can_be_signed_on_a_machine_without_the_service(
    run: Run, home: Path, asked: str, tmp_path: Path
) -> None:
    file = tmp_path / "request.json"
    file.write_text(run("keys", "show", asked, "--json").stdout)
    assert json.loads(file.read_text())["id"] == asked
    sign = ["keys", "sign", file, "--as", "ani", "--key", home / "ani", "--yes"]
    made = absah(*sign, "--passphrase-file", home / "passphrase", settings={})
    assert "citra may approve nothing any more." in made.stderr
    signature = made.stdout.strip()
    wrong = run("keys", "reject", asked, "--as", "ani", "--signature", signature, "--yes", check=False)
    assert "not by a key of ani over this verdict" in wrong.stderr
    assert (
        "1 approval, 1 more wanted"
        in run("keys", "approve", asked, "--as", "ani", "--signature", signature, "--yes").stdout
    )
    file.write_text(file.read_text().replace("citra", "budi"))
    other = absah(*sign, "--passphrase-file", home / "passphrase", settings={})
    borrowed = other.stdout.strip()
    assert run(
        "keys", "approve", asked, "--as", "ani", "--signature", borrowed, "--yes", check=False
    ).returncode
    file.write_text("{}")
    nonsense = absah(*sign, "--passphrase-file", home / "passphrase", settings={}, check=False)
    assert "not a request" in nonsense.stderr


def test_a_key_file_that_others_can_read_or_that_is_not_encrypted_signs_nothing(
    home: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "ani"
    copy.write_bytes((home / "ani").read_bytes())
    copy.chmod(0o640)
    with pytest.raises(CustodianKeyRefused, match="can be read by others"):
        open_key(copy, PASSPHRASE)
    copy.chmod(0o600)
    assert open_key(copy, PASSPHRASE).curve.name == "secp256r1"
    with pytest.raises(CustodianKeyRefused, match="does not open by this passphrase"):
        open_key(copy, "another passphrase")
    copy.write_text("-----BEGIN EC PRIVATE KEY-----\n")
    with pytest.raises(CustodianKeyRefused, match="no encrypted private key"):
        open_key(copy, PASSPHRASE)
    other = ec.generate_private_key(ec.SECP384R1())
    sealed = BestAvailableEncryption(PASSPHRASE.encode())
    copy.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed))
    with pytest.raises(CustodianKeyRefused, match="does not hold a P-256 key"):
        open_key(copy, PASSPHRASE)


def test_somebody_elses_key_or_nobodys_name_decides_nothing(run: Run, home: Path, asked: str) -> None:
    words = _approve(home, asked, "budi")
    words[words.index("budi")] = "ani"
    assert "not by a key of ani" in run(*words, check=False).stderr
    words[words.index("ani")] = "root"
    assert "No custodian is called 'root'" in run(*words, check=False).stderr
    assert "no request 'key-request-none'" in run("keys", "show", "key-request-none", check=False).stderr
