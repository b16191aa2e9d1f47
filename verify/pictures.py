"""QR codes out of photos and scans. Hostile pictures are normal input: bounded pixels, typed errors."""

from __future__ import annotations

import warnings
from typing import BinaryIO

import zxingcpp
from PIL import Image, ImageOps, UnidentifiedImageError

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_LARGEST_SIDE = 4000
"""More pixels do not help the decoder; a QR symbol that fills a tenth of the side still has 5 per module."""


class PictureUnreadable(Exception):
    """Not a picture, or one that is larger than we decode. The message names which."""


def read_codes(picture: BinaryIO, *, max_pixels: int) -> tuple[str, ...]:
    """The texts of all QR codes in a JPEG, PNG, WebP, GIF, BMP or TIFF picture.

    Raises :class:`PictureUnreadable` when it is none of these, damaged, or has more than ``max_pixels``.
    """
    picture.seek(0)
    try:
        with warnings.catch_warnings():
            # Pillow only warns about decompression bombs up to twice its own limit; ours is checked below.
            warnings.simplefilter("ignore")
            with Image.open(picture, formats=_FORMATS) as opened:
                if opened.width * opened.height > max_pixels:
                    raise PictureUnreadable(
                        f"{opened.width} x {opened.height} pixels are more than {max_pixels}"
                    )
                opened.draft("L", (_LARGEST_SIDE, _LARGEST_SIDE))
                image = ImageOps.exif_transpose(opened).convert("L")
    except UnidentifiedImageError:
        raise PictureUnreadable("not a JPEG, PNG, WebP, GIF, BMP or TIFF picture") from None
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        OverflowError,
        MemoryError,
        Image.DecompressionBombError,
    ) as e:
        raise PictureUnreadable(f"the picture is damaged ({type(e).__name__})") from e
    if max(image.size) > _LARGEST_SIDE:
        image.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE))
    found = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode]))
    return tuple(code.text for code in found if code.valid)
