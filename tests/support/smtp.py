"""A real SMTP server on loopback, which refuses, stalls and breaks when it is told to.

Run as a program (``python -m tests.support.smtp PORT FOLDER``) it is a process that keeps each mail in a file
before it answers 250, and can be killed at any point.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.needs import ROOT
from tests.support.processes import tied_to_us
from tests.support.server import free_port


@dataclass
class Taken:
    sender: str
    to: list[str]
    message: EmailMessage
    tls: bool
    user: str


@dataclass
class SmtpServer:
    """``replies``: by command, what it says instead of taking a mail. ``hang``: DATA goes unanswered."""

    port: int = 0
    taken: list[Taken] = field(default_factory=list)
    replies: dict[str, str] = field(default_factory=dict)
    hang: bool = False

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.replies.get("MAIL", "250 OK")

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if "RCPT" in self.replies:
            return self.replies["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        while self.hang:
            await asyncio.sleep(0.05)
        if "DATA" in self.replies:
            return self.replies["DATA"]
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        user = session.auth_data.login.decode() if session.authenticated else ""
        self.taken.append(
            Taken(envelope.mail_from or "", envelope.rcpt_tos, message, session.ssl is not None, user)
        )
        return "250 2.0.0 taken"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any
    ) -> AuthResult:
        right = isinstance(given, LoginPassword) and (given.login, given.password) == (USER, PASSWORD)
        return AuthResult(success=right, handled=False, auth_data=given)


USER, PASSWORD = b"absah", b"rahasia surat 7"


class _ImplicitTls(Controller):
    """TLS from the first byte."""

    def factory(self) -> SMTP:
        return SMTP(self.handler, **self.SMTP_kwargs)


@contextmanager
def running_smtp(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, login: bool = False
) -> Iterator[SmtpServer]:
    """A server on a thread of this process. With ``login`` it takes mail from :data:`USER` only."""
    server = SmtpServer(free_port())
    options: dict[str, Any] = {"timeout": 30}
    if starttls is not None:
        options |= {"tls_context": starttls, "require_starttls": True}
    if login:
        options |= {"authenticator": server.authenticate, "auth_required": True}
        options |= {"auth_require_tls": starttls is not None}
    kind = _ImplicitTls if tls is not None else Controller
    controller = kind(server, hostname="127.0.0.1", port=server.port, ssl_context=tls, **options)
    controller.start()
    try:
        yield server
    finally:
        server.hang = False
        controller.stop()


def tls_for(host: str, folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS with a certificate for ``host``, and the file with the authority behind it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    try:
        named: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        named = x509.DNSName(host)
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([named]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, chain = serialization.Encoding.PEM, folder / f"mail-{secrets.token_hex(4)}.pem"
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.write_bytes(private + certificate.public_bytes(pem))
    authority = chain.with_suffix(".ca")
    authority.write_bytes(certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context, authority


@contextmanager
def smtp_process(port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process of its own, ready to take mail; it is killed at the end."""
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [*tied_to_us("KILL"), sys.executable, "-m", "tests.support.smtp", str(port), str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


class _Keep:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        name = secrets.token_hex(8)
        draft = self._folder.parent / f"{name}.part"  # whoever is killed while writing has taken nothing
        draft.write_bytes(envelope.content)
        draft.rename(self._folder / name)
        return "250 2.0.0 taken"


def _serve(port: int, folder: Path) -> None:
    controller = Controller(_Keep(folder), hostname="127.0.0.1", port=port)
    controller.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        time.sleep(60)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), Path(sys.argv[2]))
