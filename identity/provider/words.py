"""What people read when a portal asks for them, in both languages."""

from __future__ import annotations

from typing import Final

from identity.web.words import Words

WORDS: Final[Words] = {
    "id": {
        "consent_heading": "Bagikan data ke {portal}?",
        "consent_lead": "{portal} milik {agency} meminta data Anda. Pilih sendiri: izinkan atau tolak.",
        "consent_account": "Anda masuk sebagai",
        "consent_shared": "Yang akan dilihat portal ini",
        "consent_not_shared": "Kata sandi, kode, dan data Anda yang lain tidak pernah dilihat portal ini.",
        "consent_withdraw": "Izin dapat Anda cabut kapan saja di halaman akun.",
        "consent_agree": "Izinkan dan lanjut",
        "consent_decline": "Tolak",
        "consent_other": "Bukan Anda? Masuk dengan akun lain",
        "scope_openid": "Bahwa Anda yang masuk, dengan nomor yang hanya berlaku untuk portal ini",
        "scope_profile": "Nama lengkap",
        "scope_email": "Alamat email",
        "scope_birthdate": "Tanggal lahir",
        "scope_nik": "NIK Anda",
        "scope_offline_access": "Boleh terus memperbarui data ini saat Anda tidak sedang membuka portal",
        "scope_keys": "Melihat permintaan tentang kunci layanan, dan menyampaikan keputusan Anda",
        "scope_certificates": "Melihat sertifikat layanan, dan menahan atau mencabutnya atas nama Anda",
        "scope_documents": "Boleh menerbitkan dan mengelola dokumen instansi dengan wewenang Anda",
        "scope_unknown_value": "belum tercatat",
        "untrusted_heading": "Tautan masuk ini tidak dapat dipakai",
        "untrusted_text": (
            "Permintaan itu tidak lengkap, sudah terlalu lama, atau bukan dari portal yang terdaftar. "
            "Tidak ada data Anda yang dikirim."
        ),
        "untrusted_step_1": "Tutup halaman ini, buka lagi portal instansi dari alamat resminya.",
        "untrusted_step_2": "Tekan tombol masuk di sana sekali lagi.",
        "forward_heading": "Kembali ke portal",
        "forward_text": "Tekan tombol ini bila halaman tidak berpindah sendiri.",
        "forward_submit": "Lanjut ke {portal}",
        "leave_heading": "Keluar dari semua layanan?",
        "leave_text": "Sebuah portal meminta Anda keluar: di sini, dan di portal lain yang terbuka.",
        "leave_submit": "Keluar",
        "leave_stay": "Tetap masuk",
        "left_heading": "Anda sudah keluar",
        "left_text": "Anda sudah keluar di sini. Portal yang tadi Anda buka diberi tahu.",
    },
    "en": {
        "consent_heading": "Share your data with {portal}?",
        "consent_lead": "{portal}, run by {agency}, asks for your data. You decide: allow it or decline.",
        "consent_account": "You are logged in as",
        "consent_shared": "What this portal will see",
        "consent_not_shared": "Your password, your codes and your other data are never seen by this portal.",
        "consent_withdraw": "You can take your permission back at any time on your account page.",
        "consent_agree": "Allow and continue",
        "consent_decline": "Decline",
        "consent_other": "Not you? Log in with another account",
        "scope_openid": "That it is you who logs in, by a number that is for this portal alone",
        "scope_profile": "Your full name",
        "scope_email": "Your email address",
        "scope_birthdate": "Your date of birth",
        "scope_nik": "Your resident number (NIK)",
        "scope_offline_access": "It may go on refreshing this while you do not have the portal open",
        "scope_certificates": "It may see the service's certificates, and hold or revoke them in your name",
        "scope_keys": "It may see requests about the service's keys, and hand in your decisions",
        "scope_documents": "It may issue or manage documents for the agency, with your authority",
        "scope_unknown_value": "not on record yet",
        "untrusted_heading": "This login link cannot be used",
        "untrusted_text": (
            "The request from that site is incomplete, too old, or not from a registered portal. "
            "None of your data was sent."
        ),
        "untrusted_step_1": "Close this page and open the agency's portal again at its official address.",
        "untrusted_step_2": "Press its login button once more.",
        "forward_heading": "Back to the portal",
        "forward_text": "Press this button if the page does not go on by itself.",
        "forward_submit": "Continue to {portal}",
        "leave_heading": "Log out everywhere?",
        "leave_text": "A portal asks to log you out. You will be logged out here and at other open portals.",
        "leave_submit": "Log out",
        "leave_stay": "Stay logged in",
        "left_heading": "You are logged out",
        "left_text": "You are logged out here. The portals that you had open are told.",
    },
}
