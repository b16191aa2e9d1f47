"""The first day of a service whose root is kept offline, as it is typed: request, ceremony, install, init."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from tests.support.needs import ROOT
from tests.support.server import absah


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The machine of the root, with the script of the documentation."""
    folder = tmp_path / "machine"
    folder.mkdir()
    (folder / "passphrase").write_text("satu dua tiga empat lima enam")
    (folder / "passphrase").chmod(0o600)
    return folder


def script_for(machine: Path, origin: str, other_day: dict[str, Any] | None = None) -> Path:
    """That of the first day, or of another with the inputs and steps that the runbook has for it."""
    content = yaml.safe_load((ROOT / "examples" / "ceremony.yaml").read_text())
    content["hierarchy"]["base_url"] = origin
    if other_day is not None:
        content |= {"inputs": other_day.get("inputs", {}), "steps": other_day["steps"]}
    for name in content["inputs"]:
        content["inputs"][name] = hashlib.sha256((machine / name).read_bytes()).hexdigest()
    for step in content["steps"]:
        step["confirmed_by"] = list(step["confirmed_by"])  # no two lists are one, or YAML writes aliases
    path = machine / "ceremony.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
    return path


def other_days() -> list[dict[str, Any]]:
    """The steps that the runbook has for days that are not the first."""
    runbook = (ROOT / "docs" / "runbooks" / "root-ceremony.md").read_text()
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", runbook, re.DOTALL)]


def hold(script: Path) -> None:
    from typer.testing import CliRunner

    from app.cli.main import cli

    names = {"master": "Siti Rahma", "custodian-1": "Budi Santoso", "custodian-2": "Ratna Dewi"}
    steps = yaml.safe_load(script.read_text())["steps"]
    answers = [names["master"], *(names[role] for step in steps for role in step["confirmed_by"])]
    done = CliRunner().invoke(cli, ["ca", "ceremony", str(script)], input="\n".join(answers) + "\n")
    assert done.exit_code == 0, done.output


def test_from_the_request_to_a_service_that_is_complete(machine: Path, tmp_path: Path) -> None:
    settings = {"ABSAH_DATA_DIR": str(tmp_path / "data")}
    request = machine / "issuing-1.csr"
    said = absah("init", "--root-offline", request, settings=settings).stdout
    assert "absah ca ceremony" in said
    assert hashlib.sha256(request.read_bytes()).hexdigest() in said.replace("\n", "")
    # Until the certificate is there, nothing makes a root behind the ceremony's back.
    waiting = absah("init", settings=settings, check=False)
    assert waiting.returncode == 1
    assert "absah ca install" in waiting.stderr.replace("\n", " ")
    origin = "http://127.0.0.1:8000"
    hold(script_for(machine, origin))
    published = machine / "published"
    chain = (published / "issuing-1-chain.pem", published / "root-1.crl")
    stranger = absah("ca", "install", chain[1], settings=settings, check=False)
    assert "not signed by a CA above" in stranger.stderr.replace("\n", " ")
    said = absah("ca", "install", *chain, "--root", published / "root-1.crt", settings=settings).stdout
    assert "issuing-1" in said
    assert hashlib.sha256((published / "root-1.crt").read_bytes()).hexdigest() in said
    absah("init", settings=settings)
    shown = absah("ca", "show", settings=settings).stdout
    assert "◆ elsewhere" in shown
    assert "sign elsewhere in 89 d" in shown or "sign elsewhere in 90 d" in shown
    anchors = [
        x509.load_der_x509_certificate(path.read_bytes())
        for path in (tmp_path / "data" / "trust").glob("root*.crt")
    ]
    assert anchors == [x509.load_der_x509_certificate((published / "root-1.crt").read_bytes())]
    refused = absah("ca", "install", chain[1], settings=settings, check=False)
    assert "not newer" in refused.stderr.replace("\n", " ")
    findings = " ".join(absah("doctor", settings=settings, check=False).stdout.split())
    assert "signed where its key is" in findings
    assert "Run `absah worker`" not in findings
    assert "its key is not in this service" in findings
    assert "keep the root offline" not in absah("worker", "--once", settings=settings).stderr
    ends = json.loads(absah("keys", "calendar", "--json", settings=settings).stdout)
    assert ("certificate", "root-1") in {(one["kind"], one["name"]) for one in ends}

    # Years later: the successor of the issuing CA waits for a ceremony, and is put to use by its rotation.
    said = absah("keys", "rotate", "issuing-ca", settings=settings).stdout
    assert "absah ca request issuing" in said.replace("\n", " ")
    assert "absah ca request issuing" in absah("keys", "rotations", settings=settings).stdout.replace(
        "\n", " "
    )
    absah("ca", "request", "issuing", "-o", machine / "issuing-2.csr", settings=settings)
    days = other_days()
    acts = [[step["do"] for step in day["steps"]] for day in days]
    assert sorted(steps[0] for steps in acts) == ["generate-root", "issue", "revoke", "sign-list"]
    for day in days:
        said = absah("ca", "ceremony", script_for(machine, origin, day), "--dry-run", settings={}).stdout
        assert "nothing was written" in said
    hold(script_for(machine, origin, days[acts.index(["issue", "sign-list", "publish"])]))
    brought = machine / "published-2"
    absah("ca", "install", brought / "issuing-2-chain.pem", brought / "root-1.crl", settings=settings)
    absah("worker", "--once", settings=settings)
    shown = absah("ca", "show", settings=settings).stdout
    assert re.search(r"issuing-2 +● in use", shown), shown
    assert re.search(r"issuing-1 +◐ lists only", shown), shown


def test_a_root_that_is_kept_here_is_warned_of_at_every_start_and_by_the_doctor(tmp_path: Path) -> None:
    settings = {"ABSAH_DATA_DIR": str(tmp_path / "data"), "COLUMNS": "200"}
    for words in (("init",), ("worker", "--once")):
        said = absah(*words, settings=settings).stderr
        assert "not for production: the private key of root-1 is in this service" in said, words
    found = absah("doctor", settings=settings, check=False).stdout
    assert "the private key of root-1 is in this service" in found
    assert "absah init --root-offline" in found
