"""``absah keys rotate`` and ``absah mail``, as operators type them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from app.settings import Settings
from app.wiring import Core, build_core
from identity.mail.errors import MailRefused
from tests.identity.mail.conftest import Carried
from tests.support.server import absah

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("commands") / "data"
    absah("init", settings={"ABSAH_DATA_DIR": str(folder)})
    return folder


@pytest.fixture
def run(home: Path) -> Run:
    return lambda *words, **given: absah(*words, settings={"ABSAH_DATA_DIR": str(home)}, **given)


@pytest.fixture
def core(home: Path) -> Core:
    with ExitStack() as closing:
        return build_core(Settings(data_dir=home), closing=closing)


def test_a_rotation_of_token_keys_says_when_the_successors_sign_and_asking_again_changes_nothing(
    run: Run,
) -> None:
    said = run("keys", "rotate", "token").stdout
    assert re.search(r"token-\w+ \(ec-p256\) .* signs from \d{4}-\d\d-\d\d \d\d:\d\d UTC", said)
    assert "(rsa-3072)" in said
    assert run("keys", "rotate", "token").stdout.splitlines()[-2:] == said.splitlines()[-2:]
    assert run("keys", "list").stdout.count("pre-activation") == 2


def test_a_rotation_of_the_wrapping_key_moves_every_data_key(run: Run, core: Core) -> None:
    said = run("keys", "rotate", "wrapping").stdout
    moved = {key.wrapping_key for key in core.envelope.list()}
    assert moved == {said.splitlines()[-1].split()[0]}
    assert "wrapping is in use; its predecessor retires" in said


def test_a_seal_is_rotated_retired_and_destroyed_with_evidence_and_attested_backups(run: Run) -> None:
    run(
        *("agency", "add", "dinas", "--name", "Dinas Contoh", "--organization-identifier", "NTRID-1"),
        *("--scope", "documents.read"),
    )
    (old,) = re.findall(r"seal-[0-9a-f]{20}", run("keys", "list").stdout)
    said = run("keys", "rotate", "seal", "--owner", "dinas").stdout
    assert [line.strip() for line in said.splitlines()[:-1]] == [
        *("begun", "generated", "certified", "proved", "switched")
    ][-len(said.splitlines()) + 1 :]
    new = said.splitlines()[-1].split()[0]
    refused = run("keys", "destroy", old, check=False)
    assert refused.returncode == 1
    assert "is active" in refused.stderr
    assert run("keys", "retire", old, "--reason", "replaced").stdout == f"{old} signs no more\n"
    assert "Copies in backups" in run("keys", "destroy", old).stdout
    run("keys", "attest", old, "tapes 1 to 3 overwritten")
    evidence = json.loads(run("keys", "evidence", old).stdout)
    assert evidence["key_id"] == old
    assert evidence["proof"].startswith("store 'software' was asked")
    assert evidence["attestation"] == "tapes 1 to 3 overwritten"
    assert run("keys", "evidence", new, check=False).returncode == 1
    listed = run("keys", "rotations").stdout
    assert "seal of dinas is in use" in " ".join(listed.split())
    assert "Name the agency" in run("keys", "rotate", "seal", check=False).stderr


def test_a_rotation_of_data_keys_leaves_fingerprints_alone(run: Run, core: Core) -> None:
    sealed, mark = core.vault.seal("person", b"x", context="row"), core.vault.fingerprint("nik", "1")
    said = run("keys", "rotate", "data").stdout
    assert re.search(r"^person is sealed by version \d now$", said, re.MULTILINE)
    assert "fingerprint" not in said
    assert core.vault.open("person", sealed, context="row") == b"x"
    assert core.vault.fingerprint("nik", "1") == mark


def test_a_trial_mail_lands_in_the_folder_and_a_wrong_address_is_refused(run: Run, home: Path) -> None:
    assert str(home / "mail") in "".join(run("mail", "test", "operator@contoh.example").stdout.split("\n"))
    (file,) = (home / "mail").glob("*.eml")
    assert "To: operator@contoh.example" in file.read_text()
    refused = run("mail", "test", "operator", check=False)
    assert refused.returncode == 1
    assert "not an e-mail address" in refused.stderr


def test_mails_that_were_given_up_are_listed_without_their_address_and_sent_again(
    run: Run, core: Core, home: Path
) -> None:
    for template in ("account_ready", "account_resumed"):
        with core.database.begin() as tx:
            core.outbox.queue(tx, to="siti@contoh.example", template=template, language="id", values={})
    refusing = Carried()
    refusing.faults = [MailRefused("550 5.1.1"), MailRefused("550 5.1.1")]
    core.outbox.deliver(refusing)
    listed = run("mail", "list").stdout
    assert "Given up      2" in listed
    assert "550 5.1.1" in listed
    assert "siti" not in listed
    (first, _) = core.outbox.dead_letters()
    assert first.id in listed
    assert run("mail", "retry", first.id).stdout == "1 will be sent again.\n"
    assert run("mail", "retry", "--all").stdout == "1 will be sent again.\n"
    assert run("mail", "retry", first.id, check=False).returncode == 1
    assert run("mail", "retry", check=False).returncode == 2
    run("worker", "--once")
    assert "Waiting       0\nGiven up      0" in run("mail", "list").stdout
    assert len(list((home / "mail").glob("*.eml"))) >= 2


def test_the_doctor_tells_of_mail(run: Run) -> None:
    said = " ".join(run("doctor", check=False).stdout.split())
    assert re.search(r"ok mail folder \S+", said)
