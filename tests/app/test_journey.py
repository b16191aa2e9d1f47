"""The first whole journey on both databases: a client seals over HTTP, anyone verifies, an operator looks."""

from __future__ import annotations

import io
import json
import time
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from app import upkeep
from app.demo import sample_documents
from app.provisioning import initialise, publish_trust
from app.register import RegisterTrust
from app.settings import Settings
from app.verification import verification_service
from app.wiring import Core
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.support.tokens import bearer_token
from verify.trust import read_trust_folder
from verify.verdict import Outcome

PDF = sample_documents()[0].pdf
METADATA = {
    "type": "business_licence",
    "number": "503/0217/DPMPTSP/2026",
    "title": "Nomor Induk Berusaha",
    "signatory": "Kepala Dinas",
    "issued_on": "2026-05-30",
    "holder": {"name": "Siti Aminah"},
}


def _seal(api: InProcess, token: str, **changes: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"} | changes.pop("headers", {})
    return api.post(
        "/v1/documents",
        headers=headers,
        files={"file": ("izin.pdf", changes.pop("file", PDF), "application/pdf")},
        data={"metadata": json.dumps(METADATA | changes)},
    )


def test_seal_fetch_verify_revoke(core: Core, api: InProcess, token: str) -> None:
    bearer = {"Authorization": f"Bearer {token}"}
    # 1. An agency's system seals and fetches the file.
    answer = _seal(api, token)
    assert answer.status_code == 201, answer.text
    document = answer.json()
    assert document["holder"] == "S*** A***"
    file = api.get(f"/v1/documents/{document['id']}/file", headers=bearer)
    assert file.headers["content-type"] == "application/pdf"
    # 2. Anyone verifies: by id, by file, by the content of the QR code.
    by_id = api.get(f"/v1/verifications/{document['id']}").json()
    by_file = api.post("/v1/verifications", files={"file": ("x.pdf", file.content)}).json()
    by_link = api.post("/v1/verifications", json={"link": document["links"]["page"]}).json()
    assert [by_id["outcome"], by_file["outcome"], by_link["outcome"]] == ["valid"] * 3
    assert by_file["document"]["id"] == document["id"]
    page = api.get(f"/d/{document['id']}", headers={"Accept-Language": "id"})
    assert page.status_code == 200
    assert "503/0217/DPMPTSP/2026" in page.text
    # 3. Nothing but the masked name leaves.
    for public in (page.text, json.dumps([by_id, by_file, by_link])):
        assert "Siti" not in public
        assert "Aminah" not in public
    # 4. One changed byte is told from the original.
    altered = bytearray(file.content)
    altered[len(PDF) // 2] ^= 1
    differs = api.post("/v1/verifications", files={"file": ("x.pdf", bytes(altered))}).json()
    assert differs["outcome"] not in {"valid", "cannot_say"}
    # 5. A revocation shows at once.
    revoked = api.post(
        f"/v1/documents/{document['id']}/revocation", headers=bearer, json={"reason": "issued_in_error"}
    )
    assert revoked.status_code == 200, revoked.text
    assert api.get(f"/v1/verifications/{document['id']}").json()["outcome"] == "revoked"
    again = api.post("/v1/verifications", files={"file": ("x.pdf", file.content)}).json()
    assert again["outcome"] == "revoked"
    # 6. The trail tells it, without a name, and is whole.
    with core.database.read() as tx:
        core.audit.verify(tx)
        trail = list(core.audit.entries(tx))
    mine = [entry.action for entry in trail if entry.subject == document["id"]]
    assert mine == ["document.intended", "document.issued", "document.revoked"]
    assert "Siti" not in repr(trail)


def test_a_repeated_request_gets_the_same_document(api: InProcess, token: str) -> None:
    key = {"Idempotency-Key": "order-17"}
    first, second = _seal(api, token, headers=key), _seal(api, token, headers=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]
    other = _seal(api, token, headers=key, number="another")
    assert (other.status_code, other.json()["type"].rsplit("/")[-1]) == (422, "idempotency-conflict")


BAD_FILES = {
    "empty": (b"", 422, "pdf-empty"),
    "not a PDF": (b"GIF89a" * 100, 422, "pdf-not-a-pdf"),
    "cut off": (PDF[: len(PDF) // 2], 422, None),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_with_its_cause_and_nothing_is_half_issued(
    name: str, core: Core, api: InProcess, token: str
) -> None:
    content, status, slug = BAD_FILES[name]
    answer = _seal(api, token, file=content)
    if slug is None and answer.status_code == 201:
        return  # a repaired file may be sealed; what counts is that nothing in between happens
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    if slug is not None:
        assert answer.json()["type"].endswith(slug)
    listed = api.get("/v1/documents", headers={"Authorization": f"Bearer {token}"}).json()["documents"]
    assert {entry["state"] for entry in listed} <= {"refused"}


def test_another_agencys_document_does_not_exist(core: Core, api: InProcess, token: str) -> None:
    document = _seal(api, token).json()["id"]
    core.agencies.add_agency("lain", name="Lain", organization_identifier="NTRID-2", actor="test")
    made = core.agencies.add_client(
        "lain", name="x", scopes=["documents.read", "documents.revoke"], actor="test"
    )
    foreign = bearer_token(api, made)
    bearer = {"Authorization": f"Bearer {foreign}"}
    answers = [
        api.get(f"/v1/documents/{document}", headers=bearer),
        api.get(f"/v1/documents/{document}/file", headers=bearer),
        api.post(f"/v1/documents/{document}/revocation", headers=bearer, json={"reason": "fraud"}),
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert api.get(f"/v1/verifications/{document}").json()["outcome"] == "valid"
    # Without a scope to issue, or a seal, nothing is issued.
    assert _seal(api, foreign).status_code == 403


def test_sandbox_clients_make_samples_that_never_verify_as_real(core: Core, api: InProcess) -> None:
    made = core.agencies.add_client(
        "dinas", name="sandbox", scopes=["documents.issue:*"], is_sandbox=True, actor="test"
    )
    token = bearer_token(api, made)
    document = _seal(api, token).json()
    assert document["is_sample"] is True
    reader = core.agencies.add_client("dinas", name="reader", scopes=["documents.read"], actor="test")
    bearer = {"Authorization": f"Bearer {bearer_token(api, reader)}"}
    file = api.get(f"/v1/documents/{document['id']}/file", headers=bearer)
    assert file.status_code == 200
    judged = [
        api.get(f"/v1/verifications/{document['id']}"),
        api.post("/v1/verifications", files={"file": ("x.pdf", file.content)}),
        api.post("/v1/verifications", json={"link": document["links"]["page"]}),
    ]
    assert {answer.json()["outcome"] for answer in judged} == {"sample"}


def test_the_trust_folder_verifies_with_the_service_stopped(
    core: Core, api: InProcess, token: str, clock: FrozenClock
) -> None:
    document = _seal(api, token).json()
    bearer = {"Authorization": f"Bearer {token}"}
    file = api.get(f"/v1/documents/{document['id']}/file", headers=bearer).content
    trust = read_trust_folder(core.settings.trust_dir)
    with ExitStack() as closing:
        offline = verification_service(
            core.settings, released=None, trust=lambda: trust, clock=clock, closing=closing
        )
    assert offline.by_file(io.BytesIO(file)).outcome is Outcome.VALID
    verdict = offline.by_link(document["links"]["page"])
    assert verdict.outcome is Outcome.VALID
    assert any(check.name == "current-status" and check.result == "not-done" for check in verdict.checks)


def test_initialising_again_changes_nothing(core: Core, settings: Settings, clock: FrozenClock) -> None:
    keys, roots = core.keys.list(), core.trust().anchors
    with ExitStack() as closing:
        again = initialise(settings, closing=closing, actor="test", clock=clock)
        assert again.keys.list() == keys
        assert again.trust().anchors == roots


def test_upkeep_renews_a_list_before_it_lapses_and_the_folder_with_it(core: Core, clock: FrozenClock) -> None:
    before = publish_trust(core)
    clock.advance(timedelta(hours=core.settings.ca.crl_hours) * 0.6)
    time.sleep(1.1)  # lists are remembered for a second of the machine's own time
    assert upkeep.run_once(core) == 0
    after = publish_trust(core)
    assert before is not None
    assert after is not None
    assert after > before
    fresh = RegisterTrust(core.database.read, core.settings.trust_dir)()
    assert set(read_trust_folder(core.settings.trust_dir).crls) == set(fresh.crls)


def test_readiness_names_the_part_that_does_not_answer(
    core: Core, api: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert api.get("/readyz").json() == {"database": "ok", "storage": "ok", "keys": "ok", "time": "ok"}
    unready = InProcess(_application_over_a_missing_database(core))
    answer = unready.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["database"] == "DatabaseNotReady"
    assert unready.get("/healthz").status_code == 200


def _application_over_a_missing_database(core: Core) -> Any:
    from app.database import Database
    from app.public import build_public_app

    gone = Database("postgresql://absah@/absah?host=/nonexistent")
    return build_public_app(core.settings, gone, closing=ExitStack())


def test_verification_says_that_it_cannot_say_when_the_register_is_gone(core: Core) -> None:
    api = InProcess(_application_over_a_missing_database(core))
    answer = api.get("/v1/verifications/7K3M9QXF7K3M9QXF")
    assert (answer.status_code, answer.json()["outcome"]) == (503, "cannot_say")
