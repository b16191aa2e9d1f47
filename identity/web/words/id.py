"""Bahasa Indonesia."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    # The frame
    "site_name": "Absah",
    "site_claim": "Akun Anda",
    "skip": "Langsung ke isi",
    "language_switch": "English",
    "language_switch_label": "Switch to English",
    "nav_account": "Akun saya",
    "footer": "Petugas tidak pernah meminta kata sandi atau kode Anda.",
    "footer_privacy": "Kami tidak memasang pelacak.",
    "for_portal": "Untuk masuk ke",
    "optional": "(boleh dikosongkan)",
    "error_title": "Kesalahan: {title}",
    "problems_heading": "Ada yang perlu diperbaiki",
    # What can go wrong on any page
    "problem_text": "Tidak ada yang berubah pada akun Anda. Coba lagi beberapa saat lagi.",
    "problem_incident": "Bila tetap gagal, sebutkan nomor ini kepada petugas:",
    "problem_home": "Kembali ke awal",
    "page_unknown_heading": "Halaman ini tidak ada",
    "refused_heading": "Formulir tidak diterima",
    "unreadable_heading": "Formulir tidak terbaca",
    "refused_text": "Demi keamanan, isian Anda tidak kami proses. Penyebabnya mungkin:",
    "refused_old": "halaman sudah terlalu lama terbuka, atau Anda sudah masuk di tab lain;",
    "refused_cookies": "peramban Anda menolak kuki (cookie);",
    "refused_address": "alamatnya bukan alamat resmi. Alamat resmi:",
    "refused_again": "Buka halaman lagi",
}
