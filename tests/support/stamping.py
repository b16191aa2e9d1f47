"""Time-stamping authorities of other people on loopback: truthful ones and liars, all behind real HTTP."""

from __future__ import annotations

import hashlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from asn1crypto import tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ca import der, tst
from tests.support.needs import tool_path

Respond = Callable[[str, bytes], bytes]
"""From path and body to the body of the answer."""


@dataclass
class Manners:
    """How a server behaves, whatever it says."""

    status: int = 200
    delay: float = 0.0
    drip: float = 0.0  # seconds between two bytes
    asked: list[str] = field(default_factory=list)
    authorization: list[str | None] = field(default_factory=list)


@contextmanager
def served(respond: Respond, manners: Manners | None = None) -> Iterator[str]:
    """HTTP on loopback; yields the origin."""
    manners = manners or Manners()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            manners.asked.append(self.path)
            manners.authorization.append(self.headers.get("Authorization"))
            time.sleep(manners.delay)
            content = respond(self.path, body)
            self.send_response(manners.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            try:
                if not manners.drip:
                    self.wfile.write(content)
                for octet in content if manners.drip else ():
                    self.wfile.write(bytes((octet,)))
                    time.sleep(manners.drip)
            except OSError:
                self.close_connection = True  # whoever asked has lost patience

        do_GET = do_POST = _answer

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass
class ForeignPki:
    """A root, an authority below it with a list, and units. ``origin`` is where the list can be fetched."""

    origin: str
    key: Key = field(default_factory=lambda: ec.generate_private_key(ec.SECP384R1()))
    revoked: set[int] = field(default_factory=set)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __post_init__(self) -> None:
        self.root_key = ec.generate_private_key(ec.SECP384R1())
        self.root = self._certificate("Akar Asing", self.root_key, None, is_ca=True)
        self.issuer = self._certificate("CA Waktu Asing", self.key, (self.root, self.root_key), is_ca=True)

    def unit(
        self,
        key: Key,
        *,
        usages: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.TIME_STAMPING,),
        critical: bool = True,
        days: tuple[int, int] = (-30, 700),
        key_days: int | None = None,
        published: bool = True,
    ) -> x509.Certificate:
        return self._certificate(
            "Unit Asing",
            key,
            (self.issuer, self.key),
            usages=usages,
            critical=critical,
            days=days,
            key_days=key_days,
            published=published,
        )

    def lists(self, path: str) -> bytes:
        """What is answered to a request for ``/root.crl`` and ``/issuer.crl``."""
        issuer, key = (self.root, self.root_key) if "root" in path else (self.issuer, self.key)
        now = self.now().replace(microsecond=0)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.subject)
            .last_update(now - timedelta(hours=1))
            .next_update(now + timedelta(days=1))
            .add_extension(x509.CRLNumber(1), critical=False)
        )
        for serial in self.revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(serial)
                .revocation_date(now - timedelta(hours=2))
                .build()
            )
        return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def _certificate(
        self,
        name: str,
        key: Key,
        signer: tuple[x509.Certificate, Key] | None,
        *,
        is_ca: bool = False,
        usages: tuple[x509.ObjectIdentifier, ...] = (),
        critical: bool = True,
        days: tuple[int, int] = (-30, 3000),
        key_days: int | None = None,
        published: bool = True,
    ) -> x509.Certificate:
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "ID"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Otoritas Waktu Lain"),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        start = self.now().replace(microsecond=0) + timedelta(days=days[0])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(signer[0].subject if signer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=days[1]))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
            .add_extension(_usage(is_ca), critical=True)
        )
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=critical)
        if key_days is not None:
            period = x509.PrivateKeyUsagePeriod(start, start + timedelta(days=key_days))
            builder = builder.add_extension(period, critical=False)
        if signer is not None and published:
            at = f"{self.origin}/{'root' if is_ca else 'issuer'}.crl"
            point = x509.DistributionPoint([x509.UniformResourceIdentifier(at)], None, None, None)
            builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
        return builder.sign(signer[1] if signer else key, hashes.SHA256())


def _usage(is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(not is_ca, False, False, False, False, is_ca, is_ca, False, False)


def encoded(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


@dataclass
class OpensslTsa:
    """``openssl ts -reply``: other people's code, which knows nothing of ours."""

    folder: Path
    pki: ForeignPki
    unit: x509.Certificate
    key: Key
    options: str = "accuracy = millisecs:500\nordering = no\ness_cert_id_chain = no\ness_cert_id_alg = sha256"

    def __post_init__(self) -> None:
        pem = serialization.Encoding.PEM
        (self.folder / "unit.pem").write_bytes(self.unit.public_bytes(pem))
        (self.folder / "chain.pem").write_bytes(self.pki.issuer.public_bytes(pem))
        (self.folder / "key.pem").write_bytes(
            self.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        (self.folder / "serial").write_text("01")
        (self.folder / "ts.cnf").write_text(
            f"[tsa]\ndefault_tsa = one\n[one]\nserial = {self.folder}/serial\nsigner_digest = sha256\n"
            f"default_policy = 1.2.3.4.1\nother_policies = 1.2.3.4.5\ndigests = sha256, sha384, sha512\n"
            f"clock_precision_digits = 3\n{self.options}\n"
        )

    def __call__(self, path: str, body: bytes) -> bytes:
        if path.endswith(".crl"):
            return self.pki.lists(path)
        (self.folder / "q.tsq").write_bytes(body)
        command = [tool_path("openssl"), "ts", "-reply", "-config", "ts.cnf", "-queryfile", "q.tsq"]
        command += ["-signer", "unit.pem", "-inkey", "key.pem", "-chain", "chain.pem", "-out", "r.tsr"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return (self.folder / "r.tsr").read_bytes()


@dataclass
class LyingTsa:
    """Tells the truth but for what a test changes. Tokens are well made, whatever they say."""

    pki: ForeignPki
    unit: x509.Certificate
    key: Key
    ahead: timedelta = timedelta(0)
    accuracy: timedelta | None = timedelta(seconds=1)
    policy: str = "1.2.3.4.1"
    digest: bytes | None = None
    nonce: int | None = None
    drops_nonce: bool = False
    names: x509.Certificate | None = None  # in signing-certificate-v2
    signs_with: Key | None = None
    extra_info: bytes = b""
    carries: tuple[x509.Certificate, ...] = ()
    damage: Callable[[bytes], bytes] = lambda answer: answer

    def __call__(self, path: str, body: bytes) -> bytes:
        if path.endswith(".crl"):
            return self.pki.lists(path)
        asked = tsp.TimeStampReq.load(body)
        nonce = self.nonce if self.nonce is not None else asked["nonce"].native
        info = tst.tst_info(
            policy=self.policy,
            imprint=tst.imprint_of(self.digest or asked["message_imprint"]["hashed_message"].native),
            serial=7,
            moment=self.pki.now() + self.ahead,
            accuracy=b"" if self.accuracy is None else tst.accuracy_of(self.accuracy),
            nonce=None if self.drops_nonce else nonce,
        )
        info = der.tlv(der.SEQUENCE, der.read_tlv(info).content, self.extra_info)
        attributes = tst.signed_attributes(
            hashlib.sha256(info).digest(),
            tst.signing_certificate_attribute(hashlib.sha256(encoded(self.names or self.unit)).digest()),
        )
        key, signed = self.signs_with or self.key, der.tlv(der.SET, attributes)
        if isinstance(key, rsa.RSAPrivateKey):
            signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
            algorithm = der.sequence(der.oid("1.2.840.113549.1.1.1"), der.null())  # as many of them write it
        else:
            signature = key.sign(signed, ec.ECDSA(hashes.SHA256()))
            algorithm = der.sequence(der.oid("1.2.840.10045.4.3.2"))
        token = tst.token(
            info=info,
            attributes=attributes,
            issuer_and_serial=der.sequence(
                self.unit.issuer.public_bytes(), der.integer(self.unit.serial_number)
            ),
            digest_algorithm=der.sequence(der.oid("2.16.840.1.101.3.4.2.1"), der.null()),
            signature_algorithm=algorithm,
            signature=signature,
            certificates=b"".join(
                sorted({encoded(one) for one in (self.unit, self.pki.issuer, *self.carries)})
            ),
        )
        return self.damage(tst.granted(token))
