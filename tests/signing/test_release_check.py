"""Nothing leaves that is not exactly what was meant: every kind of damage to the finished file is noticed."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from signing import pdf
from signing.check import Expected, check_sealed
from signing.errors import SealNotReleased
from signing.ports import Evidence
from signing.qr import draw, qr_code, read_drawing
from tests.signing.pdfs import CORNER, DIGITS, LINK, TEXT, letter, seal
from tests.signing.pki import NOW, hierarchy


@cache
def sealed_letter() -> tuple[bytes, Expected]:
    source = letter()
    sealed, content = seal(source)
    root = hierarchy()
    evidence = root.evidence_for(root.seal())
    with pdf.prepare(io.BytesIO(source)) as prepared:
        previous = prepared.last_xref
    return content, Expected(
        size=sealed.size,
        digest=sealed.digest,
        source_size=len(source),
        source_digest=hashlib.sha256(source).digest(),
        link=LINK,
        receipt_digits=DIGITS,
        document_id=TEXT.document_id,
        certificates=(root.seal().certificate, root.issuing.encoded),
        timestamping_certificate=root.unit.encoded,
        previous_xref=previous,
        certifies=True,
        evidence=evidence,
    )


def check(content: bytes, expected: Expected) -> None:
    check_sealed(io.BytesIO(content), replace(expected, digest=hashlib.sha256(content).digest()))


def test_the_genuine_file_passes() -> None:
    check_sealed(io.BytesIO(sealed_letter()[0]), sealed_letter()[1])


@settings(max_examples=150, deadline=None)
@given(position=some.integers(0, 10**9), bit=some.integers(0, 7))
def test_any_flipped_bit_is_noticed(position: int, bit: int) -> None:
    content, expected = sealed_letter()
    damaged = bytearray(content)
    damaged[position % len(content)] ^= 1 << bit
    with pytest.raises(SealNotReleased):
        check_sealed(io.BytesIO(damaged), expected)


@settings(max_examples=150, deadline=None)
@given(position=some.integers(0, 10**9), bit=some.integers(0, 7))
def test_any_flipped_signed_bit_is_noticed_even_when_the_digest_of_the_file_is_not_known(
    position: int, bit: int
) -> None:
    content, expected = sealed_letter()
    first, after = content.index(b"/Contents<") + 9, content.index(b">>>\nendobj") + 1
    position %= len(content) - (after - first)
    damaged = bytearray(content)
    damaged[position if position < first else position + after - first] ^= 1 << bit
    with pytest.raises(SealNotReleased):
        check(bytes(damaged), expected)


@pytest.mark.parametrize("extra", [b"\n", b"%%EOF\n", bytes(100)])
def test_bytes_behind_the_end_are_noticed(extra: bytes) -> None:
    content, expected = sealed_letter()
    with pytest.raises(SealNotReleased, match="size"):
        check(content + extra, expected)
    with pytest.raises(SealNotReleased):
        check(content + extra, replace(expected, size=len(content) + len(extra)))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"link": LINK[:-1] + "9"}, "QR code"),
        ({"receipt_digits": DIGITS[:-1] + "9"}, "signature dictionary"),
        ({"document_id": "0000000000000000"}, "signature dictionary"),
        ({"previous_xref": 1}, "structure"),
        ({"source_digest": bytes(32)}, "source"),
        ({"certificates": (hierarchy().unit.encoded, hierarchy().issuing.encoded)}, "signature"),
        ({"certificates": (hierarchy().seal().certificate,)}, "signature"),
        ({"timestamping_certificate": hierarchy().responder.encoded}, "timestamp"),
        ({"evidence": Evidence(crls=(b"\\x30\\x00",))}, "evidence"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
def test_a_file_that_says_something_else_than_was_meant_is_withheld(
    change: dict[str, object], named: str
) -> None:
    content, expected = sealed_letter()
    with pytest.raises(SealNotReleased) as caught:
        check_sealed(io.BytesIO(content), replace(expected, **change))  # type: ignore[arg-type]
    assert caught.value.check == named


def test_a_key_that_does_not_belong_to_the_certificate_never_gets_a_file_out() -> None:
    root = hierarchy()
    foreign = replace(root.seal(), sign=root.unit.sign)
    with pytest.raises(SealNotReleased, match="does not verify"):
        seal(letter(), identity=foreign, place=CORNER)


def test_a_timestamp_over_something_else_never_gets_a_file_out() -> None:
    class Careless(type(hierarchy().timestamper())):  # type: ignore[misc]
        def token(self, digest: bytes) -> bytes:
            token: bytes = super().token(hashlib.sha256(digest).digest())
            return token

    root = hierarchy()
    stamper = Careless(root.unit, (root.issuing.encoded, root.root.encoded), NOW)
    with pytest.raises(SealNotReleased, match="over something else"):
        seal(letter(), timestamper=stamper)


def test_a_source_that_changes_underfoot_is_noticed() -> None:
    root = hierarchy()
    stream = io.BytesIO(letter())
    with pdf.prepare(stream) as prepared:
        stream.getbuffer()[100] ^= 1
        with pytest.raises(SealNotReleased, match="changed while"):
            pdf.seal_pdf(
                source=prepared,
                target=io.BytesIO(),
                stamp=TEXT,
                link=LINK,
                receipt_digits=DIGITS,
                place=CORNER,
                identity=root.seal(),
                timestamper=root.timestamper(),
                evidence=root.evidence_for(root.seal()),
                at=NOW,
            )


@settings(max_examples=40, deadline=None)
@given(digits=some.text("0123456789", min_size=0, max_size=1500), level=some.sampled_from("MQ"))
def test_what_is_drawn_reads_back_as_the_link(digits: str, level: str) -> None:
    link = f"https://absah.example/d/7K3M9QXFA2B4C6D8#{digits}"
    assert read_drawing(draw(qr_code(link, level))) == link  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "operators",
    [
        b"",
        b"/C cs\n1 1 1 sc\n0 0 29 29 re f\n0 0 0 sc\nf\n",
        b"/C cs\n1 1 1 sc\n0 0 29 29 re f\n0 0 0 sc\n4 4 9 1 re\nf\n",
        b"/C cs\n1 1 1 sc\n0 0 29 29 re f\n0 0 0 sc\n28 4 8 1 re\nf\n",
        b"/C cs\n1 1 1 sc\n0 0 29 29 re f\n0 0 0 sc\n4 29 1 1 re\nf\n",
        b"/C cs\n1 1 1 sc\n0 0 29 30 re f\n0 0 0 sc\nf\n",
        b"/C cs\n1 1 1 sc\n0 0 29 29 re f\n0 0 0 sc\nf\n/Im0 Do\n",
    ],
)
def test_operators_that_are_not_a_code_read_as_nothing(operators: bytes) -> None:
    assert read_drawing(operators) is None
