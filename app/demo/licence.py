"""Nomor Induk Berusaha: the identification number of a business, with the activities it covers."""

from __future__ import annotations

from datetime import date

from app.demo.model import SampleDocument
from app.demo.offices import LICENSING, LICENSING_OFFICE
from app.demo.sheet import PORTRAIT, SANS, SANS_BOLD, SOFT, Sheet
from signing.model import Holder, HolderKind

NUMBER = "9900260411207"
HOLDER = "PT Kopi Lereng Permata"


def business_licence() -> SampleDocument:
    title = "Nomor Induk Berusaha"
    sheet = Sheet(PORTRAIT, title=f"{title} {NUMBER}", author=LICENSING.name)
    y = sheet.letterhead(LICENSING_OFFICE, font=SANS)
    middle = sheet.width / 2
    sheet.text(
        middle, y - 30, "PERIZINAN BERUSAHA BERBASIS RISIKO", font=SANS, size=10, colour=SOFT, align="centre"
    )
    sheet.text(middle, y - 50, "NOMOR INDUK BERUSAHA", font=SANS_BOLD, size=16, align="centre", spacing=0.4)
    sheet.text(middle, y - 74, " ".join(NUMBER), font=SANS_BOLD, size=15, align="centre", spacing=0.8)
    y = sheet.paragraph(
        sheet.left,
        y - 92,
        sheet.measure,
        "Berdasarkan ketentuan peraturan perundang-undangan di bidang perizinan berusaha, Pemerintah "
        "Kabupaten Nusa Permata menerbitkan Nomor Induk Berusaha (NIB) kepada:",
        font=SANS,
        size=9,
        leading=13.5,
    )
    y = sheet.pairs(
        sheet.left,
        y - 11,
        [
            ("Nama pelaku usaha", f"<b>{HOLDER}</b>"),
            ("Bentuk usaha", "Perseroan terbatas, modal dalam negeri"),
            (
                "Alamat kantor",
                "Jalan Lereng Kopi Nomor 8, Desa Sumber Permata, Kecamatan Lereng Utara",
            ),
            ("NPWP", "99.071.442.6-971.000"),
            ("Penanggung jawab", "Ratna Sekar Pertiwi, Direktur Utama"),
            ("Skala usaha", "Usaha menengah"),
            ("Tanggal terbit", "11 April 2026"),
            ("Masa berlaku", "Selama pelaku usaha menjalankan kegiatannya"),
        ],
        label=128,
        width=sheet.measure,
        font=SANS,
        size=9,
    )
    y = sheet.paragraph(
        sheet.left, y - 6, sheet.measure, "Kegiatan usaha yang dicakup", font=SANS_BOLD, size=9.4
    )
    y = sheet.table(
        y - 5,
        [26, 52, 190, 78, sheet.measure - 346],
        ["No.", "KBLI", "Judul kegiatan", "Tingkat risiko", "Perizinan yang terbit"],
        [
            ["1", "10761", "Industri pengolahan kopi", "Menengah rendah", "NIB dan sertifikat standar"],
            ["2", "56303", "Rumah minum dan kafe", "Rendah", "NIB"],
            ["3", "46314", "Perdagangan besar kopi, teh dan kakao", "Rendah", "NIB"],
        ],
        align=["centre", "centre", "left", "left", "left"],
    )
    y = sheet.paragraph(
        sheet.left,
        y - 10,
        sheet.measure,
        "NIB berlaku sebagai identitas pelaku usaha, angka pengenal dan hak akses kepabeanan selama pelaku "
        "usaha menjalankan kegiatannya. Pelaku usaha wajib memenuhi standar kegiatan usaha dan menyampaikan "
        "laporan berkala sesuai ketentuan.",
        font=SANS,
        size=8,
        leading=12,
        colour=SOFT,
    )
    place = sheet.signature(
        y - 34,
        ["Diterbitkan di Permata Raya, 11 April 2026", "<b>Kepala Dinas Penanaman Modal dan PTSP</b>"],
        "Raras Widyaningtyas",
        "Pembina Utama Muda · NIP 19790412 200501 2 999",
        font=SANS,
    )
    sheet.footer("Halaman 1 dari 1")
    return SampleDocument(
        slug="business-licence",
        pdf=sheet.finish(),
        agency=LICENSING.slug,
        type="business_licence",
        number=NUMBER,
        title=title,
        signatory="Kepala Dinas Penanaman Modal dan PTSP",
        issued_on=date(2026, 4, 11),
        valid_until=None,
        holder=Holder(HOLDER, HolderKind.ORGANISATION),
        place=place,
    )
