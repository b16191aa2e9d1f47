"""A clock that nobody vouches for stops every time-stamp, says so everywhere, and starts nothing anew."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from app.demo import sample_documents
from app.doctor import Health, clock_finding, other_authority
from app.errors import SettingsInvalid
from app.main import build_app
from app.remembered import MAX_STALENESS
from app.settings import Settings
from app.wiring import Core, build_core
from ca.errors import ClockOutOfAccuracy, Doubt, RevocationRefused, TimeStampNotBelieved
from ca.model import ProfileName
from ca.tables import Certificates
from ca.timestampers.breaker import Circuit
from keys.model import KeyPurpose
from signing.model import DocumentState
from signing.tables import DocumentTable
from tests.app.compromise.conftest import forget
from tests.app.test_sealing_jobs import _by_key, _seal
from tests.ca.test_timestamping import failure, granted
from tests.ca.test_timestamping import request as time_stamp_request
from tests.conftest import Serve
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.support.needs import requires
from tests.support.ntp import Says, running_chrony, time_server
from tests.support.server import absah
from tests.support.stamping import ForeignPki, LyingTsa, Manners, served
from tests.support.tokens import bearer_token
from verify import any_shape
from verify.findings import Limits
from verify.seals import check_timestamp, read_seal
from verify.trust import read_trust_folder
from verify.verdict import Outcome, Reason, Verdict

pytestmark = pytest.mark.network
OFFSET = "absah_clock_offset_seconds "


class RunningClock(FrozenClock):
    """It goes on by itself, as the monotonic clock does that it is held against."""

    def __init__(self) -> None:
        super().__init__()
        self._started = time.monotonic()

    def __call__(self) -> datetime:
        return super().__call__() + timedelta(seconds=time.monotonic() - self._started)


@pytest.fixture
def clock() -> FrozenClock:
    return RunningClock()


@pytest.fixture
def says() -> Says:
    return Says()


@pytest.fixture
def watched(settings: Settings, clock: FrozenClock, says: Says) -> Iterator[Core]:
    """The service, its clock held against a server of time on this machine."""
    with time_server(clock, says) as address, ExitStack() as closing:
        section = settings.clock.model_copy(update={"servers": address})
        yield build_core(settings.model_copy(update={"clock": section}), closing=closing, clock=clock)


@pytest.fixture
def web(watched: Core) -> Iterator[InProcess]:
    with ExitStack() as closing:
        yield InProcess(build_app(watched, closing=closing))


def _ask(web: InProcess) -> bytes:
    answer = web.post(
        "/tsa", content=time_stamp_request(), headers={"Content-Type": "application/timestamp-query"}
    )
    assert answer.status_code == 200
    content: bytes = answer.content
    return content


@pytest.mark.either_database
def test_while_the_clock_is_right_time_is_told_and_the_metrics_say_how_right(
    watched: Core, web: InProcess, says: Says
) -> None:
    says.ahead = 0.2
    granted(_ask(web))
    assert web.get("/readyz").json()["time"] == "ok"
    numbers = dict(
        line.split(" ") for line in web.get("/metrics").text.splitlines() if line.startswith("absah_clock")
    )
    assert float(numbers["absah_clock_offset_seconds"]) == pytest.approx(-0.2, abs=0.05)
    assert 0 < float(numbers["absah_clock_uncertainty_seconds"]) < 0.1
    assert float(numbers["absah_clock_heard_seconds_ago"]) < 10


def test_while_the_clock_is_wrong_nothing_is_issued_and_what_waited_is_finished_afterwards(
    watched: Core, web: InProcess, says: Says
) -> None:
    scopes = ["documents.issue:*"]
    client = watched.agencies.add_client("dinas", name="test", scopes=scopes, actor="test")
    bearer = bearer_token(web, client)
    says.ahead = 3.0
    assert failure(_ask(web)) == "time_not_available"
    ready = web.get("/readyz")
    assert (ready.status_code, ready.json()["time"]) == (503, "ClockOutOfAccuracy")
    answer = web.post(
        "/v1/documents",
        headers={"Authorization": f"Bearer {bearer}", "Idempotency-Key": "once"},
        data={
            "metadata": '{"type": "decree", "number": "1/2026", "title": "Penetapan", "signatory": "Kepala",'
            ' "issued_on": "2026-05-01"}'
        },
        files={"file": ("a.pdf", sample_documents()[0].pdf, "application/pdf")},
    )
    problem = answer.json()
    assert (answer.status_code, problem["type"].rpartition("/")[2]) == (503, "time-not-available")
    assert "Retry-After" in answer.headers
    says.ahead = 0.0
    assert watched.clock_watch is not None
    watched.clock_watch.measure()
    granted(_ask(web))


@pytest.mark.either_database
def test_a_source_that_is_silent_from_the_start_gives_no_time(web: InProcess, says: Says) -> None:
    says.silent = True
    assert failure(_ask(web)) == "time_not_available"


def test_a_document_that_no_time_could_be_had_for_waits_and_is_finished_by_upkeep(
    watched: Core, clock: FrozenClock, says: Says
) -> None:
    says.ahead = -9.0
    with pytest.raises(ClockOutOfAccuracy):
        _seal(watched, key="once")
    assert _by_key(watched, "once").state is DocumentState.PENDING
    clock.advance(timedelta(seconds=121))
    says.ahead = 0.0
    assert watched.clock_watch is not None
    watched.clock_watch.measure()
    watched.sealing.finish_abandoned()
    assert _by_key(watched, "once").state is DocumentState.ISSUED


# --- other people's time ---------------------------------------------------------------------------------


@dataclass
class Abroad:
    """The service, with another authority before or behind its own."""

    core: Core
    pki: ForeignPki
    stamper: LyingTsa
    manners: Manners

    def seal(self, number: str) -> tuple[Verdict, x509.Certificate]:
        """Seal, and judge the file as anybody would; returns the unit that stamped it, too."""
        document = _seal(self.core, number)
        with self.core.files.open(document.sealed_key) as file:
            sealed = read_seal(file)
            unit, _, _ = check_timestamp(sealed)
            file.seek(0)
            return self.core.verification.by_file(file, thorough=True), unit


@cache
def _large_key(_: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 4096)


@pytest.fixture
def abroad(settings: Settings, clock: FrozenClock, request: pytest.FixtureRequest) -> Iterator[Abroad]:
    manners = Manners()
    with ExitStack() as closing:
        made: list[LyingTsa] = []
        origin = closing.enter_context(served(lambda *question: made[0](*question), manners))  # noqa: PLW0108 - it is made below
        pki = ForeignPki(origin, key=_large_key("authority"), now=clock)
        key = _large_key("unit")
        made.append(LyingTsa(pki, pki.unit(key), key))
        folder = settings.trust_dir / "time"
        folder.mkdir(parents=True)
        (folder / "root.pem").write_bytes(pki.root.public_bytes(Encoding.PEM))
        order = request.param.replace("abroad", f"{origin}/tsa")
        section = settings.tsa.model_copy(update={"order": order, "pause_seconds": 3600})
        changed = settings.model_copy(update={"tsa": section})
        yield Abroad(build_core(changed, closing=closing, clock=clock), pki, made[0], manners)


@pytest.mark.either_database
@pytest.mark.parametrize("abroad", ["abroad own"], indirect=True)
def test_what_another_authority_stamped_verifies_with_its_evidence_and_larger_token(abroad: Abroad) -> None:
    verdict, unit = abroad.seal("1/2026")
    assert unit == abroad.stamper.unit
    assert verdict.outcome is Outcome.VALID


@pytest.mark.either_database
@pytest.mark.parametrize("abroad", ["abroad own"], indirect=True)
def test_when_the_other_authority_fails_lies_or_is_away_our_own_stamps(abroad: Abroad) -> None:
    abroad.seal("1/2026")
    for number, fault in enumerate(({"status": 503}, {"status": 200, "nonce": 1}, {"status": 503}, {}), 2):
        for name, value in fault.items():
            setattr(abroad.manners if name == "status" else abroad.stamper, name, value)
        verdict, unit = abroad.seal(f"{number}/2026")
        assert unit != abroad.stamper.unit
        assert verdict.outcome is Outcome.VALID
    asked = len(abroad.manners.asked)
    abroad.seal("9/2026")
    assert len(abroad.manners.asked) == asked, "after three failures it is left alone"
    (authority,) = abroad.core.time_stamping.foreign
    assert authority.breaker.circuit is Circuit.OPEN


@pytest.mark.either_database
@pytest.mark.parametrize("abroad", ["own abroad"], indirect=True)
def test_when_our_own_unit_cannot_stamp_another_authority_does(abroad: Abroad) -> None:
    core = abroad.core
    _, unit = abroad.seal("1/2026")
    assert unit != abroad.stamper.unit
    assert abroad.manners.asked == [], "nobody else is asked while ours works"
    for key in core.keys.list():
        if key.purpose is KeyPurpose.TIMESTAMPING:
            core.keys.suspend(key.id)
    time.sleep(1.1)  # for so long a state is remembered
    verdict, unit = abroad.seal("2/2026")
    assert unit == abroad.stamper.unit
    assert verdict.outcome is Outcome.VALID


@pytest.mark.parametrize("abroad", ["abroad"], indirect=True)
def test_without_anybody_who_can_stamp_the_document_waits_and_says_why(abroad: Abroad) -> None:
    abroad.stamper.digest = bytes(32)
    with pytest.raises(TimeStampNotBelieved) as refused:
        _seal(abroad.core, key="once")
    assert refused.value.doubt is Doubt.IMPRINT
    assert _by_key(abroad.core, "once").state is DocumentState.PENDING


@pytest.mark.parametrize("abroad", ["abroad own"], indirect=True)
def test_whoever_is_trusted_with_the_time_is_not_trusted_with_seals(abroad: Abroad) -> None:
    trust = abroad.core.trust()
    assert abroad.pki.root in trust.every_time_anchor
    assert abroad.pki.root not in trust.every_anchor


@pytest.mark.either_database
@pytest.mark.parametrize("abroad", ["abroad own"], indirect=True)
def test_what_a_distrusted_unit_of_others_stamped_is_stamped_again_and_nothing_new_is_by_it(
    abroad: Abroad, settings: Settings, tmp_path: Path
) -> None:
    core = abroad.core
    document = _seal(core, "1/2026")
    sealed = tmp_path / "sealed.pdf"
    with core.files.open(document.sealed_key) as file:
        sealed.write_bytes(file.read())
    given = {"ABSAH_DATA_DIR": str(settings.home), "ABSAH_DATABASE_URL": settings.database_url}
    asked = absah("ca", "distrust", sealed, settings=given, check=False)
    assert (asked.returncode, "Believe none of its times" in asked.stdout) == (1, True)
    assert core.verification.by_id(document.id).reasons == (Reason.RECORD_ISSUED,)
    # 1. Distrusted: its times prove nothing, by the register and by the file alone; the documents stay valid.
    digest = hashlib.sha256(abroad.stamper.unit.public_bytes(Encoding.DER)).digest()
    assert core.distrust.of_unit(abroad.stamper.unit, actor="test")
    forget(core)
    verdict = core.verification.by_id(document.id)
    assert (verdict.outcome, Reason.TIME_NOT_PROVEN in verdict.reasons) == (Outcome.VALID, True)
    with sealed.open("rb") as file:
        (signature,) = core.verification.by_file(file, thorough=True).signatures
    assert not signature.time_is_proven
    # 2. Stamped again by whoever is left, by the command, as often as it is repeated.
    for count in (1, 0):
        said = absah("ca", "distrust", sealed, "--yes", settings=given).stdout
        assert f"Stamped anew  {count} documents" in said
    forget(core)
    assert core.verification.by_id(document.id).reasons == (Reason.RECORD_ISSUED,)
    with core.database.read() as tx:
        ((_, unit),) = DocumentTable(tx).archived(document.id)
    assert unit != digest
    # 3. It stamps nothing any more, and those who verify without us are told.
    time.sleep(MAX_STALENESS)  # it was the command that distrusted it, and the service learns it by then
    _, unit_now = abroad.seal("2/2026")
    assert unit_now != abroad.stamper.unit
    assert read_trust_folder(settings.trust_dir).distrusted == (abroad.stamper.unit,)


@pytest.mark.parametrize("abroad", ["abroad own"], indirect=True)
def test_only_units_of_others_are_distrusted(abroad: Abroad) -> None:
    core = abroad.core
    with core.database.read() as tx:
        (ours,) = Certificates(tx).of_profile(ProfileName.TIMESTAMPING)
        (seal,) = Certificates(tx).of_profile(ProfileName.SEAL)
    for certificate, words in ((ours, "absah keys compromise"), (seal, "time-stamping unit")):
        with pytest.raises(RevocationRefused, match=words):
            core.distrust.of_unit(x509.load_der_x509_certificate(certificate.der), actor="test")
    with pytest.raises(RevocationRefused, match="take its root out"):
        core.distrust.of_unit(abroad.pki.root, actor="test")


def test_a_password_is_not_sent_in_the_clear(settings: Settings, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine tsa.example login absah password rahasia\n")
    for scheme, fits in (("http", False), ("https", True)):
        section = settings.tsa.model_copy(
            update={"order": f"own {scheme}://tsa.example/tsr", "netrc_file": netrc}
        )
        with ExitStack() as closing:
            if fits:
                build_core(settings.model_copy(update={"tsa": section}), closing=closing)
            else:
                with pytest.raises(SettingsInvalid, match="in the clear") as refused:
                    build_core(settings.model_copy(update={"tsa": section}), closing=closing)
                assert "rahasia" not in str(refused.value)


@pytest.mark.parametrize("abroad", ["own abroad"], indirect=True)
def test_the_doctor_asks_every_other_authority_and_says_what_is_wrong(abroad: Abroad) -> None:
    (authority,) = abroad.core.time_stamping.foreign
    assert other_authority(authority).health is Health.OK
    abroad.stamper.nonce = 1
    authority._chain = None  # as another process finds it
    found = other_authority(authority)
    assert found.health is Health.BROKEN
    assert "nonce" in found.found
    assert found.remedy


def test_the_doctor_measures_the_clock(watched: Core, says: Says) -> None:
    for ahead, health in ((0.1, Health.OK), (70.0, Health.BROKEN)):
        says.ahead = ahead
        found = clock_finding(watched.settings, watched.database, clock=watched.clock)
        assert found.health is health, found
        assert "127.0.0.1" in found.found


@pytest.mark.either_database
@pytest.mark.parametrize("abroad", ["abroad own"], indirect=True)
def test_pyhanko_agrees_on_a_file_that_another_authority_stamped(abroad: Abroad) -> None:
    document = _seal(abroad.core)
    with abroad.core.files.open(document.sealed_key) as file:
        trust, now = abroad.core.trust(), abroad.core.clock()
        found = any_shape.validate(file, trust=trust, now=now, limits=Limits())
        (signature,) = found.signatures
        assert signature.outcome is Outcome.VALID, signature
        assert signature.time_is_proven
        # Without that anchor the time is nobody's, for pyHanko and for us.
        without = dataclasses.replace(trust, time_anchors=())
        (signature,) = any_shape.validate(file, trust=without, now=now, limits=Limits()).signatures
        assert not signature.time_is_proven


# --- as it is served -------------------------------------------------------------------------------------


@pytest.mark.either_database
@requires("chronyd")
def test_a_served_process_watches_its_clock_and_stamps(
    settings: Settings, serve: Serve, tmp_path: Path
) -> None:
    with running_chrony(tmp_path) as address:
        server = serve(
            {
                "ABSAH_DATA_DIR": str(settings.data_dir),
                "ABSAH_DATABASE_URL": settings.database_url,
                "ABSAH_CLOCK_SERVERS": address,
                "ABSAH_SERVER_UPKEEP": "false",
            }
        )
        asked = time_stamp_request(nonce=3, cert_req=True)
        answers = [server.http.post("/tsa", content=asked).content for _ in range(20)]
        assert len({granted(answer).dump() for answer in answers}) == 20
        shown = server.http.get("/metrics").text
        offset = float(next(line.split()[1] for line in shown.splitlines() if line.startswith(OFFSET)))
        assert abs(offset) < 0.5
    assert server.http.get("/readyz").json()["time"] == "ok", "what was heard a moment ago still counts"
