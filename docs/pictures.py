"""Makes the pictures of the README from the running product: ``python -m docs.pictures``.

Prepares the demo in a scratch folder, renders the sealed business licence with poppler, and photographs the
page behind its QR code on a phone-sized screen.
"""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import closing
from pathlib import Path

from PIL import Image

from tests.support.browser import running_chromium
from tests.support.needs import tool_path
from tests.support.server import RunningServer, absah, free_port

IMAGES = Path(__file__).parent / "images"
MOST_BYTES = 300_000
PAGE_DPI = 110
PHONE = {"width": 390, "height": 844}


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "data"
        settings = {"ABSAH_DATA_DIR": str(data)}
        absah("demo", "--only-prepare", settings=settings)
        [sealed] = (data / "samples").glob("*.pdf")
        picture_of_page(sealed, IMAGES / "sealed-page.png")
        server = RunningServer(settings, (), Path(scratch) / "serve.log", free_port())
        with closing(server):
            server.start()
            picture_on_phone(f"{server.base_url}/d/{sealed.stem}?lang=en", IMAGES / "verification-page.png")
    for picture in sorted(IMAGES.glob("*.png")):
        reduce(picture)
        print(f"{picture}  {picture.stat().st_size // 1000} kB")


def picture_of_page(pdf: Path, picture: Path) -> None:
    """The first page as paper shows it."""
    target = picture.with_suffix("")
    subprocess.run(
        [tool_path("pdftoppm"), "-r", str(PAGE_DPI), "-png", "-singlefile", pdf, target], check=True
    )


def picture_on_phone(url: str, picture: Path) -> None:
    """The first screen that a person sees after scanning."""
    with running_chromium(tool_path("chromium")) as browser:
        page = browser.new_page(viewport=PHONE, device_scale_factor=2)
        page.goto(url, wait_until="networkidle")
        page.screenshot(path=picture)


def reduce(picture: Path) -> None:
    """A palette of 256 colours is enough for print and flat colours, and a third of the bytes."""
    with Image.open(picture) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(picture, optimize=True)
    if picture.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{picture} has more than {MOST_BYTES} bytes; lower the resolution.")


if __name__ == "__main__":
    main()
