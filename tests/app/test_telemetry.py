"""Logs without people in them, metrics over several processes, bodies that take too long."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from app.errors import BodyTooSlow
from app.limits import BodyLimitMiddleware, BodyLimits
from app.logs import hide_sensitive


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("holder", "Siti Aminah"),
        ("nik", "3273010101900001"),
        ("client_secret", "x"),
        ("authorization", "Bearer x"),
        ("access_token", "x"),
        ("email", "x"),
        ("reason", "no document 3273010101900001 here"),
        ("reason", "sent absah_8-EgRBfLcdSmXsExjTpeNVMP3qNJGY9rbSDkBYbVrNs"),
        ("reason", "token eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"),
        ("reason", "from siti@example.go.id"),
    ],
)
def test_personal_data_and_secrets_do_not_reach_a_log_line(key: str, value: str) -> None:
    hidden = hide_sensitive(None, "info", {key: value})[key]
    assert "[hidden]" in hidden
    for secret in ("Siti", "siti@", "3273010101900001", "absah_8", "eyJ"):
        assert secret not in hidden


def test_what_operators_need_stays_readable() -> None:
    event = {
        "document": "7K3M9QXF7K3M9QXF",
        "status": 201,
        "incident": "0a1b2c3d4e5f",
        "route": "/d/{document_id}",
    }
    assert hide_sensitive(None, "info", dict(event)) == event


def test_a_log_line_is_json_and_libraries_go_through_the_same_filter() -> None:
    program = (
        "import logging, structlog\n"
        "from app.settings import LogSettings\n"
        "from app.logs import configure_logging\n"
        "configure_logging(LogSettings(format='json'))\n"
        "structlog.get_logger('ours').info('sealed', document='D', holder='Siti')\n"
        "logging.getLogger('theirs').warning('from %s', 'siti@example.go.id')\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    ours, theirs = ran.stderr.splitlines()
    assert '"event": "sealed"' in ours
    assert '"holder": "[hidden]"' in ours
    assert '"event": "from [hidden]"' in theirs


def test_counts_of_several_processes_add_up(tmp_path: Path) -> None:
    count = "from app.telemetry import Metrics\nm = Metrics()\nm.requests.labels('GET', '/x', '200').inc(2)\n"
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PATH": ""}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", count], env=environment, check=True)
    shown = subprocess.run(
        [sys.executable, "-c", f"{count}print(m.exposition().decode())"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'absah_http_requests_total{method="GET",route="/x",status="200"} 6.0' in shown.stdout


def test_a_body_that_trickles_in_is_given_up_on() -> None:
    async def receive() -> Message:
        await asyncio.sleep(0.3)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def reads_everything(_scope: Any, receive: Any, _send: Any) -> None:
        while (await receive()).get("more_body"):
            pass

    limited = BodyLimitMiddleware(reads_everything, limits=BodyLimits(default=1000, uploads={}, seconds=1))
    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    with pytest.raises(BodyTooSlow):
        asyncio.run(limited(scope, receive, None))  # type: ignore[arg-type]


def test_an_exception_is_logged_by_class_and_place_never_by_its_words() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import logging\n"
            "from app.settings import LogSettings\n"
            "from app.logs import configure_logging\n"
            "configure_logging(LogSettings(format='json'))\n"
            "try:\n"
            "    raise ValueError('Siti Aminah')\n"
            "except ValueError as error:\n"
            "    logging.getLogger('some.library').exception('failed')\n"
            "    logging.getLogger('some.library').error('failed', exc_info=error)\n",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert "Siti" not in said
    assert "Traceback" not in said
    assert said.count('"error": "ValueError"') == 2
    assert said.count("<string>:6") == 2
