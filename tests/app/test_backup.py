"""A backup is taken while the service goes on, the machine is lost, and nothing is used twice afterwards."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pyotp
import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from app import schema
from app.backup import restoring
from app.backup.manifest import MANIFEST, read_manifest
from app.backup.restoring import Restored, floor_of, restore
from app.backup.taking import take
from app.database import Database
from app.demo import sample_documents
from app.errors import BackupFailed, BackupInvalid, DatabaseNotReady
from app.provisioning import certify_agency, publish_trust
from app.settings import Settings
from app.trail.anchors import AnchorRows
from app.trail.examining import examine, merged
from app.wiring import Core
from ca.model import CertificateStatus, ListScope, ProfileName, RevocationReason
from ca.tables import Certificates, Crls
from identity.factors.model import FactorKind
from identity.login.model import Answer, Device
from identity.people.registry import SAMPLE_RESIDENTS
from keys.approvals import KeyAct, RequestState
from keys.errors import KeyEncryptionKeyInvalid
from keys.model import KeyPurpose, KeyState
from keys.stores.kek import create_key_encryption_key
from signing.model import Document, DocumentFacts
from signing.ports import Caller
from tests.support.clock import FrozenClock
from tests.support.needs import tool_path
from tests.support.server import absah
from tests.support.shelf import Kind
from verify.verdict import Outcome

PDF = sample_documents()[0].pdf
PASSWORD = "belalang kupu-kupu siang makan nasi"
DEVICE = Device("103.10.66.7", "Mozilla/5.0 (Linux; Android 10; K) Chrome/142.0.0.0 Mobile Safari/537.36")
LISTS = ("root-1", "issuing-1", "issuing-1-p1")


def _seal(core: Core, number: str) -> tuple[Document, bytes]:
    caller = Caller("client-1", "dinas", "Dinas Contoh", frozenset({"documents.issue:*"}))
    facts = DocumentFacts("decree", number, "Penetapan", "Kepala", date(2026, 5, 1))
    document = core.sealing.seal(caller, facts, io.BytesIO(PDF), idempotency_key=None)
    with core.files.open(_sealed_key(core, document)) as file:
        return document, file.read()


def _sealed_key(core: Core, document: Document) -> str:
    (key,) = [stored.key for stored in core.files.under(f"sealed/{document.id}/")]
    return key


@dataclass
class Past:
    """What was, before and after the backup."""

    folder: Path
    published: Path
    document: Document
    sealed: bytes
    person_id: str
    totp: pyotp.TOTP
    recovery_codes: tuple[str, ...]
    approved: str
    numbers: dict[str, int] = field(default_factory=dict)
    serials: set[int] = field(default_factory=set)


@pytest.fixture
def empty_url(database_kind: Kind, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the service is to come back."""
    if database_kind == "sqlite":
        return f"sqlite:///{tmp_path / 'again' / 'absah.sqlite3'}"
    tool_path("postgres")
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def past(core: Core, clock: FrozenClock, tmp_path: Path) -> Past:
    """A service with a document and a citizen; a backup; then a day in which more happened."""
    citizens, resident = core.citizens, SAMPLE_RESIDENTS[0]
    opened = citizens.people.open_proofed(
        officer_id="officer", nik=resident.nik.reveal(), name=resident.name,
        birth_date=resident.birth_date, email="budi@contoh.id", language="id",
    )  # fmt: skip
    assert opened.activation_code is not None
    person = citizens.people.activate(opened.activation_code)
    half = citizens.login.begin_setup(person.id)
    citizens.factors.set_password(person.id, PASSWORD)
    setup = citizens.factors.begin_totp(person.id)
    totp = pyotp.TOTP(setup.secret_text.replace(" ", ""))
    citizens.factors.confirm_totp(person.id, setup.id, totp.at(clock()))
    codes = citizens.factors.renew_recovery_codes(person.id)
    citizens.login.finish_setup(half)
    clock.advance(timedelta(seconds=30))
    half = citizens.login.start(resident.nik.reveal(), PASSWORD, DEVICE)
    citizens.login.second(half, Answer(FactorKind.TOTP, totp.at(clock())), DEVICE)
    publish_trust(core)
    document, sealed = _seal(core, "1/2026")
    asked = core.dual_control.request(
        KeyAct.RETIRE, {"key": core.keys.newest(KeyPurpose.SEAL, "dinas").id}, requester="test"
    )
    folder = tmp_path / "backup"
    take(core, folder)
    made = Past(folder, tmp_path / "published", document, sealed, person.id, totp, codes, asked.id)
    clock.advance(timedelta(days=1))
    _live_on(core, made, clock)
    return made


def _live_on(core: Core, past: Past, clock: FrozenClock) -> None:
    """A compromise, a new seal, lists that were published, a code that was used."""
    with core.database.read() as tx:
        lost = Certificates(tx).newest_good(ProfileName.SEAL, "dinas")
    assert lost is not None
    since = clock() - timedelta(hours=30)
    core.revocation.revoke(lost.serial, RevocationReason.KEY_COMPROMISE, since, actor="test")
    core.keys.mark_compromised(lost.key_id)
    (agency,) = core.agencies.agencies()
    certify_agency(core, agency, actor="test")
    for _ in range(5):
        for name in LISTS:
            core.revocation.lists.issue(name)
    past.published.mkdir()
    with core.database.read() as tx:
        past.numbers = Crls(tx).last_numbers()
        past.serials = {
            record.serial for profile in ProfileName for record in Certificates(tx).of_profile(profile)
        }
    for name in LISTS:
        (past.published / f"{name}.crl").write_bytes(core.revocation.current_crl(name).der)
    assert core.citizens.factors.check_recovery_code(past.person_id, past.recovery_codes[0])


def _settings(core: Core, url: str, tmp_path: Path) -> Settings:
    """Another machine, with the key-encryption key from the safe."""
    home = tmp_path / "again" / "data"
    (home / "keys").mkdir(parents=True, mode=0o700)
    shutil.copy2(core.settings.kek_path, home / "keys" / "kek")
    return Settings(data_dir=home, database={"url": url})


@pytest.fixture
def restored(
    core: Core, past: Past, empty_url: str, tmp_path: Path, clock: FrozenClock
) -> Iterator[tuple[Core, Restored]]:
    clock.advance(timedelta(hours=1))
    with ExitStack() as closing:
        yield restore(
            _settings(core, empty_url, tmp_path),
            past.folder,
            lists=[past.published],
            actor="test",
            closing=closing,
            clock=clock,
        )


def test_the_rehearsal(
    core: Core, past: Past, restored: tuple[Core, Restored], clock: FrozenClock, subtests: pytest.Subtests
) -> None:
    again, done = restored
    with subtests.test("it is a whole service"):
        schema.require_current(again.database)
        again.require_initialised()
        again.keys_answer()

    with subtests.test("the same sequence of list numbers goes on, and no number is used again"):
        with again.database.read() as tx:
            issued = {name: Crls(tx).latest(_scope(name)) for name in LISTS}
        for name, record in issued.items():
            assert record is not None
            assert record.number > past.numbers[name]
            crl = x509.load_der_x509_crl(record.der)
            said = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
            assert said == record.number
            assert again.revocation.lists.issue(name).number == record.number + 1

    with subtests.test("what was revoked after the backup is revoked again, as of then"):
        with core.database.read() as tx, again.database.read() as tx_again:
            (before,) = [r for r in Certificates(tx).of_profile(ProfileName.SEAL) if r.reason is not None]
            after = Certificates(tx_again).by_serial(before.serial)
        assert after is not None
        assert after.status is CertificateStatus.REVOKED
        assert (after.reason, after.invalidity_date) == (before.reason, before.invalidity_date)
        assert after.revocation_date == before.revocation_date
        assert done.revoked == [before.name]
        assert done.suspended == [before.key_id]
        assert again.keys.get(before.key_id).state is KeyState.SUSPENDED
        listed = x509.load_der_x509_crl(again.revocation.current_crl("issuing-1").der)
        assert listed.get_revoked_certificate_by_serial_number(before.serial) is not None

    with subtests.test("no serial is used twice"):
        (agency,) = again.agencies.agencies()
        new = [certify_agency(again, agency, actor="test")]
        assert not {record.serial for record in new} & past.serials

    with subtests.test("old documents verify, and new ones are sealed"):
        verdict = again.verification.by_file(io.BytesIO(past.sealed))
        expected = core.verification.by_file(io.BytesIO(past.sealed))
        assert verdict.outcome is expected.outcome
        assert again.verification.by_id(past.document.id).outcome is not Outcome.UNKNOWN_ISSUER
        _, sealed = _seal(again, "2/2026")
        assert again.verification.by_file(io.BytesIO(sealed)).outcome is Outcome.VALID

    with subtests.test("the audit trail is whole, vouched for, and says that it was restored"):
        with again.database.read() as tx:
            found = examine(
                merged(again.audit.entries(tx), AnchorRows(tx).all()), trust=again.trust(), now=clock()
            )
            actions = [entry.action for entry in again.audit.entries(tx)]
        assert found.last is not None
        assert actions.count("service.restored") == 1
        head = int(done.manifest.head.partition(":")[0])
        assert actions.index("service.restored") == head

    with subtests.test("what counts once does not count again"):
        factors = again.citizens.factors
        for code in past.recovery_codes:
            assert not factors.check_recovery_code(past.person_id, code)
        for drift in (-30, 0, 30):
            assert not factors.check_totp(past.person_id, past.totp.at(clock() + timedelta(seconds=drift)))
        assert again.citizens.sessions.of(past.person_id) == ()
        assert done.ended["recovery codes"] == len(past.recovery_codes)
        assert done.ended["logins"] >= 1
        clock.advance(timedelta(minutes=2))
        assert factors.check_totp(past.person_id, past.totp.at(clock()))

    with subtests.test("what custodians agreed to, and may have been carried out since, is asked for anew"):
        assert again.dual_control.standing(past.approved).state is RequestState.REJECTED
        assert again.dual_control.ready() == []
        assert done.ended["requests for acts on keys"] == 1

    with subtests.test("uses of keys are counted on, from no less than the backup knew"):
        with_uses = again.keys.usage.of_all()
        key = again.keys.newest(KeyPurpose.ISSUING_CA)
        assert with_uses[key.id].uses > 0


def _scope(name: str) -> ListScope:
    issuer, _, partition = name.partition("-p")
    return ListScope(issuer, int(partition or 0))


def test_with_another_key_encryption_key_a_restore_is_refused_and_leaves_nothing_that_works(
    core: Core, past: Past, empty_url: str, tmp_path: Path, clock: FrozenClock
) -> None:
    settings = _settings(core, empty_url, tmp_path)
    settings.kek_path.unlink()
    with ExitStack() as closing, pytest.raises(KeyEncryptionKeyInvalid):
        restore(settings, past.folder, actor="test", closing=closing, clock=clock)
    create_key_encryption_key(settings.kek_path)  # nothing was put back so far: no need to empty anything
    with ExitStack() as closing, pytest.raises(BackupFailed, match="opens none of the"):
        restore(settings, past.folder, lists=[past.published], actor="test", closing=closing, clock=clock)
    database = Database.from_settings(settings)
    try:
        with pytest.raises(DatabaseNotReady, match="none"):
            schema.require_current(database)
    finally:
        database.close()


def test_a_restore_overwrites_nothing(core: Core, past: Past, clock: FrozenClock) -> None:
    with core.database.read() as tx:
        before = core.audit.head(tx)
    with ExitStack() as closing, pytest.raises(BackupFailed, match="not empty"):
        restore(core.settings, past.folder, actor="test", closing=closing, clock=clock)
    with core.database.read() as tx:
        assert core.audit.head(tx) == before
    with pytest.raises(BackupFailed, match="not empty"):
        take(core, past.folder)


def test_a_restore_that_was_cut_off_left_nothing_that_a_process_works_with(
    core: Core,
    past: Past,
    empty_url: str,
    tmp_path: Path,
    clock: FrozenClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(restoring, "_make_safe", die)
    settings = _settings(core, empty_url, tmp_path)
    with ExitStack() as closing, pytest.raises(Killed):
        restore(settings, past.folder, actor="test", closing=closing, clock=clock)
    database = Database.from_settings(settings)
    try:
        with pytest.raises(DatabaseNotReady, match="none"):
            schema.require_current(database)
    finally:
        database.close()


def test_a_backup_that_is_not_whole_is_not_restored(
    core: Core,
    past: Past,
    empty_url: str,
    tmp_path: Path,
    clock: FrozenClock,
    subtests: pytest.Subtests,
) -> None:
    settings = _settings(core, empty_url, tmp_path)
    manifest = read_manifest(past.folder)
    said = json.loads((past.folder / MANIFEST).read_bytes())

    def refused(folder: Path) -> str:
        with ExitStack() as closing, pytest.raises(BackupInvalid) as refusal:
            restore(settings, folder, actor="test", closing=closing, clock=clock)
        return str(refusal.value)

    def damaged(name: str) -> Path:
        return Path(shutil.copytree(past.folder, tmp_path / "damaged" / name, dirs_exist_ok=True))

    for number, name in enumerate(manifest.files):
        with subtests.test("one bit turned", file=name):
            folder = damaged(f"bit-{number}")
            content = bytearray((folder / name).read_bytes())
            content[len(content) // 2] ^= 1
            (folder / name).write_bytes(content)
            assert "is not what was written" in refused(folder)
    with subtests.test("a file is missing"):
        folder = damaged("missing")
        (folder / next(iter(manifest.files))).unlink()
        assert "is missing" in refused(folder)
    with subtests.test("it was never finished"):
        folder = damaged("unfinished")
        (folder / MANIFEST).unlink()
        assert "no manifest" in refused(folder)
    own = next(iter(manifest.files))
    for name, changed in {
        "newer": said | {"revision": "9999"},
        "form": said | {"absah-backup": 2},
        "way out": said | {"files": said["files"] | {"../../etc/passwd": [1, "0" * 64]}},
        "way around": said | {"files": said["files"] | {f"trust/../{own}": said["files"][own]}},
        "list": [],
        "no files": said | {"files": {}},
        "no zone": said | {"made_at": "2026-06-01T00:00:00"},
    }.items():
        with subtests.test("the manifest", of=name):
            folder = damaged(f"manifest-{name}")
            (folder / MANIFEST).write_text(json.dumps(changed))
            refused(folder)


@pytest.mark.either_database
def test_lists_of_strangers_revoke_nothing(
    core: Core, past: Past, empty_url: str, tmp_path: Path, clock: FrozenClock
) -> None:
    """A list of another house with the same names, and garbage."""
    other_home = tmp_path / "other"
    from app.provisioning import initialise

    with ExitStack() as closing:
        other = initialise(Settings(data_dir=other_home), closing=closing, actor="test", clock=clock)
        forged = other.revocation.current_crl("issuing-1").der
    for path in past.published.glob("*.crl"):
        path.write_bytes(forged)
    (past.published / "garbage.crl").write_bytes(b"\x30\x80garbage")
    with ExitStack() as closing:
        _, done = restore(
            _settings(core, empty_url, tmp_path), past.folder, lists=[past.published],
            actor="test", closing=closing, clock=clock,
        )  # fmt: skip
    assert set(done.strangers) == {*(f"{name}.crl" for name in LISTS), "garbage.crl"}
    assert done.revoked == []


@given(
    known=st.integers(0, 10**6),
    seen=st.integers(0, 10**7),
    seconds=st.integers(0, 10**7),
    rate=st.floats(0, 10),
)
def test_the_floor_is_above_every_number_that_can_have_been_used(
    known: int, seen: int, seconds: int, rate: float
) -> None:
    used = known + int(rate * seconds)
    floor = floor_of(known, seen, timedelta(seconds=seconds))
    assert floor >= max(used, seen)
    assert floor < 2**31 - 1  # the column's, with room for what comes


@pytest.mark.either_database
def test_a_backup_holds_no_key_that_opens_it(core: Core, past: Past) -> None:
    kek = core.settings.kek_path.read_bytes()
    for path in past.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert kek not in content
            assert kek.hex().encode() not in content
    assert (past.folder / "manifest.tst").stat().st_size > 500
    assert past.folder.stat().st_mode & 0o077 == 0


def test_operators_take_and_put_back_a_backup_by_two_commands(tmp_path: Path) -> None:
    lost, again = tmp_path / "lost", tmp_path / "again"
    absah("init", settings={"ABSAH_DATA_DIR": str(lost)})
    said = absah("backup", tmp_path / "backup", settings={"ABSAH_DATA_DIR": str(lost)}).stdout
    assert "Not in it:" in said
    (again / "keys").mkdir(parents=True)
    shutil.copy2(lost / "keys" / "kek", again / "keys" / "kek")
    settings = {"ABSAH_DATA_DIR": str(again)}
    said = absah("restore", tmp_path / "backup", "--lists", lost / "trust", settings=settings).stdout
    assert "issuing-1 goes on above number 1,0" in said
    assert absah("audit", "verify", settings=settings).returncode == 0
    refused = absah("restore", tmp_path / "backup", settings=settings, check=False)
    assert refused.returncode == 1
    assert "not empty" in refused.stderr
