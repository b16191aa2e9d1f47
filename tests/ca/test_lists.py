"""Complete, delta and partitioned revocation lists: one truth, however it is put together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from ca import crl
from ca import tables as ca_tables
from ca.errors import CertificateUnknown, RevocationRefused
from ca.model import (
    CertificateStanding,
    CertificateStatus,
    CrlRecord,
    ListScope,
    ProfileName,
    RevocationReason,
    read_list_name,
)
from ca.tables import Certificates, certificates, crls
from keys import tables as key_tables
from tests.ca.conftest import CONFIG, Pki, run
from tests.keys.conftest import audit_metadata
from tests.support.clock import FrozenClock
from tests.support.databases import tables_in
from tests.support.needs import requires
from tests.support.pkilint import pkilint

AGENCY = "dpmptsp"
LIST = "issuing-1-p1"
HOLD, COMPROMISE = RevocationReason.CERTIFICATE_HOLD, RevocationReason.KEY_COMPROMISE


@contextmanager
def two_to_a_partition(clock: FrozenClock, folder: Path) -> Iterator[Pki]:
    with tables_in(
        f"sqlite:///{folder / 'small.db'}", key_tables.metadata, ca_tables.metadata, audit_metadata
    ) as begin:
        pki = Pki(begin, clock, folder, config=replace(CONFIG, crl_partition_size=2))
        pki.hierarchy.init()
        yield pki


def facts(encoded: bytes) -> dict[int, tuple[object, ...]]:
    """A list's entries as another parser reads them."""
    found: dict[int, tuple[object, ...]] = {}
    for entry in x509.load_der_x509_crl(encoded):
        reason = lost = None
        for one in entry.extensions:
            if isinstance(one.value, x509.CRLReason):
                reason = one.value.reason
            elif isinstance(one.value, x509.InvalidityDate):
                lost = one.value.invalidity_date_utc
        found[entry.serial_number] = (entry.revocation_date_utc, reason, lost)
    return found


def applied(base: bytes, delta: bytes) -> dict[int, tuple[object, ...]]:
    """RFC 5280 5.2.4: what a relying party makes of a list and a delta to it."""
    combined = facts(base)
    for serial, said in facts(delta).items():
        if said[1] is x509.ReasonFlags.remove_from_crl:
            combined.pop(serial, None)
        else:
            combined[serial] = said
    return combined


def history(pki: Pki, name: str = LIST) -> list[CrlRecord]:
    scope, _ = read_list_name(name) or pytest.fail(name)
    with pki.begin() as tx:
        rows = tx.execute(select(crls).where(crls.c.issuer == scope.name).order_by(crls.c.number)).all()
    return [
        CrlRecord(
            scope.issuer, r.number, r.der, r.this_update, r.next_update, scope.partition, r.delta, r.base
        )
        for r in rows
    ]


# --- one truth ---------------------------------------------------------------------------------------

ACTS = st.lists(
    st.tuples(st.sampled_from(["revoke", "hold", "release", "look", "wait"]), st.integers(0, 2)), max_size=8
)


@given(acts=ACTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
def test_a_list_and_every_delta_that_may_be_applied_to_it_equal_the_later_list(
    pki: Pki, acts: list[tuple[str, int]]
) -> None:
    serials = [pki.seal(f"dinas-{number}").serial for number in range(3)]
    for act, which in acts:
        pki.clock.advance(timedelta(minutes=1))
        pki.ticks.value += 2
        try:
            match act:
                case "revoke":
                    pki.revocation.revoke(serials[which], COMPROMISE, pki.clock() - timedelta(hours=which))
                case "hold":
                    pki.revocation.revoke(serials[which], HOLD)
                case "release":
                    pki.revocation.release(serials[which])
                case "look":
                    pki.revocation.current_crl(LIST)
                case "wait":
                    pki.clock.advance(pki.config.issuing_crl_validity * (which + 1) / 3)
                    pki.revocation.current_crl(LIST)
        except RevocationRefused:
            pass
    pki.revocation.current_crl(LIST)
    lists = history(pki)
    assert [one.number for one in lists] == list(range(1, len(lists) + 1))
    for later in lists:
        assert later.delta is not None
        assert later.base is not None
        for earlier in lists[later.base - 1 : later.number]:
            # Straight from a complete list, and by way of every delta between the two.
            assert applied(earlier.der, later.delta) == facts(later.der), (earlier.number, later.number)
            if earlier.delta is not None and earlier.base is not None:
                partway = applied(lists[earlier.base - 1].der, earlier.delta)
                assert partway == facts(earlier.der)


def test_a_hold_that_came_and_went_between_two_lists_is_removed_from_who_applied_the_delta(pki: Pki) -> None:
    """The complete lists never both show it; a relying party that joined the delta in between has it."""
    pki.revocation.current_crl(LIST)
    serial = pki.record(ProfileName.SEAL, AGENCY).serial
    for act in (lambda: pki.revocation.revoke(serial, HOLD), lambda: pki.revocation.release(serial)):
        pki.clock.advance(timedelta(minutes=1))
        act()
    assert serial not in facts(history(pki)[0].der)
    last = history(pki)[-1]
    assert last.delta is not None
    assert facts(last.delta)[serial][1] is x509.ReasonFlags.remove_from_crl
    assert last.base == 1


def test_a_delta_reaches_back_to_the_oldest_list_that_has_not_ended(pki: Pki) -> None:
    first = pki.revocation.current_crl(LIST)
    pki.clock.advance(pki.config.issuing_crl_validity / 2)
    pki.ticks.value += 2
    assert pki.revocation.current_crl(LIST).base == first.number
    pki.clock.advance(pki.config.issuing_crl_validity / 2)
    pki.ticks.value += 2
    assert pki.revocation.current_crl(LIST).base == first.number + 1


def test_every_list_ever_issued_is_kept_and_numbers_go_on_after_a_restart(pki: Pki) -> None:
    serial = pki.record(ProfileName.SEAL, AGENCY).serial
    pki.revocation.current_crl(LIST)
    pki.revocation.revoke(serial, HOLD)
    again = pki.restarted()
    again.revocation.release(serial)
    assert [x509.load_der_x509_crl(one.der) is not None for one in history(again)] == [True] * 3
    assert [one.number for one in history(again)] == [1, 2, 3]


# --- partitions --------------------------------------------------------------------------------------


def test_certificates_carry_the_address_of_their_partition_and_stand_on_its_list_only(
    clock: FrozenClock, tmp_path: Path
) -> None:
    with two_to_a_partition(clock, tmp_path) as pki:
        seals = [pki.seal(f"dinas-{number}") for number in range(3)]
        # The two certificates of the service itself fill the first partition.
        assert [seal.partition for seal in seals] == [2, 2, 3]
        for seal in seals:
            pki.revocation.revoke(seal.serial, RevocationReason.SUPERSEDED)
        pki.revocation.lists.renew("issuing-1")
        for partition, expected in ((1, []), (2, seals[:2]), (3, seals[2:])):
            found = pki.revocation.current_crl(f"issuing-1-p{partition}")
            assert facts(found.der).keys() == {seal.serial for seal in expected}
            parsed = x509.load_der_x509_crl(found.der)
            own = parsed.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
            assert own.critical
            for seal in expected:
                issued = x509.load_der_x509_certificate(seal.der)
                point = issued.extensions.get_extension_for_class(x509.CRLDistributionPoints).value[0]
                assert own.value.full_name == point.full_name
        whole = pki.revocation.current_crl("issuing-1")
        assert facts(whole.der).keys() == {seal.serial for seal in seals}


@pytest.mark.parametrize(
    "name", ["issuing-1-p2", "issuing-1-p0", "issuing-9-p1", "../issuing-1", "root-1-p1"]
)
def test_lists_that_no_certificate_points_to_are_not_made_for_strangers(pki: Pki, name: str) -> None:
    with pytest.raises(CertificateUnknown):
        pki.revocation.current_crl(name)


def test_a_full_partition_stays_under_a_megabyte(pki: Pki) -> None:
    """The fullest there can be: each entry with reason and date of loss."""
    with pki.begin() as tx:
        sample = tx.execute(select(certificates).where(certificates.c.profile == "seal")).one()._asdict()
        rows = []
        for number in range(CONFIG.crl_partition_size):
            serial = f"{(1 << 128) + number:x}"
            rows.append(
                sample
                | {
                    "serial": serial,
                    "name": f"seal-{serial}",
                    "status": "revoked",
                    "reason": 1,
                    "revoked_at": pki.clock() + timedelta(seconds=number),
                    "invalidity_date": pki.clock() + timedelta(seconds=number),
                    "sha256": hashlib.sha256(serial.encode()).digest(),
                }
            )
        tx.execute(insert(certificates), rows)
    found = pki.revocation.current_crl(LIST)
    assert len(facts(found.der)) == CONFIG.crl_partition_size
    assert len(found.der) < 1_000_000
    with pki.begin() as tx:
        assert Certificates(tx).open_partition("issuing-1", CONFIG.crl_partition_size) == 2


# --- what a list says --------------------------------------------------------------------------------


def test_lists_say_that_expired_certificates_stay_on_them(pki: Pki) -> None:
    parsed = x509.load_der_x509_crl(pki.revocation.current_crl(LIST).der)
    (said,) = (one for one in parsed.extensions if one.oid.dotted_string == "2.5.29.60")
    since = pki.certificate(ProfileName.ISSUING).not_valid_before_utc
    assert said.value.public_bytes() == b"\x18\x0f" + f"{since:%Y%m%d%H%M%S}Z".encode()


def test_entries_of_a_list_are_read_back_as_they_were_written(pki: Pki) -> None:
    pki.revocation.revoke(pki.record(ProfileName.SEAL, AGENCY).serial, COMPROMISE, pki.clock())
    with pki.begin() as tx:
        known = list(Certificates(tx).not_good(ListScope("issuing-1", 1)))
    found = pki.revocation.current_crl(LIST)
    assert crl.entries_of(found.der) == {one.serial: crl.entry(one) for one in known}
    pki.clock.advance(timedelta(days=40))


def test_dates_after_2049_are_written_in_four_digits(pki: Pki) -> None:
    at = pki.clock().replace(year=2051)
    known = CertificateStanding(1 << 128, CertificateStatus.REVOKED, at, COMPROMISE, None)
    assert b"\x18\x0f2051" in crl.entry(known)


# --- judges ------------------------------------------------------------------------------------------


@requires("openssl")
def test_openssl_finds_revocation_hold_and_release_with_the_partition_and_its_delta(
    pki: Pki, tmp_path: Path
) -> None:
    """`-use_deltas` combines the first list with the newest delta, as a relying party with a cache does."""
    base = pki.revocation.current_crl(LIST)
    seal = pki.pem(ProfileName.SEAL, AGENCY)
    pki.pem(ProfileName.ROOT), pki.pem(ProfileName.ISSUING)
    serial = pki.record(ProfileName.SEAL, AGENCY).serial

    def verdict(*lists: bytes, deltas: bool = True) -> tuple[int, str]:
        path = tmp_path / "lists.pem"
        path.write_bytes(b"".join(x509.load_der_x509_crl(one).public_bytes(Encoding.PEM) for one in lists))
        done = run(
            *("openssl", "verify", "-x509_strict", "-crl_check", *(["-use_deltas"] if deltas else [])),
            *("-CRLfile", path, "-attime", str(int(pki.clock().timestamp()))),
            *("-CAfile", pki.folder / "root.pem", "-untrusted", pki.folder / "issuing.pem", seal),
        )
        return done.returncode, done.stderr

    assert verdict(base.der, deltas=False) == (0, "")
    pki.clock.advance(timedelta(minutes=1))
    pki.revocation.revoke(serial, HOLD)
    held = pki.revocation.current_crl(LIST)
    assert held.delta is not None
    assert "certificate revoked" in verdict(base.der, held.delta)[1]
    assert "certificate revoked" in verdict(held.der, deltas=False)[1]
    pki.clock.advance(timedelta(minutes=1))
    pki.revocation.release(serial)
    released = pki.revocation.current_crl(LIST)
    assert released.delta is not None
    assert verdict(held.der, released.delta) == (0, "")
    assert verdict(base.der, released.delta) == (0, "")


@pytest.mark.parametrize("kind", ["complete", "delta"])
def test_pkilint_finds_no_error_in_the_lists_of_a_partition(pki: Pki, tmp_path: Path, kind: str) -> None:
    pki.revocation.current_crl(LIST)
    serials = [pki.seal(f"dinas-{number}").serial for number in range(3)]
    pki.revocation.revoke(serials[0], COMPROMISE, pki.clock())
    pki.revocation.revoke(serials[1], HOLD)
    pki.revocation.release(serials[1])
    pki.revocation.revoke(serials[2], HOLD)
    found = pki.revocation.current_crl(LIST)
    path = tmp_path / "list.crl"
    path.write_bytes(found.der if kind == "complete" else found.delta or b"")
    verdict = pkilint("lint_crl", "lint", "-t", "CRL", "-p", "PKIX", "-s", "WARNING", path)
    assert (verdict.returncode, verdict.stdout.strip()) == (0, ""), verdict.stdout + verdict.stderr


@requires("certtool")
@pytest.mark.parametrize("kind", ["complete", "delta"])
def test_gnutls_reads_the_lists(pki: Pki, tmp_path: Path, kind: str) -> None:
    pki.revocation.revoke(pki.record(ProfileName.SEAL, AGENCY).serial, COMPROMISE, pki.clock())
    found = pki.revocation.current_crl(LIST)
    path = tmp_path / "list.crl"
    path.write_bytes(found.der if kind == "complete" else found.delta or b"")
    verdict = run("certtool", "--crl-info", "--inder", "--infile", path)
    assert verdict.returncode == 0, verdict.stderr
    assert f"CRL Number (not critical): {found.number:02x}" in verdict.stdout
