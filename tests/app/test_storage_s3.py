"""A bucket that refuses, is gone or is elsewhere: typed errors in bounded time, and secrets stay secret."""

from __future__ import annotations

import io
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app import s3 as s3_module
from app.errors import SettingsInvalid, StorageNotReady
from app.settings import StorageSettings, describe
from app.storage import ObjectFiles
from tests.support.line import line_to
from tests.support.needs import ROOT
from tests.support.s3 import BUCKET, SERVICE, SUCCESSOR, VERSIONED, Account, S3Server

pytestmark = pytest.mark.network

MIB = 1024**2
NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens

Act = Callable[[ObjectFiles], object]
ACTS: dict[str, Act] = {
    "put": lambda files: files.put("a", io.BytesIO(b"x")),
    "put many parts": lambda files: files.put("a", io.BytesIO(bytes(17 * MIB))),
    "open": lambda files: files.open("a").__enter__(),
    "delete": lambda files: files.delete("a"),
    "list": lambda files: list(files.under("a/")),
    "ping": lambda files: files.ping(),
}


@pytest.fixture(params=ACTS)
def act(request: pytest.FixtureRequest) -> Act:
    return ACTS[request.param]


class _NotFound(BaseHTTPRequestHandler):
    """Any web server: a console, a portal, a proxy without that site."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Keeps quiet."""


@pytest.fixture
def web_server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _NotFound) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _with(settings: StorageSettings, **changes: object) -> StorageSettings:
    return settings.model_copy(update=changes)


@pytest.mark.parametrize(
    ("account", "code"),
    [
        (Account(SERVICE.key_id, "another-secret-77aa"), "SignatureDoesNotMatch"),
        (Account("unknown-key", SERVICE.secret), "InvalidAccessKeyId"),
    ],
    ids=["wrong secret", "unknown key"],
)
def test_wrong_credentials_are_an_outage_that_says_so_and_not_what_they_are(
    account: Account, code: str, act: Act, s3: S3Server, tmp_path: Path
) -> None:
    settings = _with(s3.settings(), credentials_file=account.file(tmp_path / "credentials"))
    with pytest.raises(StorageNotReady, match=f"S3 says {code}") as told:
        act(ObjectFiles(s3.fresh_url(), settings))
    assert account.secret not in str(told.value)
    assert account.key_id not in str(told.value)


def test_a_bucket_that_is_not_there_or_not_ours_is_an_outage_and_never_a_missing_document(
    act: Act, s3: S3Server
) -> None:
    with pytest.raises(StorageNotReady, match=r"S3 says (NoSuchBucket|AccessDenied)"):
        act(ObjectFiles("s3://another/prefix", s3.settings()))


def test_a_web_server_that_is_no_s3_server_is_an_outage_and_never_a_missing_document(
    act: Act, s3: S3Server, web_server: str
) -> None:
    with pytest.raises(StorageNotReady):
        act(ObjectFiles(s3.fresh_url(), _with(s3.settings(), endpoint=web_server)))


def test_a_server_that_is_gone_is_reported_within_seconds(act: Act, s3: S3Server) -> None:
    files = ObjectFiles(s3.fresh_url(), _with(s3.settings(), endpoint=NOBODY))
    begun = time.monotonic()
    with pytest.raises(StorageNotReady, match="Connection refused"):
        act(files)
    assert time.monotonic() - begun < 10


def test_a_line_that_breaks_under_a_reader_is_an_outage_and_is_used_again_when_it_is_back(
    s3: S3Server,
) -> None:
    with line_to(s3.ports["s3.port"]) as line:
        files = ObjectFiles(s3.fresh_url(), _with(s3.settings(), endpoint=line.url))
        content = os.urandom(12 * MIB)
        files.put("a", io.BytesIO(content))
        with files.open("a") as stream:
            assert stream.read(MIB) == content[:MIB]
            line.cut()
            with pytest.raises(StorageNotReady):
                stream.read()
        with pytest.raises(StorageNotReady):
            files.put("b", io.BytesIO(b"x"))
        line.mend()
        with files.open("a") as stream:
            assert stream.read() == content
        assert [entry.key for entry in files.under("")] == ["a"]


def test_a_bucket_that_keeps_versions_serves_like_any_other(s3: S3Server) -> None:
    s3.keep_versions()
    files = ObjectFiles(s3.fresh_url(VERSIONED), s3.settings())
    files.ping()
    for content in (b"first", bytes(9 * MIB), b"last"):
        files.put("a", io.BytesIO(content))
        with files.open("a") as stream:
            assert stream.read() == content
    assert [entry.key for entry in files.under("")] == ["a"]
    files.delete("a")
    files.delete("a")
    with pytest.raises(FileNotFoundError), files.open("a"):
        pass
    assert list(files.under("")) == []


def test_tls_is_checked_against_the_authority_that_the_operator_names(s3: S3Server, tmp_path: Path) -> None:
    private = _with(s3.settings(), endpoint=s3.tls_endpoint)
    ObjectFiles(s3.fresh_url(), _with(private, ca_file=s3.ca_file)).ping()
    with pytest.raises(StorageNotReady, match=r"UnknownIssuer; ABSAH_STORAGE_CA_FILE"):
        ObjectFiles(s3.fresh_url(), private).ping()


def test_keys_are_rotated_by_replacing_the_file_under_a_running_service(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_module, "_HELD", s3_module._HELD / 100)
    file = SERVICE.file(tmp_path / "credentials")
    files = ObjectFiles(s3.fresh_url(), _with(s3.settings(), credentials_file=file))
    files.put("a", io.BytesIO(b"x"))
    Account(SERVICE.key_id, "no longer").file(file)
    time.sleep(0.5)
    with pytest.raises(StorageNotReady, match="SignatureDoesNotMatch"):
        files.put("a", io.BytesIO(b"y"))
    file.unlink()
    time.sleep(0.5)
    with pytest.raises(StorageNotReady, match="ABSAH_STORAGE_CREDENTIALS_FILE cannot be read"):
        files.put("a", io.BytesIO(b"y"))
    SUCCESSOR.file(file)
    time.sleep(0.5)
    files.put("a", io.BytesIO(b"z"))
    with files.open("a") as stream:
        assert stream.read() == b"z"


def test_variables_meant_for_other_programs_do_not_lead_documents_elsewhere(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, NOBODY)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other-program")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other-secret")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.setenv("AWS_BUCKET", "other-bucket")
    url = s3.fresh_url()
    files = ObjectFiles(url, s3.settings())
    files.put("a", io.BytesIO(b"x"))
    assert s3.keys(url.removeprefix(f"s3://{BUCKET}/")) == {url.removeprefix(f"s3://{BUCKET}/") + "/a"}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "secret-in-plain-words",
        "[other]\naws_access_key_id = a\naws_secret_access_key = hidden-1\n",
        "[default]\naws_access_key_id = a\n",
        "[default]\naws_secret_access_key = hidden-1\naws_secret_access_key = hidden-2\n",
    ],
    ids=["empty", "no file of that kind", "another section", "half", "twice"],
)
def test_a_credentials_file_that_cannot_serve_stops_the_start_and_is_not_quoted(
    content: str, tmp_path: Path
) -> None:
    file = tmp_path / "credentials"
    file.write_text(content)
    with pytest.raises(SettingsInvalid, match=r"ABSAH_STORAGE_CREDENTIALS_FILE .* \[default\]") as told:
        ObjectFiles("s3://bucket", StorageSettings(credentials_file=file))
    assert "hidden" not in str(told.value)
    assert "plain-words" not in str(told.value)


@pytest.mark.parametrize("name", ["credentials_file", "ca_file"])
def test_a_file_that_is_not_there_stops_the_start_and_is_named(name: str, tmp_path: Path) -> None:
    settings = StorageSettings.model_validate({name: tmp_path / "missing"})
    with pytest.raises(SettingsInvalid, match=f"ABSAH_STORAGE_{name.upper()} cannot be read"):
        ObjectFiles("s3://bucket", settings)


def test_a_ca_file_that_is_none_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n")
    with pytest.raises(SettingsInvalid, match="cannot be used"):
        ObjectFiles("s3://bucket", StorageSettings(ca_file=file))


@pytest.mark.parametrize("url", ["nonsense", "ftp://x/y", "memory:///", "http://x/y", "s3://", "s3:///x", ""])
def test_an_unknown_kind_of_store_stops_the_start(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="ABSAH_STORAGE_URL"):
        ObjectFiles(url)


def test_a_secret_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsInvalid, match="ABSAH_STORAGE_CREDENTIALS_FILE") as told:
        ObjectFiles("s3://key:hidden-secret@bucket/prefix")
    assert "hidden-secret" not in str(told.value)


def test_settings_of_a_bucket_beside_a_folder_stop_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="ABSAH_STORAGE_URL"):
        ObjectFiles(tmp_path.as_uri(), StorageSettings(endpoint="https://s3.example"))


def test_the_deployment_guide_names_every_setting_of_the_storage_and_no_other() -> None:
    guide = (ROOT / "docs" / "deploy" / "README.md").read_text(encoding="utf-8")
    there = {setting.variable for setting in describe() if setting.variable.startswith("ABSAH_STORAGE_")}
    assert set(re.findall(r"ABSAH_STORAGE_[A-Z_]+", guide)) == there


def test_the_credentials_file_of_the_deployment_guide_is_one(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "deploy" / "README.md").read_text(encoding="utf-8")
    found = re.search(r"```ini\n(\[default\].*?)```", guide, re.DOTALL)
    assert found is not None
    file = tmp_path / "credentials"
    file.write_text(found[1])
    ObjectFiles("s3://bucket", StorageSettings(credentials_file=file))
