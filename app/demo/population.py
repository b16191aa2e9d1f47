"""Population documents: an extract of a family card, and an extract of a birth record."""

from __future__ import annotations

from datetime import date

from app.demo import emblems
from app.demo.model import SampleDocument
from app.demo.offices import CIVIL_REGISTRY, CIVIL_REGISTRY_OFFICE
from app.demo.sheet import (
    HAIR,
    LANDSCAPE,
    PORTRAIT,
    SANS,
    SANS_BOLD,
    SERIF,
    SERIF_BOLD,
    SERIF_ITALIC,
    SOFT,
    Sheet,
)
from signing.model import Holder

SIGNATORY = "Kepala Dinas Kependudukan dan Pencatatan Sipil"
HEAD = "Bima Arkatama Nugroho"
CHILD = "Kirana Embun Arkatama"


def family_card() -> SampleDocument:
    number = "9971030203210004"
    extract = "470/0318/PKK/2026"
    title = "Kartu Keluarga (petikan)"
    sheet = Sheet(LANDSCAPE, title=f"{title} {number}", author=CIVIL_REGISTRY.name, margin=40)
    top = sheet.height - 34
    emblems.regency(sheet.canvas, sheet.left, top - 56, 58)
    middle = sheet.width / 2
    sheet.text(middle, top - 18, "KARTU KELUARGA", font=SANS_BOLD, size=21, align="centre", spacing=1.6)
    sheet.text(middle, top - 39, f"No. {number}", font=SANS_BOLD, size=13, align="centre", spacing=1)
    sheet.text(
        middle, top - 54, "PETIKAN · EXTRACT", font=SANS, size=7.5, colour=SOFT, align="centre", spacing=1
    )
    for line, words in enumerate(("Pemerintah", "Kabupaten", "Nusa Permata")):
        sheet.text(sheet.left + 58, top - 19 - line * 13, words, font=SANS_BOLD, size=9)
    half = sheet.measure / 2 - 12
    left = sheet.pairs(
        sheet.left,
        top - 72,
        [
            ("Nama kepala keluarga", f"<b>{HEAD.upper()}</b>"),
            ("Alamat", "Jalan Camar Laut Nomor 19, RT 003 / RW 005"),
            ("Desa", "Teluk Permata"),
        ],
        label=112,
        width=half,
        font=SANS,
        size=8.4,
        gap=3,
    )
    sheet.pairs(
        sheet.left + half + 24,
        top - 72,
        [
            ("Kecamatan", "Pesisir Timur"),
            ("Kabupaten, kode pos", "Nusa Permata, 99712"),
            ("Provinsi", "Tirta Kencana"),
        ],
        label=112,
        width=half,
        font=SANS,
        size=8.4,
        gap=3,
    )
    mothers = ("Sulastri Anggraini", "Wahyuni Kusumastuti")
    fathers = ("Arya Nugroho", "Hendrawan Pertiwi")
    y = sheet.table(
        left - 7,
        [24, 142, 104, 62, 122, 56, 78, 84, sheet.measure - 672],
        [
            "No.",
            "Nama lengkap",
            "NIK",
            "Jenis kelamin",
            "Tempat, tanggal lahir",
            "Agama",
            "Pendidikan",
            "Pekerjaan",
            "Golongan darah",
        ],
        [
            ["1", HEAD.upper(), "9971031208880001", "Laki-laki", "Permata Raya, 12-08-1988",
             "Islam", "Strata I", "Guru", "O"],
            ["2", "LARAS PERTIWI", "9971036302910002", "Perempuan", "Kencana, 23-02-1991",
             "Islam", "Strata I", "Bidan", "A"],
            ["3", CHILD.upper(), "9971035403260001", "Perempuan", "Permata Raya, 14-03-2026",
             "Islam", "Belum sekolah", "Belum bekerja", "–"],
        ],
        size=7.6,
        align=["centre", "left", "left", "left", "left", "left", "left", "left", "centre"],
        numbered=True,
    )  # fmt: skip
    y = sheet.table(
        y - 9,
        [24, 104, 96, 128, 92, 159, sheet.measure - 603],
        [
            "No.",
            "Status perkawinan",
            "Tanggal perkawinan",
            "Hubungan dalam keluarga",
            "Kewarganegaraan",
            "Nama ayah",
            "Nama ibu",
        ],
        [
            ["1", "Kawin tercatat", "02-03-2021", "Kepala keluarga", "WNI", fathers[0], mothers[0]],
            ["2", "Kawin tercatat", "02-03-2021", "Istri", "WNI", fathers[1], mothers[1]],
            ["3", "Belum kawin", "–", "Anak", "WNI", HEAD, "Laras Pertiwi"],
        ],
        size=7.6,
        align=["centre", "left", "left", "left", "left", "left", "left"],
        numbered=True,
    )
    foot = y - 14
    sheet.text(sheet.left, foot - 8, "Kepala keluarga", font=SANS, size=8.6)
    sheet.text(sheet.left, foot - 92, HEAD.upper(), font=SANS_BOLD, size=8.8)
    sheet.rule(foot - 96, x0=sheet.left, x1=sheet.left + 140, weight=0.5)
    sheet.paragraph(
        sheet.left,
        foot - 106,
        270,
        "Petikan memuat anggota keluarga yang tercatat pada tanggal terbit. Perubahan susunan keluarga wajib "
        "dilaporkan paling lambat 30 hari.",
        font=SANS,
        size=7,
        leading=10,
        colour=SOFT,
    )
    place = sheet.signature(
        foot,
        ["Dikeluarkan di Permata Raya, 20 Maret 2026", f"<b>{SIGNATORY}</b>"],
        "Dharma Satyawirawan",
        "Pembina Tingkat I · NIP 19810930 200604 1 999",
        font=SANS,
        width=300,
    )
    sheet.footer(f"Petikan {extract} · F-1.99 contoh · Halaman 1 dari 1")
    return SampleDocument(
        slug="family-card",
        pdf=sheet.finish(),
        agency=CIVIL_REGISTRY.slug,
        type="family_card",
        number=extract,  # the extract's own; a family card's number is personal data and never public
        title=title,
        signatory=SIGNATORY,
        issued_on=date(2026, 3, 20),
        valid_until=None,
        holder=Holder(HEAD),
        place=place,
    )


def birth_certificate() -> SampleDocument:
    number = "9971-LU-20032026-0007"
    title = "Kutipan Akta Kelahiran"
    sheet = Sheet(PORTRAIT, title=f"{title} {number}", author=CIVIL_REGISTRY.name, margin=74)
    _frame(sheet)
    y = sheet.letterhead(CIVIL_REGISTRY_OFFICE, top=sheet.height - 62)
    middle = sheet.width / 2
    sheet.text(
        middle, y - 32, "PENCATATAN SIPIL · WARGA NEGARA INDONESIA", size=9.5, colour=SOFT, align="centre"
    )
    sheet.text(middle, y - 58, "KUTIPAN AKTA KELAHIRAN", font=SERIF_BOLD, size=19, align="centre", spacing=1)
    sheet.text(
        middle, y - 75, "Extract of a Birth Record", font=SERIF_ITALIC, size=11, colour=SOFT, align="centre"
    )

    def said(y: float, words: str) -> float:
        return sheet.paragraph(sheet.left, y, sheet.measure, words, size=11.5, leading=18, align="centre")

    y = said(y - 112, f"Berdasarkan Akta Kelahiran Nomor <b>{number}</b>,")
    y = said(y, "bahwa di <b>Permata Raya</b> pada tanggal <b>empat belas Maret</b>")
    y = said(y, "tahun <b>dua ribu dua puluh enam</b>, pukul 05.42, telah lahir")
    sheet.text(middle, y - 36, CHILD.upper(), font=SERIF_BOLD, size=17, align="centre", spacing=0.8)
    sheet.rule(y - 43, x0=middle - 150, x1=middle + 150, weight=0.5, colour=HAIR)
    y = said(y - 56, "anak ke-<b>1</b>, <b>perempuan</b>, dari suami istri")
    y = said(y, f"<b>{HEAD}</b> dan <b>Laras Pertiwi</b>,")
    y = said(y, "penduduk Kabupaten Nusa Permata, NIK anak <b>9971035403260001</b>.")
    y = sheet.paragraph(
        sheet.left,
        y - 20,
        sheet.measure,
        "Kutipan ini dikeluarkan sesuai dengan Undang-Undang Nomor 23 Tahun 2006 tentang Administrasi "
        "Kependudukan sebagaimana telah diubah dengan Undang-Undang Nomor 24 Tahun 2013.",
        size=9.5,
        leading=13.5,
        align="centre",
        colour=SOFT,
    )
    place = sheet.signature(
        y - 44,
        [
            "Permata Raya, dua puluh Maret dua ribu dua puluh enam",
            "Pejabat Pencatatan Sipil<br/><b>Kepala Dinas Kependudukan dan Pencatatan Sipil</b>",
        ],
        "Dharma Satyawirawan",
        "NIP 19810930 200604 1 999",
        font=SERIF,
    )
    sheet.footer(f"Akta {number}")
    return SampleDocument(
        slug="birth-certificate",
        pdf=sheet.finish(),
        agency=CIVIL_REGISTRY.slug,
        type="birth_certificate",
        number=number,
        title=title,
        signatory=SIGNATORY,
        issued_on=date(2026, 3, 20),
        valid_until=None,
        holder=Holder(CHILD),
        place=place,
    )


def _frame(sheet: Sheet) -> None:
    """The border of a record: two lines and a lozenge at each corner."""
    canvas = sheet.canvas
    canvas.setStrokeColor(emblems.DEEP)
    for inset, weight in ((54.0, 1.6), (58.0, 0.5)):
        canvas.setLineWidth(weight)
        canvas.rect(
            inset - 20, inset, sheet.width - 2 * inset + 40, sheet.height - 2 * inset + 22, fill=0, stroke=1
        )
    canvas.setFillColor(emblems.GOLD)
    for x in (34.0, sheet.width - 34):
        for y in (54.0, sheet.height - 32):
            path = canvas.beginPath()
            path.moveTo(x - 6, y)
            path.lineTo(x, y + 6)
            path.lineTo(x + 6, y)
            path.lineTo(x, y - 6)
            path.close()
            canvas.drawPath(path, fill=1, stroke=0)
