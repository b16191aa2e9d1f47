"""The command line as people run it: its words, its exit status, and real processes where they matter."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from xml.etree import ElementTree

import httpx
import pytest

from app.cli.context import actor
from app.cli.main import main
from app.cli.verdicts import harmless
from app.demo import sample_documents
from app.settings import describe
from tests.support.server import absah

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initialised service with one agency, and its first client's secret in ``client.json``."""
    folder = tmp_path_factory.mktemp("cli")
    settings = {"ABSAH_DATA_DIR": str(folder / "data")}
    absah("init", settings=settings)
    said = absah(
        "agency",
        "add",
        "dinas",
        "--name",
        "Dinas Contoh",
        "--organization-identifier",
        "NTRID-1",
        settings=settings,
    ).stdout
    client = {name: re.search(rf"{name}\s+(\S+)", said)[1] for name in ("Client", "Secret")}  # type: ignore[index]
    (folder / "client.json").write_text(json.dumps(client))
    (folder / "in.pdf").write_bytes(sample_documents()[0].pdf)
    return folder


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs a command through its entry point, in this process: a start of Python for each would be dear."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level

    def command(*arguments: str | Path, check: bool = True, **settings: str) -> CompletedProcess[str]:
        words = ["absah", *map(str, arguments)]
        capfd.readouterr()
        with monkeypatch.context() as patched:
            for name in [name for name in os.environ if name.startswith("ABSAH_")]:
                patched.delenv(name)
            given = {"ABSAH_DATA_DIR": str(home / "data"), "COLUMNS": "200"} | settings
            for name, value in given.items():
                patched.setenv(name, value)
            patched.setattr(sys, "argv", words)
            with pytest.raises(SystemExit) as ended:
                main()
        done = CompletedProcess(words, ended.value.code or 0, *capfd.readouterr())
        assert not check or done.returncode == 0, done
        return done

    yield command
    root.handlers, root.level = handlers, level


@pytest.fixture(scope="module")
def sealed(home: Path) -> tuple[Path, str]:
    """A sealed file, and the link in its QR code."""
    done = absah(
        "seal", home / "in.pdf", "-o", home / "out.pdf", "--type", "business_licence", "--number", "503/1",
        "--title", "Izin", "--signatory", "Kepala", "--holder", "Siti Aminah", "--issued-on", "2026-01-02",
        settings={"ABSAH_DATA_DIR": str(home / "data")},
    )  # fmt: skip
    link = re.search(r"Link\s+(\S+)", done.stdout)
    assert link is not None
    return home / "out.pdf", link[1]


def test_a_sealed_file_verifies_with_and_without_the_register(run: Run, sealed: tuple[Path, str]) -> None:
    file, link = sealed
    with_register = run("verify", file)
    offline = run("verify", file, "--offline", "--lang", "en")
    receipt = run("verify", link, "--offline")
    assert "✓ Sah" in with_register.stdout
    assert "S*** A***" in with_register.stdout
    assert "Siti" not in with_register.stdout
    assert "current-status" in offline.stdout
    assert "✓ Sah" in receipt.stdout


def test_the_terminal_speaks_the_language_asked_for(run: Run, sealed: tuple[Path, str]) -> None:
    assert re.search(r"Berlaku sampai +Tanpa batas waktu", run("verify", sealed[0]).stdout)
    english = run("verify", sealed[0], "--lang", "en").stdout
    assert re.search(r"Valid until +No end date", english)
    unknown = run("verify", "7K3M9QXF7K3M9QXF", "--lang", "en", check=False).stdout
    assert "✗ Never issued" in unknown


def test_a_register_out_of_reach_is_named_with_the_way_around_it(
    run: Run, sealed: tuple[Path, str], tmp_path: Path
) -> None:
    empty = {"ABSAH_DATABASE_URL": f"sqlite:///{tmp_path / 'empty.db'}"}
    (tmp_path / "empty.db").touch()
    told = run("verify", sealed[0], "--lang", "en", check=False, **empty)
    assert told.returncode == 2
    assert "? Cannot say yet" in told.stdout
    assert "--offline" in told.stdout
    assert "--offline" not in run("verify", sealed[0], "--offline", "--lang", "en").stdout


def test_what_a_stranger_wrote_steers_no_terminal() -> None:
    assert harmless("a\x1b[31mb\u202ec\nd") == "a\ufffd[31mb\ufffdc\ufffdd"
    assert harmless("Dinas Penanaman Modal – «صالح»") == "Dinas Penanaman Modal – «صالح»"


def test_verifying_needs_nothing_but_the_trust_folder(
    home: Path, run: Run, sealed: tuple[Path, str], tmp_path: Path
) -> None:
    """As on a verifier's own machine: no database, no keys, and none is created by looking."""
    done = run(
        "verify", sealed[0], "--trust", home / "data" / "trust", ABSAH_DATA_DIR=str(tmp_path / "empty")
    )
    assert "✓" in done.stdout
    assert not (tmp_path / "empty").exists()


def test_exit_status_tells_valid_from_not_valid_from_cannot_say(
    run: Run, sealed: tuple[Path, str], home: Path, tmp_path: Path
) -> None:
    altered = bytearray(sealed[0].read_bytes())
    altered[2000] ^= 1
    (tmp_path / "altered.pdf").write_bytes(bytes(altered))
    assert run("verify", sealed[0]).returncode == 0
    assert run("verify", tmp_path / "altered.pdf", check=False).returncode == 1
    assert run("verify", home / "in.pdf", check=False).returncode == 1
    assert run("verify", "7K3M9QXF7K3M9QXF", check=False).returncode == 1
    assert run("verify", "7K3M9QXF7K3M9QXF", "--offline", check=False).returncode == 2
    assert run("verify", tmp_path / "nowhere.pdf", check=False).returncode == 2
    assert run("verify", sealed[0], "--trust", tmp_path, check=False).returncode == 2


def test_the_verdict_as_json_is_what_the_api_answers(run: Run, sealed: tuple[Path, str]) -> None:
    verdict = json.loads(run("verify", sealed[0], "--json").stdout)
    assert verdict["outcome"] == "valid"
    assert verdict["document"]["number"] == "503/1"


def test_an_archive_gets_the_etsi_validation_report(
    run: Run, sealed: tuple[Path, str], tmp_path: Path
) -> None:
    run("verify", sealed[0], "--report", tmp_path / "report.xml")
    report = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert report.tag == "{http://uri.etsi.org/19102/v1.2.1#}ValidationReport"
    assert "total-passed" in ElementTree.tostring(report, encoding="unicode")


def test_a_refused_document_names_cause_and_field(run: Run, home: Path, tmp_path: Path) -> None:
    arguments = ["seal", home / "in.pdf", "-o", tmp_path / "x.pdf", "--title", "T", "--signatory", "S"]
    refused = run(*arguments, "--number", "3273010101900001", check=False)
    assert refused.returncode == 1
    assert "number:" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "x.pdf").exists()


def test_what_an_operator_lists(run: Run) -> None:
    assert "Dinas Contoh" in run("agency", "list").stdout
    assert "documents.issue:*" in run("client", "list", "dinas").stdout
    keys = run("keys", "list").stdout
    assert keys.count("active") == 9  # root, issuing, tsu, ocsp, receipt, two for tokens, wrapping, one seal
    assert "root-1" in run("ca", "show").stdout
    assert "issuing-1  number" in run("ca", "crl").stdout


def test_a_head_that_was_written_down_proves_the_past(run: Run) -> None:
    head = re.search(r"Head\s+(\S+)", run("audit", "verify").stdout)
    assert head is not None
    run("client", "add", "dinas", "--name", "another", "--scope", "documents.read")
    assert "whole" in run("audit", "verify", "--since", head[1]).stdout
    sequence, _, digest = head[1].partition(":")
    forged = f"{sequence}:{digest[:-1]}{'0' if digest[-1] != '0' else '1'}"
    broken = run("audit", "verify", "--since", forged, check=False)
    assert broken.returncode == 1
    assert "broken at entry" in broken.stderr
    assert "client.added" in run("audit", "show").stdout


def test_the_doctor_finds_nothing_broken_and_warns_of_stand_ins(run: Run) -> None:
    findings = json.loads(run("doctor", "--json").stdout)
    assert {finding["health"] for finding in findings} == {"ok", "warning"}
    assert all(finding["remedy"] for finding in findings if finding["health"] == "warning")
    parts = " ".join(finding["part"] for finding in findings)
    for part in ("python", "settings", "database", "storage", "key-encryption key", "clock", "fonts", "disk"):
        assert part in parts


def test_the_doctor_keeps_names_of_variables_whole_in_a_narrow_window(run: Run) -> None:
    told = run("doctor", COLUMNS="80").stdout
    assert max(map(len, told.splitlines())) <= 80
    for variable in ("ABSAH_KEYS_PASSPHRASE_FILE", "ABSAH_IDENTITY_ISSUER", "ABSAH_DATABASE_URL"):
        assert variable in told


def test_the_doctor_names_what_is_broken_and_the_remedy(run: Run, home: Path) -> None:
    kek = home / "data" / "keys" / "kek"
    kek.chmod(0o644)
    try:
        done = run("doctor", "--json", check=False)
    finally:
        kek.chmod(0o600)
    broken = [finding for finding in json.loads(done.stdout) if finding["health"] == "broken"]
    assert done.returncode == 1
    assert any("chmod 600" in finding["found"] for finding in broken)


def test_the_doctor_looks_into_the_list_of_breached_passwords(run: Run, tmp_path: Path) -> None:
    def found(**environ: str) -> list[str]:
        findings = json.loads(run("doctor", "--json", check=False, **environ).stdout)
        return [finding["health"] for finding in findings if finding["part"] == "breached passwords"]

    listed = tmp_path / "breached.txt"
    listed.write_text(f"{hashlib.sha1(b'rahasia').hexdigest().upper()}:17\n")
    assert found() == []
    assert found(ABSAH_IDENTITY_BREACHED_PASSWORDS_FILE=str(listed)) == ["ok"]
    listed.write_text("rahasia\n")
    assert found(ABSAH_IDENTITY_BREACHED_PASSWORDS_FILE=str(listed)) == ["broken"]


def test_the_doctor_of_an_empty_place_leaves_it_empty(run: Run, tmp_path: Path) -> None:
    done = run("doctor", ABSAH_DATA_DIR=str(tmp_path / "nothing"), check=False)
    assert done.returncode == 1
    assert "absah init" in done.stdout
    assert not (tmp_path / "nothing").exists()


def test_every_setting_is_listed(run: Run) -> None:
    listed = json.loads(run("doctor", "--settings", "--json").stdout)
    assert [setting["variable"] for setting in listed] == [setting.variable for setting in describe()]


@pytest.mark.parametrize(
    ("arguments", "settings", "words"),
    [
        (["serve"], {"ABSAH_DATA_DIR": "/nonexistent/x"}, "absah init"),
        (["serve"], {"ABSAH_ENV": "production"}, "ABSAH_KEYS_KEK_FILE"),
        (["keys", "list"], {"ABSAH_KEY_KEKFILE": "x"}, "Did you mean ABSAH_KEYS_KEK_FILE?"),
        (["agency", "add", "dinas", "--name", "X", "--organization-identifier", "NTRID-1"], {}, "already"),
        (["agency", "add", "x", "--name", "X", "--organization-identifier", "1"], {}, "EN 319 412-1"),
        (["client", "add", "nobody", "--name", "X"], {}, "absah agency list"),
        (["ca", "crl", "nothing-1"], {}, "nothing-1"),
    ],
)
def test_an_error_names_cause_and_remedy_without_a_traceback(
    arguments: list[str], settings: dict[str, str], words: str, run: Run
) -> None:
    done = run(*arguments, check=False, **settings)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_secret_that_was_shown_once_opens_the_token_endpoint(
    home: Path, run: Run, serve: Callable[..., object]
) -> None:
    client = json.loads((home / "client.json").read_text())
    server = serve({"ABSAH_DATA_DIR": str(home / "data")})
    answer = server.http.post(  # type: ignore[attr-defined]
        "/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(client["Client"], client["Secret"]),
    )
    assert answer.status_code == 200, answer.text
    assert client["Secret"] not in server.output()  # type: ignore[attr-defined]


def test_several_processes_count_together(home: Path, serve: Callable[..., object]) -> None:
    server = serve({"ABSAH_DATA_DIR": str(home / "data")}, "--workers", "2")
    for _ in range(20):
        with httpx.Client(base_url=server.base_url, trust_env=False) as client:  # type: ignore[attr-defined]
            assert client.get("/verify").status_code == 200
    expected = 'absah_http_requests_total{method="GET",route="/verify",status="200"} 20.0'
    # A request is counted after its answer is out, so the last one may be a moment behind.
    deadline = time.monotonic() + 10
    while expected not in server.http.get("/metrics").text:  # type: ignore[attr-defined]
        assert time.monotonic() < deadline, server.http.get("/metrics").text  # type: ignore[attr-defined]
        time.sleep(0.05)


def test_the_demo_starts_from_what_is_there(tmp_path: Path) -> None:
    settings = {"ABSAH_DATA_DIR": str(tmp_path / "demo"), "COLUMNS": "120"}
    first = absah("demo", "--only-prepare", settings=settings).stdout
    second = absah("demo", "--only-prepare", settings=settings).stdout
    links = re.findall(r"http://127\.0\.0\.1:8000/d/\w{16}", first)
    assert len(set(links)) == len(sample_documents())
    assert re.findall(r"http://127\.0\.0\.1:8000/d/\w{16}", second) == links
    assert "its secret" in first
    assert "its secret" not in second


def test_nobody_chooses_under_which_name_they_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for an act on a key does not approve it: the environment must not say who that is."""
    genuine = actor()
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "somebody-else")
    assert actor() == genuine != "cli:somebody-else"
