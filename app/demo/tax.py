"""Bukti Penerimaan Pajak Daerah: the regency's receipt for a paid property tax."""

from __future__ import annotations

from datetime import date

from app.demo.model import SampleDocument
from app.demo.offices import REVENUE, REVENUE_OFFICE
from app.demo.sheet import HAIR, INK, PORTRAIT, SANS, SANS_BOLD, SOFT, TINT, Sheet
from signing.model import Holder

NUMBER = "BPPD-9971/PBB/2026/004182"
PAYER = "Ratna Sekar Pertiwi"


def tax_receipt() -> SampleDocument:
    title = "Bukti Penerimaan Pajak Daerah"
    sheet = Sheet(PORTRAIT, title=f"{title} {NUMBER}", author=REVENUE.name)
    y = sheet.letterhead(REVENUE_OFFICE, font=SANS)
    sheet.text(sheet.left, y - 32, "BUKTI PENERIMAAN PAJAK DAERAH", font=SANS_BOLD, size=15)
    tax = "Pajak Bumi dan Bangunan Perdesaan dan Perkotaan, tahun pajak 2026"
    sheet.text(sheet.left, y - 48, tax, font=SANS, size=9.2, colour=SOFT)
    sheet.text(sheet.right, y - 32, "LUNAS", font=SANS_BOLD, size=15, align="right", spacing=1.5)
    y = sheet.pairs(
        sheet.left,
        y - 66,
        [
            ("Nomor bukti", f"<b>{NUMBER}</b>"),
            ("Nomor objek pajak", "99.71.030.005.012-0147.0"),
            ("Nama wajib pajak", f"<b>{PAYER}</b>"),
            ("Letak objek pajak", "Jalan Lereng Kopi Nomor 8, Desa Sumber Permata, Kecamatan Lereng Utara"),
            ("Luas bumi, bangunan", "412 m², 186 m²"),
            ("Tanggal bayar", "7 Mei 2026, 10.14 WIB"),
            ("Tempat bayar", "Bank Daerah Nusa Permata, kanal daring"),
            ("Nomor transaksi", "997126050700041827"),
        ],
        label=128,
        width=sheet.measure,
        font=SANS,
        size=9,
    )
    columns = [sheet.measure - 130, 130]
    y = sheet.table(
        y - 8,
        columns,
        ["Uraian", "Jumlah (Rp)"],
        [
            ["Nilai jual objek pajak (bumi dan bangunan)", "683.400.000"],
            ["Nilai jual objek pajak tidak kena pajak", "10.000.000"],
            ["Nilai jual objek pajak untuk penghitungan", "673.400.000"],
            ["Pokok pajak 0,1 %", "673.400"],
            ["Pengurangan pembayaran sebelum jatuh tempo 5 %", "–33.670"],
            ["Denda", "0"],
        ],
        align=["left", "right"],
        size=8.8,
    )
    sheet.canvas.setFillColor(TINT)
    sheet.canvas.setStrokeColor(HAIR)
    sheet.canvas.rect(sheet.left, y - 30, sheet.measure, 30, fill=1, stroke=1)
    sheet.text(sheet.left + 8, y - 19, "Jumlah yang diterima", font=SANS_BOLD, size=10.5)
    sheet.text(sheet.right - 8, y - 19.5, "Rp639.730", font=SANS_BOLD, size=13, align="right", colour=INK)
    y = sheet.paragraph(
        sheet.left,
        y - 40,
        sheet.measure,
        "Terbilang: enam ratus tiga puluh sembilan ribu tujuh ratus tiga puluh rupiah. Simpan bukti ini "
        "sebagai tanda lunas; pembayaran dapat dicocokkan dengan nomor bukti di atas.",
        font=SANS,
        size=8.4,
        leading=12.4,
        colour=SOFT,
    )
    place = sheet.signature(
        y - 22,
        ["Permata Raya, 7 Mei 2026", "<b>Kepala Badan Pendapatan Daerah</b>"],
        "Gading Prawiranegara",
        "Pembina Utama Muda · NIP 19760218 199903 1 999",
        font=SANS,
    )
    sheet.footer("Halaman 1 dari 1")
    return SampleDocument(
        slug="tax-receipt",
        pdf=sheet.finish(),
        agency=REVENUE.slug,
        type="tax_receipt",
        number=NUMBER,
        title=title,
        signatory="Kepala Badan Pendapatan Daerah",
        issued_on=date(2026, 5, 7),
        valid_until=None,
        holder=Holder(PAYER),
        place=place,
    )
