"""Certificates as people look after them: the table, ``/v1/ca``, and the pages. Auditors look and no more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from app.certifying.words import WORDS
from app.cli import certificates
from app.doctor import certificate_findings
from app.provisioning import certify_request
from app.settings import Environment
from app.wiring import Core
from ca.errors import IssuanceRefused
from ca.model import CertificateStatus, ProfileName, RevocationReason
from ca.overview import Due, Use, overview
from ca.tables import Certificates
from identity.factors.model import FactorKind
from identity.operators.model import Role
from identity.provider.portals import PortalRegistration
from tests.app.conftest import inhabited
from tests.app.test_key_requests_api import is_problem
from tests.app.test_signatories import CALLBACK, Desk
from tests.app.walker import Walker, appoint, facts_of, give_passkey, log_in, person
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.support.estate import Estate

pytestmark = pytest.mark.either_database


@dataclass
class Caller:
    """Somebody's program, with their access token."""

    api: InProcess
    walker: Walker
    portal: Any
    token: str

    def get(self, path: str) -> httpx.Response:
        return self.api.get(f"/v1/ca{path}", headers=self._headers())

    def post(self, path: str, body: object = None) -> httpx.Response:
        return self.api.post(f"/v1/ca{path}", headers=self._headers(), json=body)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return inhabited(tmp_path_factory.mktemp("estate"), _gather)


@pytest.fixture
def team(estate: Estate, core: Core, api: InProcess, clock: FrozenClock) -> dict[str, Caller]:
    team: dict[str, Caller] = estate.remembered(core, clock, api)
    return team


def _gather(core: Core, api: InProcess, clock: FrozenClock) -> dict[str, Caller]:
    registration = PortalRegistration(
        agency_id="dinas",
        name="Meja Sertifikat",
        redirect_uris=(CALLBACK,),
        scopes=frozenset({"openid", "certificates"}),
    )
    portal = core.provider.portals.add(registration, actor="test")
    made = {}
    for serial, (name, role) in enumerate(
        {"auditor": Role.AUDITOR, "admin": Role.CA_ADMINISTRATOR, "custodian": Role.KEY_CUSTODIAN}.items(),
        start=1,
    ):
        walker = person(core, api, clock, serial, name=name.capitalize())
        if role is Role.AUDITOR:
            give_passkey(core, walker.person_id)
        appoint(core, walker, role)
        log_in(core, walker, (FactorKind.PASSKEY,))
        token = Desk(core, api, walker, portal).authorize(scope="openid certificates")
        made[name] = Caller(api, walker, portal, token)
    return made


def seal_of(core: Core, agency: str = "dinas") -> str:
    with core.database.read() as tx:
        record = Certificates(tx).newest_good(ProfileName.SEAL, agency)
    assert record is not None
    return record.name


# --- /v1/ca ------------------------------------------------------------------------------------------


def test_an_administrator_lists_reads_holds_releases_and_revokes(core: Core, team: dict[str, Caller]) -> None:
    admin, name = team["admin"], seal_of(core)
    listed = admin.get("/certificates?profile=seal").json()
    assert [one["name"] for one in listed] == [name]
    assert (listed[0]["use"], listed[0]["due"], listed[0]["owner"]) == ("in use", "renew", "dinas")
    assert admin.get("/certificates?due=true").json() == []
    assert admin.get("/certificates?limit=1&offset=1").json()[0]["name"] == "issuing-1"
    held = admin.post(f"/certificates/{name}/hold").json()
    assert (held["status"], held["use"], held["due"]) == ("on-hold", "on hold", "decide")
    assert [one["name"] for one in admin.get("/certificates?due=true").json()] == [name]
    assert admin.post(f"/certificates/{name}/release").json()["status"] == "good"
    since = core.clock() - timedelta(hours=3)
    asked = {"reason": "key-compromise", "since": since.isoformat()}
    revoked = admin.post(f"/certificates/{name}/revocation", asked).json()
    assert (revoked["status"], revoked["reason"]) == ("revoked", "key-compromise")
    assert revoked["invalidity_date"] == since.isoformat().replace("+00:00", "Z")
    assert is_problem(admin.post(f"/certificates/{name}/hold"), 409, "revocation-refused")
    actors = {actor for actor, _, _ in facts_of(core, "certificate.status")}
    assert actors == {admin.walker.person_id}
    lists = {one["name"]: one for one in admin.get("/lists").json()}
    assert lists["issuing-1-p1"]["number"] >= 3
    assert lists["issuing-1"]["signed_elsewhere"] is False


def test_an_auditor_reads_and_changes_nothing_and_others_see_nothing(
    core: Core, team: dict[str, Caller]
) -> None:
    name = seal_of(core)
    assert team["auditor"].get(f"/certificates/{name}").json()["name"] == name
    assert is_problem(team["auditor"].post(f"/certificates/{name}/hold"), 403, "role-missing")
    assert is_problem(team["custodian"].get("/certificates"), 403, "role-missing")
    assert core.certificates.certificate(name).record.status is CertificateStatus.GOOD  # type: ignore[union-attr]


def test_a_change_wants_the_passkey_of_a_moment_ago(core: Core, team: dict[str, Caller]) -> None:
    admin, name = team["admin"], seal_of(core)
    log_in(core, admin.walker)  # by password and app
    admin.token = Desk(core, admin.api, admin.walker, admin.portal).authorize(scope="openid certificates")
    refused = admin.post(f"/certificates/{name}/hold")
    assert is_problem(refused, 401, "authentication-insufficient")
    assert admin.get(f"/certificates/{name}").json()["status"] == "good"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/certificates/nobody/hold", None, 404),
        ("/certificates/..%2fx/hold", None, 404),
        ("/certificates/issuing-1/revocation", {"reason": "certificate-hold"}, 422),
        ("/certificates/issuing-1/revocation", {"reason": "superseded", "since": "2026-01-01T00:00:00"}, 422),
        ("/certificates/issuing-1/revocation", {"reason": "superseded", "force": True}, 422),
        ("/certificates/issuing-1/revocation", {"reason": "key-compromise"}, 409),
        ("/certificates/root-1/hold", None, 409),
    ],
)
def test_what_makes_no_sense_is_refused(
    team: dict[str, Caller], path: str, body: object, status: int
) -> None:
    assert team["admin"].post(path, body).status_code == status


# --- pages -------------------------------------------------------------------------------------------


def test_the_page_shows_what_there_is_in_both_languages_and_revokes_by_name(
    core: Core, team: dict[str, Caller]
) -> None:
    walker, name = team["admin"].walker, seal_of(core)
    page = walker.get("/certificates?lang=en").text
    for words in ("Nothing has to be seen to.", "issuing-1", name, "Revocation lists"):
        assert words in page
    assert "Daftar pencabutan" in walker.get("/certificates?lang=id").text
    here = f"/certificates/{name}"
    walker.get(f"{here}?lang=en")
    assert "on hold" in walker.follow(walker.post(here, act="hold")).text
    assert "release or revoke it" in walker.get("/certificates").text
    walker.get(here)
    assert "in use" in walker.follow(walker.post(here, act="release")).text
    wrong = walker.post(here, act="revoke", reason="", since="yesterday", name="root-1").text
    for words in ("Choose the reason.", "Write date, time and zone", "not the name of this certificate"):
        assert words in wrong
    done = walker.follow(
        walker.post(here, act="revoke", reason="key-compromise", since="2026-01-05T08:00+07:00", name=name)
    ).text
    assert "cannot be changed any more" in done
    record = core.certificates.certificate(name).record  # type: ignore[union-attr]
    assert (record.status, f"{record.revocation_date:%Y-%m-%d %H:%M}") == (
        CertificateStatus.REVOKED,
        "2026-01-05 01:00",
    )


@pytest.mark.parametrize("reason", [one for one in RevocationReason if one.value != 6])
def test_a_certificate_that_was_revoked_for_any_reason_has_a_page(
    core: Core, team: dict[str, Caller], reason: RevocationReason
) -> None:
    """A list that was brought from elsewhere gives reasons that nobody here may give, or none."""
    name = seal_of(core)
    was = core.certificates.certificate(name).record  # type: ignore[union-attr]
    with core.database.begin() as tx:
        how = {"status": CertificateStatus.REVOKED, "reason": reason, "revoked_at": core.clock()}
        assert Certificates(tx).set_status(was.serial, was=was, at=core.clock(), invalidity_date=None, **how)  # type: ignore[arg-type]
    for language in ("id", "en"):
        answer = team["admin"].walker.get(f"/certificates/{name}?lang={language}")
        assert answer.status_code == 200
        assert WORDS[language][f"reason_{reason.name.lower().replace('_', '-')}"] in unescape(answer.text)  # type: ignore[index]


def test_what_doctor_advises_can_be_done(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(2060, 1, 1, tzinfo=tz)

    monkeypatch.setattr("app.doctor.datetime", Later)
    advice = {finding.part: finding.remedy for finding in certificate_findings(core)}
    assert advice["certificate seal dinas"] == "Run `absah agency certify dinas`."
    assert advice["certificate ocsp issuing-1"] == "Run `absah init`; it renews them."
    assert "absah keys rotate issuing-ca" in advice["certificate issuing"]
    assert "root-ceremony.md" in advice["certificate root"]


def test_an_auditor_sees_the_page_and_no_form(core: Core, team: dict[str, Caller]) -> None:
    walker, name = team["auditor"].walker, seal_of(core)
    page = walker.get(f"/certificates/{name}?lang=en").text
    assert "change nothing" in page
    assert 'value="revoke"' not in page
    assert walker.post(f"/certificates/{name}", act="hold").status_code == 403
    assert core.certificates.certificate(name).record.status is CertificateStatus.GOOD  # type: ignore[union-attr]


# --- the table ---------------------------------------------------------------------------------------


def test_what_is_due_follows_from_keys_and_dates(core: Core, clock: FrozenClock) -> None:
    def views(**ahead: float) -> dict[str, Any]:
        now = clock() + timedelta(**ahead)
        states = {key.id: key.state.value for key in core.keys.list()}
        records = [view.record for view in core.certificates.certificates()]
        return {
            view.record.name: (view.use, view.due, view.is_due(now))
            for view in overview(records, states, now)
        }

    seal = seal_of(core)
    assert views()[seal] == (Use.IN_USE, Due.RENEW, False)
    assert views(days=3 * 365 - 59)[seal] == (Use.IN_USE, Due.RENEW, True)
    assert views(days=3 * 365 + 1)[seal] == (Use.EXPIRED, Due.NOTHING, False)
    assert views()["issuing-1"] == (Use.IN_USE, Due.SUCCESSOR, False)
    assert views(days=10 * 365 + 1)["issuing-1"] == (Use.IN_USE, Due.SUCCESSOR, True)
    clock.advance(timedelta(days=1))
    key = core.keys.generate(*_use_of(core, "issuing-1"))
    core.hierarchy.certify_successor(ProfileName.ISSUING, "", key.id, actor="test")
    assert views()["issuing-2"][0] is Use.WAITS
    core.keys.activate(key.id)
    assert (views()["issuing-1"][0], views()["issuing-2"][0]) == (Use.LISTS_ONLY, Use.IN_USE)
    assert views()["issuing-2-by-issuing-1"][0] is Use.LINK
    core.keys.deactivate(_key_of(core, "issuing-1"))
    assert views()["issuing-1"][0] is Use.RETIRED


def _key_of(core: Core, name: str) -> str:
    return core.certificates.certificate(name).record.key_id  # type: ignore[union-attr]


def _use_of(core: Core, name: str) -> Any:
    key = core.keys.get(_key_of(core, name))
    return key.purpose, key.algorithm


@pytest.fixture
def typed(core: Core, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command line on the frozen core."""
    from typer.testing import CliRunner

    from app.cli import certificates
    from app.cli.main import cli

    @contextmanager
    def opened() -> Iterator[Core]:
        yield core

    monkeypatch.setattr(certificates, "opened_core", opened)
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(cli, arguments)
        if done.exception:
            raise done.exception
        return done.output

    return run


def test_the_table_says_at_a_glance_what_is_due(
    core: Core, typed: Any, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = seal_of(core)
    monkeypatch.setattr(certificates.out, "width", 160)
    shown = typed("ca", "show")
    assert "Nothing is due." in shown
    assert re.search(rf"^  {name}\s+● in use\s+\d{{4}}-\d\d-\d\d\s+renew in \d+ years$", shown, re.M)
    assert re.search(r"^  root-1\s+● in use", shown, re.M)
    assert "root-1" not in typed("ca", "show", "--due")
    monkeypatch.setattr(certificates.out, "width", 80)
    narrow = typed("ca", "show")
    assert max(len(line) for line in narrow.splitlines()) <= 80
    assert re.search(rf"^  {name}\s+● in use\s+\d{{4}}-\d\d-\d\d\n    → renew in \d+ years$", narrow, re.M)
    monkeypatch.setattr(certificates.out, "width", 160)
    clock.advance(timedelta(days=3 * 365 - 40))
    due = typed("ca", "show", "--due")
    assert re.search(rf"^‼ {name}\s+● in use\s+\S+\s+renew now$", due, re.M)
    assert not re.search(r"root-1\s+●", due)
    assert re.search(r"^‼ issuing-1-p1\s.*ended: sign it now$", due, re.M)
    found = json.loads(typed("ca", "show", "--json"))
    (seal,) = [one for one in found["certificates"] if one["name"] == name]
    assert (seal["urgency"], seal["next_step"], seal["owner"]) == ("now", "renew", "dinas")


def test_what_is_over_is_counted_and_shown_when_asked_for(core: Core, typed: Any) -> None:
    name = seal_of(core)
    core.revocation.revoke(core.certificates.certificate(name).record.serial, RevocationReason.SUPERSEDED)  # type: ignore[union-attr]
    shown = typed("ca", "show")
    assert "1 that is over is not shown" in shown
    assert name not in shown
    assert re.search(rf"{name}\s+✗ revoked", typed("ca", "show", "--all"))
    assert "issuing-1-p1" in shown  # its list


# --- certificates for keys of others ----------------------------------------------------------------


def request_of(key: ec.EllipticCurvePrivateKey, name: str = "Anything") -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def test_a_request_is_certified_under_the_name_that_is_registered(
    core: Core, typed: Any, tmp_path: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "seal.csr").write_bytes(request_of(key, "Somebody else"))
    typed("ca", "issue", str(tmp_path / "seal.csr"), "--agency", "dinas", "-o", str(tmp_path / "chain.pem"))
    leaf, issuing, root = x509.load_pem_x509_certificates((tmp_path / "chain.pem").read_bytes())
    assert leaf.public_key() == key.public_key()
    assert "Dinas Contoh" in leaf.subject.rfc4514_string()
    assert "Somebody" not in leaf.subject.rfc4514_string()
    leaf.verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(root)
    # The agency's own seal, whose key is kept here, goes on sealing.
    assert core.identities.seal_of("dinas").certificate != leaf.public_bytes(Encoding.DER)
    again, _ = certify_request(core, "dinas", request_of(key), actor="test")
    assert again.der == leaf.public_bytes(Encoding.DER)


def test_requests_for_keys_of_the_service_weak_keys_and_strangers_are_refused(core: Core) -> None:
    good = request_of(ec.generate_private_key(ec.SECP256R1()))
    altered = bytearray(x509.load_pem_x509_csr(good).public_bytes(Encoding.DER))
    altered[-1] ^= 1
    own = core.superiors.request(actor="test").der
    for request, words in (
        (bytes(altered), "not signed with the key"),
        (b"", "cannot be read"),
        (b"\x30" * 70_000, "too large"),
        (b"-----BEGIN", "cannot be read"),
        (request_of(ec.generate_private_key(ec.SECP256K1())), "P-256"),
        (own, "this service keeps"),
    ):
        with pytest.raises(IssuanceRefused, match=words):
            certify_request(core, "dinas", request, actor="test")
    production = replace(core, settings=core.settings.model_copy(update={"env": Environment.PRODUCTION}))
    with pytest.raises(IssuanceRefused, match="in production"):
        certify_request(production, "dinas", good, actor="test")


def test_where_custodians_agree_on_losses_an_administrator_holds_and_does_not_declare_them(
    core: Core, team: dict[str, Caller]
) -> None:
    admin, name = team["admin"], seal_of(core)
    core.revocation._with_custodians = True
    for asked in ({"reason": "key-compromise"}, {"reason": "superseded", "since": "2026-01-01T00:00:00Z"}):
        refused = admin.post(f"/certificates/{name}/revocation", asked)
        assert is_problem(refused, 409, "revocation-refused")
        assert "absah keys compromise" in refused.json()["detail"]
    page = f"/certificates/{name}"
    admin.walker.get(page)
    answer = admin.walker.post(page, act="revoke", reason="key-compromise", name=name)
    assert "pemegang kunci" in answer.text
    assert admin.get(page).json()["status"] == "good"
    assert admin.post(f"{page}/hold").json()["status"] == "on-hold"
