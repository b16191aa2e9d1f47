"""Every encoder and strict reader against asn1crypto, which shares no code with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from asn1crypto import core
from hypothesis import given
from hypothesis import strategies as st

from ca import der
from ca.errors import MalformedDer

OIDS = st.builds(
    lambda head, tail: ".".join(map(str, (*head, *tail))),
    st.one_of(st.tuples(st.integers(0, 1), st.integers(0, 39)), st.tuples(st.just(2), st.integers(0, 2**40))),
    st.lists(st.integers(0, 2**64), max_size=4),
)
MOMENTS = st.datetimes(
    min_value=datetime(1950, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2049, 12, 31, 23, 59, 59),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(st.integers(-(2**300), 2**300))
def test_integers_are_what_asn1crypto_writes_and_read_back(value: int) -> None:
    encoded = der.integer(value)
    assert encoded == core.Integer(value).dump()
    assert der.read_integer(der.read_whole(encoded, der.INTEGER)) == value


@given(OIDS)
def test_object_identifiers_are_what_asn1crypto_writes_and_read_back(dotted: str) -> None:
    encoded = der.oid(dotted)
    assert encoded == core.ObjectIdentifier(dotted).dump()
    assert der.read_oid(der.read_whole(encoded, der.OID)) == dotted


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 24])
def test_lengths_are_minimal_at_every_boundary(size: int) -> None:
    value = bytes(size)
    encoded = der.octet_string(value)
    assert encoded == core.OctetString(value).dump()
    assert der.read_whole(encoded, der.OCTET_STRING).content == value


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_set_of_is_sorted_as_der_demands(values: list[bytes]) -> None:
    class Octets(core.SetOf):  # type: ignore[misc]
        _child_spec = core.OctetString

    assert der.set_of(*(der.octet_string(value) for value in values)) == Octets(values).dump(force=True)


@given(MOMENTS)
def test_utc_time_is_what_asn1crypto_writes(moment: datetime) -> None:
    assert der.utc_time(moment) == core.UTCTime(moment.replace(microsecond=0)).dump()
    assert der.time(moment) == der.utc_time(moment)


@given(MOMENTS, st.integers(1, 6))
def test_generalized_time_keeps_its_fraction_without_trailing_zeros(moment: datetime, digits: int) -> None:
    cut = moment.replace(microsecond=moment.microsecond // 10 ** (6 - digits) * 10 ** (6 - digits))
    encoded = der.generalized_time(moment, digits)
    assert core.GeneralizedTime.load(encoded).native == cut
    assert der.read_generalized_time(der.read_whole(encoded, der.GENERALIZED_TIME)) == cut
    assert not encoded.rstrip(b"Z").endswith((b".", b".0"))


def test_times_are_written_in_utc_and_years_from_2050_as_generalized_time() -> None:
    jakarta = timezone(timedelta(hours=7))
    assert der.utc_time(datetime(2026, 1, 1, 6, tzinfo=jakarta)) == b"\x17\x0d251231230000Z"
    assert der.time(datetime(2050, 1, 1, tzinfo=UTC)) == b"\x18\x0f20500101000000Z"
    with pytest.raises(ValueError, match="2050"):
        der.utc_time(datetime(2050, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="zone"):
        der.utc_time(datetime(2026, 1, 1))  # noqa: DTZ001 - the missing zone is the point


def test_context_tags_wrap_or_replace() -> None:
    assert der.explicit(0, der.integer(1)) == bytes.fromhex("a003020101")
    assert der.implicit(1, False, b"\x01") == bytes.fromhex("810101")
    assert der.implicit(1, True, der.integer(1)) == bytes.fromhex("a103020101")


@given(st.binary(max_size=60))
def test_the_reader_never_crashes_and_accepts_only_canonical_headers(data: bytes) -> None:
    try:
        element = der.read_tlv(data)
    except MalformedDer:
        return
    assert der.tlv(element.tag, element.content) == element.encoded == data[: element.end]


@pytest.mark.parametrize(
    ("hexed", "cause"),
    [
        ("", "header"),
        ("30", "header"),
        ("3080020101", "indefinite"),
        ("30810101", "shortest"),
        ("3082000101", "shortest"),
        ("3005020101", "longer"),
        ("1f8101", "more than one octet"),
        ("308500000000010000", "oversized"),
    ],
)
def test_headers_that_are_not_der_are_refused_with_the_cause(hexed: str, cause: str) -> None:
    with pytest.raises(MalformedDer, match=cause):
        der.read_tlv(bytes.fromhex(hexed))


def test_values_with_two_spellings_are_refused() -> None:
    def read(hexed: str) -> der.Element:
        return der.read_tlv(bytes.fromhex(hexed))

    for hexed in ("02020001", "0202ff80", "0200"):
        with pytest.raises(MalformedDer):
            der.read_integer(read(hexed))
    for hexed in ("010101", "0100"):
        with pytest.raises(MalformedDer):
            der.read_boolean(read(hexed))
    for hexed in ("0600", "06028001", "060181", "06" + "41" + "01" * 65):
        with pytest.raises(MalformedDer):
            der.read_oid(read(hexed))
    for text in (b"20260101000000", b"20260101000000.10Z", b"20260101000000.Z", b"20261301000000Z"):
        with pytest.raises(MalformedDer):
            der.read_generalized_time(der.read_tlv(der.tlv(der.GENERALIZED_TIME, text)))
    with pytest.raises(MalformedDer, match="follow"):
        der.read_whole(b"\x05\x00\x00", der.NULL)
    with pytest.raises(MalformedDer, match="primitive"):
        list(read("0500").children())
