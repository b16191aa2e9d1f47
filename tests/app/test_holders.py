"""People find what was issued to them by a fingerprint that is told to nobody, and see who looked."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app import holders
from app.demo import sample_documents
from app.wiring import Core
from identity.lookups.model import ActorKind, LookupKind
from signing.tables import DocumentTable
from tests.app.walker import Walker, log_in, person
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.support.tokens import bearer_token

PDF = sample_documents()[0].pdf


def seal(api: InProcess, token: str, **holder: Any) -> Any:
    metadata = {
        "type": "business_licence",
        "number": "503/0217/DPMPTSP/2026",
        "title": "Nomor Induk Berusaha",
        "signatory": "Kepala Dinas",
        "issued_on": "2026-05-30",
        "holder": {"name": "Siti Aminah"} | holder,
    }
    return api.post(
        "/v1/documents",
        headers={"Authorization": f"Bearer {token}"},
        files={"file": ("izin.pdf", PDF, "application/pdf")},
        data={"metadata": json.dumps(metadata)},
    )


@pytest.fixture
def siti(core: Core, api: InProcess, clock: FrozenClock) -> Walker:
    made = person(core, api, clock, 1)
    log_in(core, made)
    return made


def test_a_proofed_person_finds_their_document_and_who_read_it(
    core: Core, api: InProcess, token: str, siti: Walker, clock: FrozenClock
) -> None:
    bearer = {"Authorization": f"Bearer {token}"}
    document = seal(api, token, nik=siti.nik).json()["id"]
    page = siti.get("/account/documents").text
    assert f"/d/{document}" in page
    assert "Dinas Contoh" in page
    # Nobody looked so far: having it issued is no look.
    assert core.office.lookups.about(siti.person_id) == []
    # The agency reads, twice on one day and once on the next: two lines, and one more for the file.
    for _ in range(2):
        api.get(f"/v1/documents/{document}", headers=bearer)
    api.get("/v1/documents", headers=bearer)
    api.get(f"/v1/documents/{document}/file", headers=bearer)
    clock.advance(timedelta(days=1))
    assert len(core.office.lookups.about(siti.person_id)) == 2
    log_in(core, siti)
    page = siti.get("/account/lookups?lang=en").text
    assert page.count("Dinas Contoh") == 2
    assert "Fetched the file of your document" in page
    lines = core.office.lookups.about(siti.person_id)
    assert {line.kind for line in lines} == {LookupKind.DOCUMENT_READ, LookupKind.DOCUMENT_FILE_READ}
    assert {line.actor.kind for line in lines} == {ActorKind.AGENCY}


@pytest.mark.either_database
def test_the_number_goes_nowhere(core: Core, api: InProcess, token: str, siti: Walker) -> None:
    answer = seal(api, token, nik=siti.nik)
    document = answer.json()
    bearer = {"Authorization": f"Bearer {token}"}
    fingerprint = holders.holder_fingerprint(core.vault, sample_niks=True)(siti.nik)
    told = [
        answer.text,
        api.get(f"/v1/documents/{document['id']}", headers=bearer).text,
        api.get(f"/v1/verifications/{document['id']}").text,
        api.get(f"/d/{document['id']}").text,
        document["links"]["page"],
    ]
    with core.database.read() as tx:
        for table in ("documents", "lookups", "audit"):
            told += [str(tuple(row)) for row in tx.execute(text(f"SELECT * FROM {table}"))]
        receipt = DocumentTable(tx).by_id(document["id"]).receipt  # type: ignore[union-attr]
    assert fingerprint not in receipt
    for words in told:
        assert siti.nik not in words
    for words in told[:5]:
        assert fingerprint.hex() not in words.lower()


@pytest.mark.either_database
def test_somebody_whom_nobody_checked_finds_nothing(
    core: Core, api: InProcess, siti: Walker, clock: FrozenClock, token: str
) -> None:
    seal(api, token, nik=siti.nik)
    with core.database.begin() as tx:  # as if the number had got into a profile by another way
        tx.execute(text("UPDATE people SET proofing = 'ial0'"))
    assert core.office.lookups.holder_of(siti.person_id) is None
    page = siti.get("/account/documents").text
    assert "/d/" not in page
    assert "/account/proofing" in page


@pytest.mark.either_database
@pytest.mark.parametrize(
    "holder",
    [
        {"nik": "3273010000000001"},
        {"nik": "327301 570880 0001"},
        {"nik": "１２７３０１５７０８８０００１"},
        {"nik": ""},
        {"nik": "3273015708800001", "kind": "organisation"},
    ],
)
def test_a_number_that_cannot_be_a_persons_is_refused_without_being_repeated(
    api: InProcess, token: str, holder: dict[str, str]
) -> None:
    answer = seal(api, token, **holder)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("holder.nik")
    if holder["nik"]:
        assert holder["nik"] not in answer.text


@pytest.mark.either_database
def test_samples_of_a_sandbox_are_in_nobodys_list(
    core: Core, api: InProcess, siti: Walker, clock: FrozenClock
) -> None:
    made = core.agencies.add_client(
        "dinas", name="uji", scopes=["documents.issue:*"], is_sandbox=True, actor="test"
    )
    assert seal(api, bearer_token(api, made), nik=siti.nik).status_code == 201
    assert "/d/" not in siti.get("/account/documents").text


def test_the_export_names_the_documents_and_erasure_forgets_who_looked(
    core: Core, api: InProcess, token: str, siti: Walker, clock: FrozenClock
) -> None:
    document = seal(api, token, nik=siti.nik).json()["id"]
    api.get(f"/v1/documents/{document}", headers={"Authorization": f"Bearer {token}"})
    siti.get("/account/privacy/export")
    export = siti.post("/account/privacy/export").json()
    assert [entry["id"] for entry in export["documents"]["documents"]] == [document]
    assert [entry["thing"] for entry in export["lookups"]["lookups"]] == [document]
    core.rights.request_erasure(siti.person_id)
    clock.advance(timedelta(days=2))
    assert core.rights.erase_due() == 1
    with core.database.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM lookups")).scalar_one() == 0
    # The document itself is the agency's, and stays valid.
    assert api.get(f"/v1/verifications/{document}").json()["outcome"] == "valid"
