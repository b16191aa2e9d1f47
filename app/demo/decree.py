"""A regent's decree on folio paper: considerations, legal basis, ruling, and two annexes."""

from __future__ import annotations

from datetime import date

from app.demo import emblems
from app.demo.model import SampleDocument
from app.demo.offices import SECRETARIAT
from app.demo.sheet import FOLIO, SANS, SERIF, SERIF_BOLD, SOFT, Sheet
from signing.model import StampPlace

NUMBER = "188.45/214/KEP/2026"
TITLE = "Penetapan Kawasan Pasar Rakyat Laut Biru dan Tim Penataan Kawasan"

_CONSIDERING = (
    "bahwa pasar rakyat merupakan ruang ekonomi dan ruang pertemuan warga pesisir yang perlu ditata "
    "agar aman, bersih, mudah dicapai dan tetap terjangkau bagi pedagang kecil;",
    "bahwa hasil musyawarah warga Desa Teluk Permata, Desa Sumber Permata dan Kelurahan Mercusuar "
    "pada tanggal 9 Februari 2026 menyepakati lokasi, batas dan tahapan penataan Pasar Rakyat Laut "
    "Biru;",
    "bahwa berdasarkan pertimbangan sebagaimana dimaksud dalam huruf a dan huruf b, perlu menetapkan "
    "Keputusan Bupati tentang Penetapan Kawasan Pasar Rakyat Laut Biru dan Tim Penataan Kawasan;",
)
_IN_VIEW_OF = (
    "Undang-Undang Nomor 7 Tahun 2014 tentang Perdagangan;",
    "Undang-Undang Nomor 23 Tahun 2014 tentang Pemerintahan Daerah, sebagaimana telah beberapa kali diubah;",
    "Undang-Undang Nomor 30 Tahun 2014 tentang Administrasi Pemerintahan, sebagaimana telah diubah;",
    "Peraturan Daerah Kabupaten Nusa Permata Nomor 4 Tahun 2022 tentang Rencana Tata Ruang Wilayah "
    "Kabupaten Nusa Permata Tahun 2022–2042;",
    "Peraturan Daerah Kabupaten Nusa Permata Nomor 11 Tahun 2024 tentang Penataan dan Pembinaan Pasar"
    " Rakyat;",
)
_RULINGS = (
    (
        "KESATU",
        "Menetapkan kawasan seluas 3,82 hektare di Jalan Pelabuhan Lama, Kecamatan Pesisir Timur, "
        "sebagai Kawasan Pasar Rakyat Laut Biru dengan batas dan pembagian blok sebagaimana tercantum"
        " dalam Lampiran I.",
    ),
    (
        "KEDUA",
        "Membentuk Tim Penataan Kawasan Pasar Rakyat Laut Biru dengan susunan keanggotaan sebagaimana"
        " tercantum dalam Lampiran II.",
    ),
    (
        "KETIGA",
        "Tim sebagaimana dimaksud dalam Diktum KEDUA bertugas: menyusun rencana teknis; mendata "
        "pedagang secara terbuka; memindahkan pedagang secara bertahap tanpa pungutan; dan "
        "menyampaikan laporan kemajuan setiap tiga bulan kepada Bupati serta mengumumkannya kepada "
        "warga.",
    ),
    (
        "KEEMPAT",
        "Pedagang yang terdata pada tanggal 9 Februari 2026 memperoleh hak utama atas tempat usaha di"
        " kawasan dan dibebaskan dari retribusi selama enam bulan pertama.",
    ),
    (
        "KELIMA",
        "Tempat usaha di kawasan tidak dapat dipindahtangankan, disewakan kembali atau dijaminkan. "
        "Tempat usaha yang tidak digunakan selama sembilan puluh hari berturut-turut kembali kepada "
        "Pemerintah Kabupaten.",
    ),
    (
        "KEENAM",
        "Segala biaya yang timbul sebagai akibat ditetapkannya Keputusan ini dibebankan pada Anggaran"
        " Pendapatan dan Belanja Daerah Kabupaten Nusa Permata serta sumber lain yang sah dan tidak "
        "mengikat.",
    ),
    (
        "KETUJUH",
        "Keputusan ini mulai berlaku pada tanggal ditetapkan, dengan ketentuan apabila di kemudian "
        "hari terdapat kekeliruan akan diadakan perbaikan sebagaimana mestinya.",
    ),
)
_BLOCKS = (
    ["A", "Hasil laut", "96", "1.240", "Los terbuka, lantai miring, air bersih tiap empat los"],
    ["B", "Sayur, buah dan bumbu", "128", "1.610", "Los beratap, jalur gerobak 2,4 m"],
    ["C", "Kuliner pesisir", "48", "980", "Dapur bersama, pengolah limbah lemak"],
    ["D", "Sandang dan kerajinan", "72", "1.150", "Kios berpintu, jendela pamer"],
    ["E", "Layanan warga", "12", "260", "Pos kesehatan, ruang laktasi, musala, anjungan layanan mandiri"],
    ["F", "Taman dan pelataran", "–", "3.400", "Panggung terbuka, pohon peneduh, parkir sepeda"],
)
_TEAM = (
    ["1", "Sekretaris Daerah", "Pengarah"],
    ["2", "Kepala Dinas Perdagangan dan Koperasi", "Ketua"],
    ["3", "Kepala Dinas Pekerjaan Umum dan Tata Ruang", "Wakil ketua"],
    ["4", "Kepala Bagian Perekonomian Sekretariat Daerah", "Sekretaris"],
    ["5", "Camat Pesisir Timur", "Anggota"],
    ["6", "Kepala Desa Teluk Permata", "Anggota"],
    ["7", "Lurah Mercusuar", "Anggota"],
    ["8", "Ketua Paguyuban Pedagang Laut Biru", "Anggota"],
    ["9", "Wakil penyandang disabilitas Forum Inklusi Permata", "Anggota"],
)

_LABEL = 84.0
_COLON = 14.0
_MARK = 18.0
_LOWEST = 78.0


class _Decree:
    """Runs the text over the pages; keeps a provision whole."""

    def __init__(self) -> None:
        self.sheet = Sheet(FOLIO, title=f"Keputusan Bupati {NUMBER}", author=SECRETARIAT.name, margin=70)
        self.y = self.sheet.height - 50

    def heading(self, *lines: str, size: float = 11.5, gap: float = 16) -> None:
        for line in lines:
            self.sheet.text(self.sheet.width / 2, self.y, line, size=size, align="centre")
            self.y -= gap

    def provision(self, label: str, mark: str, words: str, *, align: str = "justify") -> None:
        """``label : mark words``; label and mark may be empty."""
        indent = _LABEL + _COLON + (_MARK if mark else 0)
        width = self.sheet.measure - indent
        height = self.sheet.height_of(width, words, size=11, leading=15.4, align=align)
        if self.y - height < _LOWEST:
            self.turn()
        if label:
            self.sheet.text(self.sheet.left, self.y - 11, label, size=11)
            self.sheet.text(self.sheet.left + _LABEL, self.y - 11, ":", size=11)
        if mark:
            self.sheet.text(self.sheet.left + _LABEL + _COLON, self.y - 11, mark, size=11)
        self.y = self.sheet.paragraph(
            self.sheet.left + indent, self.y, width, words, size=11, leading=15.4, align=align
        )
        self.y -= 5

    def turn(self) -> None:
        """The next page, with its number on top."""
        self.sheet.footer(f"Keputusan Bupati Nusa Permata Nomor {NUMBER}")
        self.sheet.next_page()
        self.y = self.sheet.height - 52
        self.heading(f"- {self.sheet.page} -", size=10.5, gap=26)

    def annex(self, numeral: str, title: str) -> None:
        self.turn()
        x = self.sheet.left + 210
        words = (
            f"LAMPIRAN {numeral}<br/>KEPUTUSAN BUPATI NUSA PERMATA<br/>NOMOR {NUMBER}<br/>"
            "TENTANG PENETAPAN KAWASAN PASAR RAKYAT LAUT BIRU DAN TIM PENATAAN KAWASAN"
        )
        self.y = self.sheet.paragraph(x, self.y, self.sheet.right - x, words, size=9.4, leading=13) - 32
        self.sheet.text(self.sheet.width / 2, self.y, title, font=SERIF_BOLD, size=12, align="centre")
        self.y -= 18


def decree() -> SampleDocument:
    run = _Decree()
    sheet = run.sheet
    emblems.regency(sheet.canvas, sheet.width / 2 - emblems.width_of_regency(74) / 2, run.y - 66, 74)
    run.y -= 88
    run.heading("BUPATI NUSA PERMATA", "PROVINSI TIRTA KENCANA", size=12.5, gap=17)
    run.y -= 8
    run.heading("KEPUTUSAN BUPATI NUSA PERMATA", f"NOMOR {NUMBER}")
    run.y -= 4
    run.heading("TENTANG")
    run.y -= 4
    run.heading("PENETAPAN KAWASAN PASAR RAKYAT LAUT BIRU", "DAN TIM PENATAAN KAWASAN")
    run.y -= 6
    run.heading("BUPATI NUSA PERMATA,")
    run.y -= 4
    for number, words in enumerate(_CONSIDERING):
        run.provision("Menimbang" if number == 0 else "", f"{'abc'[number]}.", words)
    for number, words in enumerate(_IN_VIEW_OF, start=1):
        run.provision("Mengingat" if number == 1 else "", f"{number}.", words)
    run.y -= 14
    run.heading("MEMUTUSKAN:", gap=10)
    run.provision(
        "Menetapkan",
        "",
        "KEPUTUSAN BUPATI TENTANG PENETAPAN KAWASAN PASAR RAKYAT LAUT BIRU DAN TIM PENATAAN KAWASAN.",
        align="left",  # capitals tear apart when they are justified
    )
    for label, words in _RULINGS:
        run.provision(label, "", words)
    place = _signed(run)
    _annexes(run)
    sheet.footer(f"Keputusan Bupati Nusa Permata Nomor {NUMBER}")
    return SampleDocument(
        slug="decree",
        pdf=sheet.finish(),
        agency=SECRETARIAT.slug,
        type="decree",
        number=NUMBER,
        title=TITLE,
        signatory="Bupati Nusa Permata",
        issued_on=date(2026, 6, 2),
        valid_until=None,
        holder=None,
        place=place,
    )


def _signed(run: _Decree) -> StampPlace:
    sheet = run.sheet
    place = sheet.signature(
        run.y - 22,
        ["Ditetapkan di Permata Raya", "pada tanggal 2 Juni 2026", "<b>BUPATI NUSA PERMATA,</b>"],
        "CAKRA ADIWANGSA",
        "",
    )
    y = sheet.paragraph(
        sheet.left,
        place.y - 60,
        sheet.measure,
        "Salinan disampaikan kepada: Gubernur Tirta Kencana; Ketua DPRD Kabupaten Nusa Permata; Inspektur "
        "Kabupaten Nusa Permata; para anggota Tim untuk dilaksanakan.",
        size=9.2,
        leading=13,
        colour=SOFT,
    )
    assert y > _LOWEST, "the signature block has left the page"
    return place


def _annexes(run: _Decree) -> None:
    sheet = run.sheet
    run.annex("I", "PEMBAGIAN BLOK KAWASAN PASAR RAKYAT LAUT BIRU")
    run.y = sheet.table(
        run.y,
        [36, 128, 56, 62, sheet.measure - 282],
        ["Blok", "Peruntukan", "Tempat usaha", "Luas (m²)", "Kelengkapan"],
        _BLOCKS,
        font=SERIF,
        size=9.6,
        align=["centre", "left", "right", "right", "left"],
    )
    run.y = _plan(sheet, run.y - 26)
    run.annex("II", "SUSUNAN TIM PENATAAN KAWASAN")
    run.y = sheet.table(
        run.y,
        [36, sheet.measure - 160, 124],
        ["No.", "Jabatan atau unsur", "Kedudukan dalam tim"],
        _TEAM,
        font=SERIF,
        size=10,
        align=["centre", "left", "left"],
    )


def _plan(sheet: Sheet, top: float) -> float:
    """A sketch of the site: six blocks between the quay and the street."""
    canvas = sheet.canvas
    left, width, height = sheet.left, sheet.measure, 268.0
    bottom = top - height
    canvas.setStrokeColor(emblems.DEEP)
    canvas.setLineWidth(0.9)
    canvas.setFillColor(emblems.SHALLOW)
    canvas.rect(left, top - 44, width, 44, fill=1, stroke=0)
    sheet.text(
        left + width / 2,
        top - 26,
        "T E L U K   P E R M A T A",
        font=SANS,
        size=8,
        colour=emblems.DEEP,
        align="centre",
    )
    canvas.rect(left, bottom, width, height, fill=0, stroke=1)
    sheet.rule(top - 44, weight=1.4, colour=emblems.DEEP)
    sheet.rule(bottom + 30, weight=0.6, colour=emblems.DEEP)
    sheet.text(
        left + width / 2, bottom + 11, "Jalan Pelabuhan Lama", font=SANS, size=8, colour=SOFT, align="centre"
    )
    inner, low, high = width - 32, bottom + 44, top - 58
    canvas.setFillColorRGB(1, 1, 1)
    upper = (high + low) / 2 + 14
    for name, x0, share, y0, y1 in (
        ("A", 0.0, 0.42, upper + 6, high),
        ("B", 0.44, 0.56, upper + 6, high),
        ("C", 0.0, 0.26, low, upper - 6),
        ("D", 0.28, 0.32, low, upper - 6),
        ("E", 0.62, 0.1, low, upper - 6),
        ("F", 0.74, 0.26, low, upper - 6),
    ):
        x = left + 16 + inner * x0
        canvas.setFillColor(emblems.PAPER if name != "F" else emblems.SHALLOW)
        canvas.rect(x, y0, inner * share, y1 - y0, fill=1, stroke=1)
        sheet.text(
            x + inner * share / 2,
            (y0 + y1) / 2 - 5,
            name,
            font=SERIF_BOLD,
            size=15,
            colour=emblems.DEEP,
            align="centre",
        )
    sheet.text(left, bottom - 14, "Gambar 1. Denah blok, tanpa skala.", size=9.4, colour=SOFT)
    return bottom - 14
