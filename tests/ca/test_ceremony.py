"""A ceremony: reviewed as a whole, rehearsed, confirmed step by step, and told by a signed transcript."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca import tables as ca_tables
from ca.ceremony.conduct import Held, Planned, hold, read_inputs, rehearse
from ca.ceremony.home import Home, open_home
from ca.ceremony.script import Script, read_script
from ca.ceremony.transcript import read_transcript
from ca.errors import CeremonyRefused, TranscriptInvalid
from ca.model import CertificateRecord, ProfileName, RevocationReason
from ca.superiors import Superiors
from ca.tables import Certificates
from keys import tables as key_tables
from keys.errors import KeyUnavailable
from keys.stores.kek import PassphraseKey
from tests.ca.conftest import Pki, make_pki, run
from tests.keys.conftest import audit_metadata
from tests.support.clock import FrozenClock
from tests.support.databases import tables_in
from tests.support.needs import ROOT, requires
from tests.support.pkilint import pkilint

EVERYBODY = ["master", "custodian-1", "custodian-2"]


@cache
def in_yaml(content: str) -> bytes:
    # Out of JSON nothing is shared, so that nothing is written as an alias.
    return yaml.safe_dump(json.loads(content), allow_unicode=True, sort_keys=False).encode()


script_of = cache(read_script)
"""People and steps look at the script hundreds of times, and YAML is slow to read."""


@pytest.fixture(autouse=True)
def _cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they cost a guesser is tested where they are made: ``tests/keys/test_software_store.py``."""
    monkeypatch.setattr(PassphraseKey, "kdf", "scrypt:4:8:1")


@dataclass
class Stage:
    """The machine's folder beside the script, and the people."""

    folder: Path
    clock: FrozenClock
    content: dict[str, Any]
    refuses: Callable[[Planned, str], bool] = lambda planned, role: False
    asked: list[tuple[int, str]] = field(default_factory=list)

    @property
    def text(self) -> bytes:
        return in_yaml(json.dumps(self.content))

    @property
    def script(self) -> Script:
        return script_of(self.text)

    @property
    def home(self) -> Home:
        script = self.script
        return open_home(self.folder / script.home, script.custody, self.folder)

    def rehearsed(self) -> list[Planned]:
        script = self.script
        inputs = read_inputs(script, self.folder)
        return rehearse(script, self.home, inputs, beside=self.folder, now=self.clock())

    def held(self) -> Held:
        planned, script, home = self.rehearsed(), self.script, self.home
        return hold(
            script,
            home,
            read_inputs(script, self.folder),
            planned,
            script_sha256=hashlib.sha256(self.text).hexdigest(),
            beside=self.folder,
            software="absah test",
            clock=self.clock,
            confirm=self._confirm,
        )

    def _confirm(self, planned: Planned, role: str, person: str) -> bool:
        assert self.script.roles[role] == person
        self.asked.append((planned.step.number, role))
        return not self.refuses(planned, role)

    def bring(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)
        self.content.setdefault("inputs", {})[name] = hashlib.sha256(content).hexdigest()

    def next_script(self, *steps: dict[str, Any]) -> None:
        self.content["steps"] = [{"confirmed_by": EVERYBODY} | step for step in steps]
        self.content.pop("inputs", None)

    def published(self, name: str, folder: str = "published") -> bytes:
        return (self.folder / folder / name).read_bytes()


@pytest.fixture
def service(clock: FrozenClock, tmp_path: Path) -> Iterator[Pki]:
    """An online service that has no hierarchy yet."""
    home = tmp_path / "service"
    home.mkdir()
    tables = (key_tables.metadata, ca_tables.metadata, audit_metadata)
    with tables_in(f"sqlite:///{home / 'ca.db'}", *tables) as begin:
        yield make_pki(begin, clock, home)


@pytest.fixture
def stage(service: Pki, clock: FrozenClock, tmp_path: Path) -> Stage:
    """The example of the documentation, with the request of a real service."""
    folder = tmp_path / "machine"
    folder.mkdir()
    passphrase = folder / "passphrase"
    passphrase.write_text("satu dua tiga empat lima enam")
    passphrase.chmod(0o600)
    made = Stage(folder, clock, yaml.safe_load((ROOT / "examples" / "ceremony.yaml").read_text()))
    made.content["hierarchy"]["base_url"] = service.config.base_url
    made.bring("issuing-1.csr", superiors(service).request().der)
    return made


def superiors(pki: Pki) -> Superiors:
    return Superiors(begin=pki.begin, keys=pki.keys, clock=pki.clock, audit=pki.audit, config=pki.config)


def certificate(stage: Stage, name: str, folder: str = "published") -> x509.Certificate:
    return x509.load_der_x509_certificate(stage.published(f"{name}.crt", folder))


# --- the whole way -----------------------------------------------------------------------------------


def test_the_example_makes_a_root_and_a_service_stands_below_it(stage: Stage, service: Pki) -> None:
    done = stage.held()
    assert done.broken_off == ""
    assert stage.asked[:4] == [(1, "master"), (1, "custodian-1"), (1, "custodian-2"), (2, "master")]
    installed = superiors(service).install(
        [certificate(stage, "issuing-1"), certificate(stage, "root-1")],
        [stage.published("root-1.crl")],
        root=certificate(stage, "root-1"),
    )
    assert [record.name for record in installed.certificates] == ["root-1", "issuing-1"]
    service.hierarchy.init()
    seal = service.seal()
    assert seal.issuer == "issuing-1"
    assert service.record(ProfileName.ROOT).key_is_elsewhere
    # What stands in the certificates is where the service publishes them.
    issuing = certificate(stage, "issuing-1")
    points = issuing.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    (address,) = points[0].full_name or []
    assert address.value == f"{service.config.base_url}/pki/root-1.crl"


@requires("openssl")
def test_openssl_and_pkilint_are_content_with_what_a_ceremony_makes(stage: Stage, service: Pki) -> None:
    stage.held()
    folder = stage.folder
    for name in ("root-1", "issuing-1"):
        path = folder / f"{name}.pem"
        path.write_bytes(certificate(stage, name).public_bytes(Encoding.PEM))
        lint = pkilint("lint_pkix_cert", "lint", "-s", "WARNING", path)
        assert (lint.returncode, lint.stdout.strip()) == (0, ""), lint.stdout + lint.stderr
    crl = x509.load_der_x509_crl(stage.published("root-1.crl"))
    (folder / "root-1.crl.pem").write_bytes(crl.public_bytes(Encoding.PEM))
    lint = pkilint(
        "lint_crl", "lint", "-t", "ARL", "-p", "PKIX", "-s", "WARNING", folder / "published" / "root-1.crl"
    )
    assert (lint.returncode, lint.stdout.strip()) == (0, ""), lint.stdout + lint.stderr
    said = run(
        "openssl", "verify", "-x509_strict", "-crl_check", "-attime", str(int(service.clock().timestamp())),
        "-CAfile", folder / "root-1.pem", "-CRLfile", folder / "root-1.crl.pem", folder / "issuing-1.pem",
    )  # fmt: skip
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_later_ceremony_signs_the_list_anew_and_revokes(stage: Stage) -> None:
    stage.held()
    stage.clock.advance(timedelta(days=100))
    stage.next_script(
        {"do": "revoke", "name": "issuing-1", "reason": "ca-compromise", "since": "2026-06-01T00:00+07:00"},
        {"do": "sign-list", "issuer": "root-1", "valid_days": 90},
        {"do": "publish", "folder": "second"},
    )
    stage.held()
    crl = x509.load_der_x509_crl(stage.published("root-1.crl", "second"))
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 2
    (entry,) = crl
    assert entry.serial_number == certificate(stage, "issuing-1").serial_number
    assert f"{entry.revocation_date_utc:%Y-%m-%d %H:%M}" == "2026-05-31 17:00"


def test_a_loss_that_turns_out_to_be_earlier_is_dated_back_by_a_ceremony_and_by_who_takes_its_list(
    stage: Stage, service: Pki
) -> None:
    stage.held()
    taken = [certificate(stage, name) for name in ("root-1", "issuing-1")]
    superiors(service).install(taken, [stage.published("root-1.crl")], root=taken[0])

    def revoked(folder: str, reason: str, **since: str) -> tuple[x509.RevokedCertificate, CertificateRecord]:
        stage.clock.advance(timedelta(days=10))
        stage.next_script(
            {"do": "revoke", "name": "issuing-1", "reason": reason, **since},
            {"do": "sign-list", "issuer": "root-1", "valid_days": 90},
            {"do": "publish", "folder": folder},
        )
        stage.held()
        encoded = stage.published("root-1.crl", folder)
        superiors(service).install([], [encoded])
        (entry,) = x509.load_der_x509_crl(encoded)
        with service.begin() as tx:
            record = Certificates(tx).by_serial(entry.serial_number)
        assert record is not None
        return entry, record

    first, record = revoked("second", "superseded")
    assert (record.reason, record.invalidity_date) == (RevocationReason.SUPERSEDED, None)
    found_out = record.revoked_at
    for folder, since in (("third", "2026-06-05T00:00+00:00"), ("fourth", "2026-06-03T00:00+00:00")):
        entry, record = revoked(folder, "ca-compromise", since=since)
        assert entry.revocation_date_utc == datetime.fromisoformat(since) < first.revocation_date_utc
        assert record.reason is RevocationReason.CA_COMPROMISE
        assert (record.revoked_at, record.invalidity_date) == (found_out, datetime.fromisoformat(since))
    for reason, later in (
        ("ca-compromise", "2026-06-04T00:00+00:00"),
        ("superseded", "2026-06-02T00:00+00:00"),
    ):
        with pytest.raises(CeremonyRefused, match="only for a loss"):
            revoked("fifth", reason, since=later)


def test_a_new_root_and_the_old_one_certify_each_other_and_the_service_takes_both(
    stage: Stage, service: Pki
) -> None:
    stage.held()
    first = certificate(stage, "root-1")
    superiors(service).install([certificate(stage, "issuing-1"), first], [stage.published("root-1.crl")])
    service.hierarchy.init()
    stage.clock.advance(timedelta(days=20))
    stage.next_script(
        {"do": "generate-root", "name": "root-2"},
        {"do": "cross-certify", "old": "root-1", "new": "root-2"},
        {"do": "sign-list", "issuer": "root-1", "valid_days": 90},
        {"do": "sign-list", "issuer": "root-2", "valid_days": 90},
        {"do": "publish", "folder": "second"},
    )
    stage.held()
    second = certificate(stage, "root-2", "second")
    assert second.subject == first.subject
    links = [certificate(stage, f"root-{a}-by-root-{b}", "second") for a, b in ((2, 1), (1, 2))]
    done = superiors(service).install(
        [second, *links],
        [stage.published("root-1.crl", "second"), stage.published("root-2.crl", "second")],
        root=second,
    )
    assert [record.name for record in done.certificates] == ["root-2", "root-2-by-root-1", "root-1-by-root-2"]
    assert {entry.issuer for entry in done.lists} == {"root-1", "root-2"}


@requires("softhsm2-util")
def test_the_root_may_live_in_a_token(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.support.hsm import running_hsm

    with running_hsm(monkeypatch) as hsm:
        address = hsm.address()
        shutil.copy(address.pin_file, stage.folder / "pin")
        (stage.folder / "pin").chmod(0o600)
        stage.content["custody"] = {
            "kind": "token",
            "module": str(address.module),
            "token": address.label,
            "pin_file": "pin",
        }
        _held_in_the_token(stage)


def _held_in_the_token(stage: Stage) -> None:
    assert stage.held().broken_off == ""
    assert not list((stage.folder / "root").glob("**/*.key"))
    transcript = read_transcript((stage.folder / "transcript-1.json").read_bytes())
    assert transcript.content["key_store"] == "pkcs11"


# --- before anything happens -------------------------------------------------------------------------


def test_a_rehearsal_names_every_act_and_file_and_writes_nothing(stage: Stage) -> None:
    before = sorted(stage.folder.rglob("*"))
    planned = stage.rehearsed()
    assert [plan.step.act for plan in planned] == ["generate-root", "issue", "sign-list", "publish"]
    assert planned[1].files == ("issuing-1.crt",)
    assert "CN=Absah Development Issuing CA" in planned[1].words
    assert set(planned[3].files) == {"root-1.crt", "issuing-1.crt", "issuing-1-chain.pem", "root-1.crl"}
    assert sorted(stage.folder.rglob("*")) == before


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no witness": (lambda c: c.update(witnesses=[]), "witness"),
    "one person with two parts": (lambda c: c["roles"].update(master="Budi Santoso"), "two parts"),
    "one person confirms alone": (
        lambda c: c["steps"][0].update(confirmed_by=["master"]),
        "at least 2 roles",
    ),
    "a role that nobody has": (lambda c: c["steps"][0].update(confirmed_by=["master", "king"]), "nobody has"),
    "a role named twice": (
        lambda c: c["steps"][0].update(confirmed_by=["master", "master"]),
        "each named once",
    ),
    "an unknown act": (lambda c: c["steps"][0].update(do="export-key"), "do is one of"),
    "an unknown field": (lambda c: c["steps"][0].update(force="yes"), "means nothing here"),
    "a missing field": (lambda c: c["steps"][1].pop("request"), "request is missing"),
    "a file elsewhere": (lambda c: c["steps"][3].update(folder="../outside"), "form"),
    "an absolute home": (lambda c: c.update(home="/root"), "form"),
    "an input that no step uses": (lambda c: c["steps"].pop(1), "no step uses"),
    "a request that is no input": (lambda c: c["inputs"].clear(), "not among the inputs"),
    "another input than reviewed": (
        lambda c: c["inputs"].update({"issuing-1.csr": "0" * 64}),
        "not the one that the script was written for",
    ),
    "an issuer that is made later": (lambda c: c["steps"].insert(0, c["steps"].pop(1)), "no root-1 here"),
    "the same root twice": (lambda c: c["steps"].insert(1, dict(c["steps"][0])), "exists already"),
    "a list for ever": (lambda c: c["steps"][2].update(valid_days=4000), "1 to 400 days"),
    "a revocation of nothing": (
        lambda c: c["steps"].append(
            {"do": "revoke", "name": "issuing-7", "reason": "superseded", "confirmed_by": EVERYBODY}
        ),
        "no certificate that a root here issued",
    ),
    "an origin over TLS": (lambda c: c["hierarchy"].update(base_url="https://pki.example"), "hierarchy"),
    "another version": (lambda c: c.update(version=2), "version"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_script_that_contradicts_itself_is_refused_before_anything_happens(stage: Stage, case: str) -> None:
    change, words = WRONG[case]
    change(stage.content)
    with pytest.raises(CeremonyRefused, match=words):
        stage.rehearsed()
    assert not (stage.folder / "root").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"a: &x 1\nb: *x\n", "aliases"),
        (b"version: 1\nversion: 1\n", "twice"),
        (b"title: !!python/object/apply:os.system ['true']\n", "plain YAML"),
        (b"\xff\xfe", "plain YAML"),
        (b"[" * 3000, "plain YAML"),
        (b"- 1\n", "names with values"),
        (b"#" * 300_000, "longer than anybody"),
    ],
)
def test_yaml_that_hides_what_it_says_is_refused(text: bytes, words: str) -> None:
    with pytest.raises(CeremonyRefused, match=words):
        read_script(text)


def test_a_request_whose_key_is_not_proven_is_refused_in_the_rehearsal(stage: Stage) -> None:
    request = bytearray((stage.folder / "issuing-1.csr").read_bytes())
    request[-3] ^= 1
    stage.bring("issuing-1.csr", bytes(request))
    with pytest.raises(CeremonyRefused, match=r"step 2 .* not signed with the key"):
        stage.rehearsed()


def test_what_exists_is_never_made_again_or_overwritten(stage: Stage) -> None:
    stage.held()
    with pytest.raises(CeremonyRefused, match="root-1 exists already"):
        stage.rehearsed()
    stage.next_script({"do": "publish", "folder": "published"})
    with pytest.raises(CeremonyRefused, match="folder published exists"):
        stage.rehearsed()


def test_the_wrong_passphrase_opens_nothing(stage: Stage) -> None:
    stage.held()
    (stage.folder / "passphrase").write_text("another passphrase altogether")
    stage.next_script({"do": "sign-list", "issuer": "root-1", "valid_days": 90})
    with pytest.raises(KeyUnavailable):
        stage.held()


# --- the day itself ----------------------------------------------------------------------------------


def test_who_does_not_confirm_ends_it_and_the_transcript_says_so(stage: Stage) -> None:
    stage.refuses = lambda planned, role: planned.step.number == 2 and role == "custodian-2"
    done = stage.held()
    assert done.broken_off == "Ratna Dewi (custodian-2) did not confirm step 2"
    told = read_transcript(done.path.read_bytes()).content
    assert told["outcome"] == done.broken_off
    assert [step["number"] for step in told["steps"]] == [1, 2]
    assert [one["role"] for one in told["steps"][1]["confirmed"]] == ["master", "custodian-1"]
    assert told["steps"][1]["outputs"] == []
    assert not (stage.folder / "published").exists()
    # What was done stays done, and the next script says what is left.
    assert list(stage.home.certificates) == ["root-1"]


def test_transcripts_form_a_chain_under_one_key(stage: Stage) -> None:
    first = stage.held()
    stage.next_script({"do": "sign-list", "issuer": "root-1", "valid_days": 90})
    second = stage.held()
    assert second.key == first.key
    told = read_transcript(second.path.read_bytes()).content
    assert told["previous"] == hashlib.sha256(first.path.read_bytes()).hexdigest()


def test_a_transcript_tells_every_file_and_who_confirmed_it(stage: Stage) -> None:
    done = stage.held()
    told = read_transcript(done.path.read_bytes())
    assert told.key == done.key
    for name, digest in told.outputs.items():
        assert hashlib.sha256(stage.published(name)).hexdigest() == digest
    assert told.content["inputs"][0]["sha256"] == stage.content["inputs"]["issuing-1.csr"]
    assert told.content["script_sha256"] == hashlib.sha256(stage.text).hexdigest()
    assert [one["name"] for one in told.content["steps"][2]["confirmed"]] == ["Budi Santoso", "Ratna Dewi"]


def test_an_altered_transcript_is_found_out(stage: Stage) -> None:
    text = stage.held().path.read_bytes()
    whole = json.loads(text)
    for alter in (
        lambda w: w["transcript"].update(place="Elsewhere"),
        lambda w: w["transcript"]["steps"][0]["confirmed"].pop(),
        lambda w: w["transcript"].update(extra=1),
        lambda w: w.update(extra=1),
        lambda w: w["signature"].update(algorithm="none"),
        lambda w: w["signature"].update(value="AAAA"),
        lambda w: w["signature"].pop("public_key"),
    ):
        changed = json.loads(json.dumps(whole))
        alter(changed)
        with pytest.raises(TranscriptInvalid):
            read_transcript(json.dumps(changed).encode())
    doubled = text.replace(b'"transcript":', b'"transcript": {}, "transcript":', 1)
    for broken in (b"", b"[]", b"null", b"{" * 5000, doubled, text[:-20]):
        with pytest.raises(TranscriptInvalid):
            read_transcript(broken)
    assert read_transcript(json.dumps(whole).encode()).content == whole["transcript"]  # layout means nothing


def test_a_register_that_was_cut_short_is_refused_with_the_remedy(stage: Stage) -> None:
    stage.held()
    register = stage.folder / "root" / "register.json"
    register.write_bytes(register.read_bytes()[:-40])
    with pytest.raises(CeremonyRefused, match="bring the copy back"):
        stage.home.signing_key()


# --- as it is typed ----------------------------------------------------------------------------------


def typed(*arguments: str | Path, answers: str = "") -> tuple[int, str]:
    """In this process, where opening a socket fails the test: a ceremony needs no network."""
    from typer.testing import CliRunner

    from app.cli.main import cli

    done = CliRunner().invoke(cli, [str(argument) for argument in arguments], input=answers)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_the_command_asks_each_person_for_their_name_and_the_transcript_is_checked(stage: Stage) -> None:
    script = stage.folder / "ceremony.yaml"
    script.write_bytes(stage.text)
    code, said = typed("ca", "ceremony", script, "--dry-run")
    assert code == 0
    assert "nothing was written" in said
    assert not (stage.folder / "root").exists()
    people = ["Siti Rahma", "Budi Santoso", "ratna  dewi"]
    answers = [people[0], *people, *people, *people[1:], *people[:2]]
    code, said = typed("ca", "ceremony", script, answers="\n".join(answers) + "\n")
    assert code == 0, said
    transcript = stage.folder / "transcript-1.json"
    key = read_transcript(transcript.read_bytes()).key
    assert key in said.replace("\n", "")
    published = stage.folder / "published"
    code, said = typed("ca", "transcript", transcript, "--key", key, "--folder", published)
    assert code == 0, said
    assert "all 4 files are as the ceremony wrote them" in said
    (published / "root-1.crt").write_bytes(b"another")
    code, said = typed("ca", "transcript", transcript, "--folder", published)
    assert code == 1
    assert "ALTERED" in said
    with pytest.raises(TranscriptInvalid, match="another key"):
        typed("ca", "transcript", transcript, "--key", "00" * 32)


def test_a_wrong_name_ends_it_before_or_during(stage: Stage) -> None:
    script = stage.folder / "ceremony.yaml"
    script.write_bytes(stage.text)
    code, said = typed("ca", "ceremony", script, answers="Somebody\n")
    assert code == 1
    assert "Nothing was done" in said
    assert not (stage.folder / "root").exists()
    code, said = typed("ca", "ceremony", script, answers="Siti Rahma\nSiti Rahma\nSiti Rahma\n")
    assert code == 1
    assert "did not confirm step 1" in said


def test_a_ceremony_loads_neither_database_nor_server(stage: Stage) -> None:
    import subprocess

    script = stage.folder / "ceremony.yaml"
    script.write_bytes(stage.text)
    program = (
        "import sys; from app.cli.main import cli\n"
        f"try: cli(['ca', 'ceremony', {str(script)!r}, '--dry-run'])\n"
        "except SystemExit as done: assert not done.code\n"
        "loaded = {'fastapi', 'app.wiring', 'app.database', 'httpx', 'psycopg'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
