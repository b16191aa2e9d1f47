"""What the old mailbox of an account is asked, when the account got another one."""

from __future__ import annotations

from typing import Final

ID: Final[dict[str, str]] = {
    "address_heading": "Kembalikan alamat email Anda?",
    "address_text": (
        "Alamat email akun Anda diganti. Bila bukan Anda yang menggantinya, tekan tombol ini. Alamat lama "
        "berlaku lagi, semua perangkat dikeluarkan, dan cara masuk yang dipakai atau ditambahkan orang itu "
        "dihapus."
    ),
    "address_submit": "Bukan saya, kembalikan akun saya",
    "address_it_was": "Memang saya yang mengganti",
    "address_done_heading": "Alamat email Anda berlaku lagi",
}
EN: Final[dict[str, str]] = {
    "address_heading": "Take your email address back?",
    "address_text": (
        "Your account got another email address. If it was not you who changed it, press this button. The "
        "earlier address counts again, every device is logged out, and the ways to log in that they used or "
        "added are removed."
    ),
    "address_submit": "It was not me, give me my account back",
    "address_it_was": "I did change it",
    "address_done_heading": "Your email address counts again",
}
