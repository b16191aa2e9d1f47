"""A certificate of training on a landscape page, with the border that certificates have."""

from __future__ import annotations

from datetime import date
from math import cos, pi, sin

from reportlab.lib.colors import HexColor

from app.demo import emblems
from app.demo.model import SampleDocument
from app.demo.offices import TRAINING
from app.demo.sheet import LANDSCAPE, SERIF_BOLD, SERIF_ITALIC, SOFT, Sheet
from signing.model import Holder

NUMBER = "893.3/0417/BPSDM-TK/2026"
HOLDER = "Damar Wulung Prasetya"
COURSE = "Pelatihan Pelayanan Publik Digital Angkatan IV"


def training_certificate() -> SampleDocument:
    sheet = Sheet(LANDSCAPE, title=f"Sertifikat {NUMBER}", author=TRAINING.name, margin=78)
    _border(sheet)
    middle = sheet.width / 2
    top = sheet.height - 50
    emblems.province(sheet.canvas, middle - 26, top - 50, 52)
    y = top - 66
    sheet.text(middle, y, "PEMERINTAH PROVINSI TIRTA KENCANA", size=11, align="centre", spacing=0.6)
    sheet.text(
        middle, y - 16, "BADAN PENGEMBANGAN SUMBER DAYA MANUSIA", font=SERIF_BOLD, size=12.5, align="centre",
        spacing=0.4,
    )  # fmt: skip
    sheet.text(middle, y - 51, "SERTIFIKAT", font=SERIF_BOLD, size=28, colour=emblems.FOREST, align="centre",
               spacing=7)  # fmt: skip
    sheet.text(middle, y - 67, f"Nomor {NUMBER}", size=10.5, colour=SOFT, align="centre")
    sheet.text(middle, y - 87, "diberikan kepada", font=SERIF_ITALIC, size=12, colour=SOFT, align="centre")
    sheet.text(middle, y - 114, HOLDER, font=SERIF_BOLD, size=23, align="centre")
    sheet.rule(y - 122, x0=middle - 190, x1=middle + 190, weight=0.8, colour=emblems.GOLD)
    y = sheet.paragraph(
        middle - 275,
        y - 130,
        550,
        f"yang telah mengikuti dan <b>lulus dengan predikat sangat baik</b> {COURSE}, diselenggarakan "
        "di Kencana pada tanggal 3 sampai dengan 28 Agustus 2026 dan meliputi 160 jam.",
        size=11.5,
        leading=15.5,
        align="centre",
    )
    sheet.paragraph(
        sheet.left,
        y - 26,
        250,
        "<b>Materi pokok</b><br/>Hak warga dan standar pelayanan<br/>Perlindungan data pribadi<br/>"
        "Perancangan layanan yang mudah diakses<br/>Tanda tangan dan segel elektronik<br/>"
        "Pengelolaan pengaduan",
        size=9.6,
        leading=14.4,
        colour=SOFT,
    )
    place = sheet.signature(
        y - 14,
        ["Kencana, 31 Agustus 2026", "<b>Kepala Badan Pengembangan Sumber Daya Manusia</b>"],
        "Ayu Lintang Maheswari",
        "NIP 19740615 199803 2 999",
        width=310,
    )
    sheet.footer("Berlaku sampai 31 Agustus 2031")
    return SampleDocument(
        slug="training-certificate",
        pdf=sheet.finish(),
        agency=TRAINING.slug,
        type="certificate",
        number=NUMBER,
        title=f"Sertifikat {COURSE}",
        signatory="Kepala Badan Pengembangan Sumber Daya Manusia",
        issued_on=date(2026, 8, 31),
        valid_until=date(2031, 8, 31),
        holder=Holder(HOLDER),
        place=place,
    )


def _border(sheet: Sheet) -> None:
    """A guilloche band between two rules: three waves out of phase, closed around the page."""
    canvas = sheet.canvas
    inset, band = 30.0, 9.0
    canvas.setStrokeColor(HexColor("#9DB8A6"))
    canvas.setLineWidth(0.45)
    wide, tall = sheet.width - 2 * inset, sheet.height - 2 * inset - 32
    corner = (inset, inset + 32)
    for phase in range(4):
        for start, length, across in (
            (corner, wide, False),
            ((corner[0], corner[1] + tall), wide, False),
            (corner, tall, True),
            ((corner[0] + wide, corner[1]), tall, True),
        ):
            path = canvas.beginPath()
            waves = round(length / 26)
            steps = waves * 12
            for step in range(steps + 1):
                along = length * step / steps
                swing = (
                    band
                    / 2
                    * sin(2 * pi * waves * step / steps + phase * pi / 2)
                    * (0.7 + 0.3 * cos(along / 40))
                )
                point = (
                    (start[0] + swing, start[1] + along) if across else (start[0] + along, start[1] + swing)
                )
                if step == 0:
                    path.moveTo(*point)
                else:
                    path.lineTo(*point)
            canvas.drawPath(path, fill=0, stroke=1)
    canvas.setStrokeColor(emblems.FOREST)
    for shift, weight in ((band, 0.6), (-band, 1.4)):
        canvas.setLineWidth(weight)
        canvas.rect(
            corner[0] + shift, corner[1] + shift, wide - 2 * shift, tall - 2 * shift, fill=0, stroke=1
        )
