"""What `make run` starts is the whole service, not a picture of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from app.demo import sample_documents
from tests.support.server import RunningServer, free_port


@pytest.mark.network
def test_the_demonstration_seals_what_is_sent_to_it_and_stops_when_told(tmp_path: Path) -> None:
    port = free_port()
    settings = {"ABSAH_DATA_DIR": str(tmp_path / "data"), "ABSAH_PUBLIC_URL": f"http://127.0.0.1:{port}"}
    server = RunningServer(settings, (), tmp_path / "demo.log", port, command=("demo",))
    server.start()
    try:
        printed = server.output()
        client = re.search(r"client-[0-9a-f]+", printed)
        secret = re.search(r"absah_\S+", printed)
        assert client, printed
        assert secret, printed
        token = server.http.post(
            "/oauth2/token", data={"grant_type": "client_credentials"}, auth=(client[0], secret[0])
        ).json()["access_token"]
        sample = next(one for one in sample_documents() if one.type == "business_licence")
        metadata = {
            "type": sample.type,
            "number": "503/0999/DPMPTSP/2026",
            "title": sample.title,
            "signatory": sample.signatory,
            "issued_on": sample.issued_on.isoformat(),
        }
        sealed = server.http.post(
            "/v1/documents",
            headers={"Authorization": f"Bearer {token}"},
            data={"metadata": json.dumps(metadata)},
            files={"file": ("surat.pdf", sample.pdf, "application/pdf")},
        )
        assert sealed.status_code == 201, sealed.text
    finally:
        assert server.stop() == 0
        server.close()
