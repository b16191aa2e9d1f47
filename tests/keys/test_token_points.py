"""A token hands out its public point wrapped or bare, as its maker likes: both are read as what they are."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from keys.stores.pkcs11.objects import CURVES, encoded_point

CURVE = st.sampled_from([curve for curve, _ in CURVES.values()])
SCALAR = st.integers(1, 2**255)
FORM = st.sampled_from([PublicFormat.UncompressedPoint, PublicFormat.CompressedPoint])


def point(curve: ec.EllipticCurve, scalar: int, form: PublicFormat = PublicFormat.UncompressedPoint) -> bytes:
    return ec.derive_private_key(scalar, curve).public_key().public_bytes(Encoding.X962, form)


@given(curve=CURVE, scalar=SCALAR, form=FORM)
def test_a_point_is_the_same_with_and_without_its_wrapping(
    curve: ec.EllipticCurve, scalar: int, form: PublicFormat
) -> None:
    bare = point(curve, scalar, form)
    wrapped = b"\x04" + bytes([len(bare)]) + bare
    assert encoded_point(bare, curve) == encoded_point(wrapped, curve) == bare


@pytest.mark.parametrize("curve", [curve for curve, _ in CURVES.values()], ids=lambda curve: curve.name)
def test_a_bare_point_that_looks_wrapped_is_read_whole(curve: ec.EllipticCurve) -> None:
    """One point in 256: its second byte is the length that a wrapping around the rest would name."""
    size = 2 * ((curve.key_size + 7) // 8) - 1
    bare = next(found for scalar in range(1, 10_000) if (found := point(curve, scalar))[1] == size)
    assert encoded_point(bare, curve) == bare


@given(curve=CURVE, value=st.binary(max_size=110))
def test_what_has_no_point_s_length_is_refused(curve: ec.EllipticCurve, value: bytes) -> None:
    size = (curve.key_size + 7) // 8
    lengths = {1 + size, 1 + 2 * size}
    is_wrapped = value[:1] == b"\x04" and len(value) - 2 in lengths and value[1] == len(value) - 2
    if len(value) in lengths or is_wrapped:
        return
    with pytest.raises(ValueError, match="no point"):
        encoded_point(value, curve)
