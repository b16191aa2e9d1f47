"""Makes the pictures of the README from the running product: ``python -m docs.pictures``.

Prepares the demo in a scratch folder, renders the sealed business licence with poppler, and photographs the
page behind its QR code on a phone-sized screen. A second house is for what stands behind a login: the request
that a custodian decides on.
"""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI
from PIL import Image

from app.provisioning import certify_agency
from identity.operators.model import Role
from keys.approvals import KeyAct
from tests.app.custody_room import list_freely, new_keeper
from tests.app.walker import Walker, appoint, person
from tests.pages.town import Town, served_town
from tests.support.asgi import InProcess
from tests.support.browser import running_chromium
from tests.support.clock import FrozenClock
from tests.support.custodians import KeyHolder
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
        office = Path(scratch) / "office"
        office.mkdir()
        with served_town(office) as town:
            pictures_of_custody(town)
    for picture in sorted(IMAGES.glob("*.png")):
        reduce(picture)
        print(f"{picture}  {picture.stat().st_size // 1000} kB")


def picture_of_page(pdf: Path, picture: Path) -> None:
    """The first page as paper shows it."""
    target = picture.with_suffix("")
    subprocess.run(
        [tool_path("pdftoppm"), "-r", str(PAGE_DPI), "-png", "-singlefile", pdf, target], check=True
    )


def picture_on_phone(url: str, picture: Path, *, somebody: Walker | None = None) -> None:
    """The first screen that a person sees after scanning, or that ``somebody`` sees who is logged in."""
    with running_chromium(tool_path("chromium")) as browser:
        context = browser.new_context(viewport=PHONE, device_scale_factor=2)
        if somebody is not None:
            context.add_cookies([{"name": "absah", "value": somebody.cookies["absah"], "url": url}])
        page = context.new_page()
        page.goto(url, wait_until="networkidle")
        page.screenshot(path=picture)


def pictures_of_custody(town: Town) -> None:
    """What a custodian sees whom somebody else asked."""
    core, nobody, clock = town.core, InProcess(FastAPI()), FrozenClock(datetime.now(UTC))
    agency = core.agencies.add_agency(
        "dpmptsp",
        name="Dinas Penanaman Modal",
        organization_identifier="NTRID-8120001234567",
        actor="cli:sari",
    )
    certify_agency(core, agency, actor="cli:sari")
    auditor = person(core, nobody, clock, 1, name="Rina")
    appoint(core, auditor, Role.AUDITOR)
    keeper = new_keeper(core, nobody, clock, 2, "budi")
    core.custodians.change_freely(KeyHolder("ani").joining, actor="cli:sari")
    list_freely(core, keeper)
    asked = {"purpose": "seal", "owner": "dpmptsp", "reason": "yearly rotation"}
    request = core.dual_control.request(KeyAct.ROTATE, asked, requester="cli:sari")
    picture_on_phone(
        f"{town.url}/custody/{request.id}?lang=en", IMAGES / "custody-page.png", somebody=keeper.walker
    )


def reduce(picture: Path) -> None:
    """A palette of 256 colours is enough for print and flat colours, and a third of the bytes."""
    with Image.open(picture) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(picture, optimize=True)
    if picture.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{picture} has more than {MOST_BYTES} bytes; lower the resolution.")


if __name__ == "__main__":
    main()
