"""Other people's time-stamping authorities: OpenSSL, a second instance of ours, and liars."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ca import der, routes, tst
from ca import tables as ca_tables
from ca.errors import (
    Doubt,
    TimeNotAvailable,
    TimeStamperPaused,
    TimeStamperUnreachable,
    TimeStampNotBelieved,
    TimeStampRejected,
    UnitChanged,
)
from ca.model import CertificationConfig, ProfileName, RevocationReason
from ca.timestampers.answers import Expected, check_answer
from ca.timestampers.breaker import Breaker, Circuit
from ca.timestampers.evidence import ForeignEvidence
from ca.timestampers.failover import FailOver
from ca.timestampers.remote import Belief, Credentials, RemoteAuthority
from ca.timestampers.web import Web
from keys import tables as key_tables
from tests.ca.conftest import Pki, Ticks, run
from tests.keys.conftest import audit_metadata
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.support.databases import tables_in
from tests.support.needs import requires
from tests.support.stamping import ForeignPki, LyingTsa, Manners, OpensslTsa, encoded, served

pytestmark = pytest.mark.network
DIGEST = hashlib.sha256(b"nilai tanda tangan").digest()


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def foreign(closing: ExitStack) -> ForeignPki:
    """Its lists are served for the length of the test."""
    made: list[ForeignPki] = []
    origin = closing.enter_context(served(lambda path, _: made[0].lists(path)))
    made.append(ForeignPki(origin))
    return made[0]


class Asked:
    """A client of one authority, and what it is made of."""

    def __init__(
        self,
        closing: ExitStack,
        respond: Callable[[str, bytes], bytes],
        *anchors: x509.Certificate,
        clock: Callable[[], datetime] = now,
        timeout: float = 5.0,
        policies: frozenset[str] = frozenset(),
        credentials: Credentials | None = None,
        address: str | None = None,
    ) -> None:
        self.manners = Manners()
        origin = address or closing.enter_context(served(respond, self.manners))
        web = Web(timeout=timeout)
        closing.callback(web.close)
        self.ticks = Ticks()
        self.anchors = anchors
        self.evidence = ForeignEvidence(web, clock=clock)
        self.breaker = Breaker("the other authority", failures=3, pause=30.0, monotonic=self.ticks)
        self.authority = RemoteAuthority(
            f"{origin}/tsa",
            web=web,
            belief=Belief(trusted=lambda: self.anchors, policies=policies),
            evidence=self.evidence,
            clock=clock,
            breaker=self.breaker,
            credentials=credentials,
        )

    def stamp(self, digest: bytes = DIGEST) -> tuple[tuple[bytes, ...], bytes]:
        unit = next(self.authority.units())
        return unit.chain, unit.token(digest)


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


# --- those who tell the truth ----------------------------------------------------------------------------


@requires("openssl")
@pytest.mark.parametrize("kind", ["ec", "rsa", "no accuracy", "ess chain"])
def test_openssl_stamps_for_us_and_verifies_the_token_as_we_keep_it(
    closing: ExitStack, foreign: ForeignPki, tmp_path: Path, kind: str
) -> None:
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else p256()
    server = OpensslTsa(tmp_path, foreign, foreign.unit(key), key)
    if kind == "no accuracy":
        server.options = "ess_cert_id_alg = sha256"
    if kind == "ess chain":
        server.options = "ess_cert_id_chain = yes\ness_cert_id_alg = sha256\ntsa_name = yes"
    server.__post_init__()
    chain, token = Asked(closing, server, foreign.root).stamp()
    assert chain == (encoded(server.unit), encoded(foreign.issuer), encoded(foreign.root))
    assert cms.ContentInfo.load(token, strict=True).dump(force=True) == token
    (tmp_path / "token").write_bytes(token)
    (tmp_path / "root.pem").write_bytes(foreign.root.public_bytes(Encoding.PEM))
    verdict = run(
        *("openssl", "ts", "-verify", "-token_in", "-in", tmp_path / "token"),
        *("-CAfile", tmp_path / "root.pem", "-digest", DIGEST.hex()),
    )
    assert "Verification: OK" in verdict.stdout, verdict.stderr


def test_a_second_instance_of_ours_stamps_for_us_and_its_revocation_is_noticed(
    closing: ExitStack, pki: Pki, clock: FrozenClock
) -> None:
    made: list[Any] = []
    manners = Manners()
    origin = closing.enter_context(served(lambda path, body: _through(made[0], path, body), manners))
    folder = pki.folder / "other"
    folder.mkdir()
    tables = (key_tables.metadata, ca_tables.metadata, audit_metadata)
    begin = closing.enter_context(tables_in(f"sqlite:///{folder / 'ca.db'}", *tables))
    other = Pki(begin, clock, folder, Ticks(), CertificationConfig(base_url=origin))
    other.hierarchy.init()
    application = FastAPI()
    application.include_router(routes.router(other.revocation, other.tsa, read=other.begin, clock=clock))
    made.append(InProcess(application))

    asked = Asked(closing, bytes.__add__, other.certificate(ProfileName.ROOT), clock=clock, address=origin)  # type: ignore[arg-type]
    chain, _ = asked.stamp()
    assert chain == other.tsa.chain
    evidence = asked.evidence.of(chain)
    assert len(evidence.status.ocsp_responses) == 1  # for the unit; a list says it of the authority
    assert len(evidence.status.crls) == 1
    assert evidence.certificates
    fetched = len(manners.asked)
    asked.stamp()
    assert len(manners.asked) == fetched + 1, "evidence is fetched once, and tokens one by one"

    record = other.record(ProfileName.TIMESTAMPING)
    other.revocation.revoke(record.serial, reason=RevocationReason.KEY_COMPROMISE)
    clock.advance(timedelta(hours=2))
    other.ticks.value += 10
    with pytest.raises(TimeNotAvailable):
        asked.stamp()
    other.hierarchy.init()  # a new unit
    other.ticks.value += 10
    assert asked.stamp()[0][0] == other.record(ProfileName.TIMESTAMPING).der != chain[0]


def _through(web: InProcess, path: str, body: bytes) -> bytes:
    answer = web.post(path, content=body) if body else web.get(path)
    content: bytes = answer.content
    return content


def test_a_unit_that_was_exchanged_is_said_so_and_then_asked(closing: ExitStack, foreign: ForeignPki) -> None:
    keys = p256(), p256()
    first, second = (LyingTsa(foreign, foreign.unit(key), key) for key in keys)
    current = [first]
    asked = Asked(closing, lambda *question: current[0](*question), foreign.root)  # noqa: PLW0108 - it changes
    asked.stamp()
    units = asked.authority.units()
    known = next(units)
    current[0] = second
    with pytest.raises(UnitChanged):
        known.token(DIGEST)
    other = next(units)
    assert other.chain[0] == encoded(second.unit)
    other.token(DIGEST)
    assert next(units, None) is None
    assert asked.breaker.circuit is Circuit.CLOSED, "to have another unit is no failure"


def test_the_password_is_sent_and_never_printed(closing: ExitStack, foreign: ForeignPki) -> None:
    key = p256()
    credentials = Credentials("absah", "rahasia sekali")
    asked = Asked(closing, LyingTsa(foreign, foreign.unit(key), key), foreign.root, credentials=credentials)
    asked.stamp()
    assert set(asked.manners.authorization) == {"Basic YWJzYWg6cmFoYXNpYSBzZWthbGk="}
    assert "rahasia" not in repr(credentials)


# --- liars -----------------------------------------------------------------------------------------------

_OTHER_ROOT = ForeignPki("http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("lie", "doubt"),
    [
        ({"digest": bytes(32)}, Doubt.IMPRINT),
        ({"nonce": 5}, Doubt.NONCE),
        ({"drops_nonce": True}, Doubt.NONCE),
        ({"policy": "1.2.3.4.9"}, Doubt.POLICY),
        ({"accuracy": timedelta(seconds=2)}, Doubt.ACCURACY),
        ({"ahead": timedelta(minutes=5)}, Doubt.TIME),
        ({"ahead": timedelta(minutes=-5)}, Doubt.TIME),
        ({"signs_with": p256()}, Doubt.SIGNATURE),
        ({"names": _OTHER_ROOT.root}, Doubt.UNIT),
        (
            {"extra_info": der.tlv(0xA1, der.sequence(der.oid("1.2.3"), der.boolean(True), der.null()))},
            Doubt.EXTENSION,
        ),
        ({"damage": lambda answer: answer + b"\0"}, Doubt.FORM),
        ({"damage": lambda answer: answer[:-1]}, Doubt.FORM),
        ({"damage": lambda answer: b"<html>"}, Doubt.FORM),
        ({"damage": lambda answer: tst.granted(b"\x05\x00")}, Doubt.FORM),
        ({"damage": lambda answer: der.sequence(der.sequence(der.integer(0)))}, Doubt.FORM),
    ],
)
def test_every_lie_is_refused_with_its_own_reason(
    closing: ExitStack, foreign: ForeignPki, lie: dict[str, Any], doubt: Doubt
) -> None:
    key = p256()
    honest = LyingTsa(foreign, foreign.unit(key), key)
    asked = Asked(closing, honest, foreign.root, policies=frozenset({"1.2.3.4.1"}))
    asked.stamp()
    for name, value in lie.items():
        setattr(honest, name, value)
    with pytest.raises(TimeStampNotBelieved) as refused:
        asked.stamp()
    assert refused.value.doubt is doubt, refused.value


@pytest.mark.parametrize(
    ("made", "doubt"),
    [
        ({"usages": (ExtendedKeyUsageOID.CODE_SIGNING,)}, Doubt.UNIT),
        ({"usages": (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)}, Doubt.UNIT),
        ({"critical": False}, Doubt.UNIT),
        ({"usages": ()}, Doubt.UNIT),
        ({"days": (-400, 365)}, Doubt.EXPIRED),
        ({"days": (1, 365)}, Doubt.EXPIRED),
        ({"key_days": 20}, Doubt.EXPIRED),
        ({"published": False}, Doubt.STATUS),
    ],
)
def test_a_unit_that_is_not_one_for_time_stamps_now_is_refused(
    closing: ExitStack, foreign: ForeignPki, made: dict[str, Any], doubt: Doubt
) -> None:
    key = p256()
    with pytest.raises(TimeStampNotBelieved) as refused:
        Asked(closing, LyingTsa(foreign, foreign.unit(key, **made), key), foreign.root).stamp()
    assert refused.value.doubt is doubt, refused.value


def test_an_authority_that_nobody_trusts_is_refused_with_the_remedy(
    closing: ExitStack, foreign: ForeignPki
) -> None:
    key = p256()
    asked = Asked(closing, LyingTsa(foreign, foreign.unit(key), key), _OTHER_ROOT.root)
    with pytest.raises(TimeStampNotBelieved, match="trust/time") as refused:
        asked.stamp()
    assert refused.value.doubt is Doubt.PATH


@pytest.mark.parametrize("who", ["unit", "issuer"])
def test_a_revoked_unit_or_authority_is_refused(closing: ExitStack, foreign: ForeignPki, who: str) -> None:
    key = p256()
    unit = foreign.unit(key)
    foreign.revoked.add(unit.serial_number if who == "unit" else foreign.issuer.serial_number)
    with pytest.raises(TimeStampNotBelieved) as refused:
        Asked(closing, LyingTsa(foreign, unit, key), foreign.root).stamp()
    assert refused.value.doubt is Doubt.REVOKED


def test_a_rejection_is_told_in_the_words_of_the_standard_and_not_in_those_of_the_server(
    closing: ExitStack, foreign: ForeignPki
) -> None:
    answer = tst.rejected(tst.FailInfo.TIME_NOT_AVAILABLE, "jangan percaya\nINFO ok")
    asked = Asked(closing, lambda path, body: answer, foreign.root)
    with pytest.raises(TimeStampRejected, match=r"status 2, time not available$"):
        asked.stamp()


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(at=st.integers(0, 10_000), to=st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
def test_one_changed_byte_is_refused_or_changes_nothing_that_is_kept(at: int, to: int) -> None:
    answer, expected, honest = _exchange()
    changed = bytearray(answer)
    changed[at % len(changed)] = to
    try:
        found = check_answer(bytes(changed), expected)
    except TimeNotAvailable:
        return
    assert found == honest


@given(st.binary(max_size=300))
def test_garbage_is_refused_never_a_crash(garbage: bytes) -> None:
    _, expected, _ = _exchange()
    with pytest.raises(TimeNotAvailable):
        check_answer(garbage, expected)


_MADE: list[Any] = []


def _exchange() -> tuple[bytes, Expected, Any]:
    if not _MADE:
        key = p256()
        foreign = ForeignPki("http://127.0.0.1:1")
        question = der.sequence(der.integer(1), tst.imprint_of(DIGEST), der.integer(99), der.boolean(True))
        answer = LyingTsa(foreign, foreign.unit(key), key)("/tsa", question)
        expected = Expected(
            digest=DIGEST,
            nonce=99,
            policies=frozenset(),
            anchors=(foreign.root,),
            asked=now(),
            answered=now(),
            tolerance=timedelta(hours=1),
            coarsest=timedelta(seconds=1),
        )
        _MADE.extend((answer, expected, check_answer(answer, expected)))
    return tuple(_MADE)  # type: ignore[return-value]


# --- bad manners -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manners", "words"),
    [
        ({"status": 500}, "HTTP 500"),
        ({"status": 302}, "HTTP 302"),
        ({"delay": 3.0}, "did not answer within 0.5 s"),
        ({"drip": 0.05}, "did not answer within 0.5 s"),
    ],
)
def test_a_slow_or_failing_server_costs_the_timeout_and_no_more(
    closing: ExitStack, foreign: ForeignPki, manners: dict[str, Any], words: str
) -> None:
    key = p256()
    asked = Asked(closing, LyingTsa(foreign, foreign.unit(key), key), foreign.root, timeout=0.5)
    for name, value in manners.items():
        setattr(asked.manners, name, value)
    started = time.monotonic()
    with pytest.raises(TimeStamperUnreachable, match=words):
        asked.stamp()
    assert time.monotonic() - started < 1.5


def test_an_endless_answer_and_nobody_there_are_unreachable(closing: ExitStack, foreign: ForeignPki) -> None:
    with pytest.raises(TimeStamperUnreachable, match="more than 65536 bytes"):
        Asked(closing, lambda path, body: bytes(1_000_000), foreign.root).stamp()
    with pytest.raises(TimeStamperUnreachable, match="cannot be reached"):
        Asked(closing, bytes.__add__, foreign.root, address="http://127.0.0.1:1").stamp()  # type: ignore[arg-type]


# --- the breaker -----------------------------------------------------------------------------------------


def test_who_fails_three_times_is_left_alone_and_one_attempt_finds_out_whether_it_is_back(
    closing: ExitStack, foreign: ForeignPki
) -> None:
    key = p256()
    asked = Asked(closing, LyingTsa(foreign, foreign.unit(key), key), foreign.root)
    asked.manners.status = 503
    for _ in range(3):
        assert asked.breaker.circuit is Circuit.CLOSED
        with pytest.raises(TimeStamperUnreachable):
            asked.stamp()
    assert asked.breaker.circuit is Circuit.OPEN
    with pytest.raises(TimeStamperPaused):
        asked.stamp()
    assert len(asked.manners.asked) == 3
    asked.ticks.value += 30
    with pytest.raises(TimeStamperUnreachable):  # still away: the pause begins anew
        asked.stamp()
    with pytest.raises(TimeStamperPaused):
        asked.stamp()
    asked.ticks.value += 30
    asked.manners.status = 200
    asked.stamp()
    assert asked.breaker.circuit is Circuit.CLOSED


def test_while_one_attempt_finds_out_nobody_else_is_let_through() -> None:
    ticks = Ticks()
    breaker = Breaker("the other authority", failures=1, pause=10.0, monotonic=ticks)
    with pytest.raises(ZeroDivisionError), breaker.attempt():
        raise ZeroDivisionError
    ticks.value += 10
    with breaker.attempt():
        assert breaker.circuit is Circuit.HALF_OPEN
        assert not breaker.lets_through
        with pytest.raises(TimeStamperPaused), breaker.attempt():
            raise AssertionError("two at once")
    assert breaker.circuit is Circuit.CLOSED


def test_the_order_is_kept_and_who_fails_is_passed_over(closing: ExitStack, foreign: ForeignPki) -> None:
    key = p256()
    failing = Asked(closing, lambda path, body: b"", foreign.root)
    lying = Asked(closing, LyingTsa(foreign, foreign.unit(key), key, nonce=1), foreign.root)
    good = Asked(closing, LyingTsa(foreign, foreign.unit(key), key), foreign.root)
    both = FailOver([failing.authority, lying.authority, good.authority])
    (unit,) = both.units()
    assert unit.token(DIGEST)
    with pytest.raises(TimeStampNotBelieved):
        list(FailOver([failing.authority, lying.authority]).units())


def test_who_speaks_for_the_certificates_and_does_not_answer_opens_the_circuit_as_well(
    closing: ExitStack,
) -> None:
    """Or every document would wait for it anew."""
    nobody = ForeignPki("http://127.0.0.1:1")
    key = p256()
    asked = Asked(closing, LyingTsa(nobody, nobody.unit(key), key), nobody.root)
    for _ in range(3):
        with pytest.raises(TimeStampNotBelieved) as refused:
            asked.stamp()
        assert refused.value.doubt is Doubt.STATUS
    with pytest.raises(TimeStamperPaused):
        asked.stamp()
