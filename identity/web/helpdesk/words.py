"""What the help desk's pages say."""

from __future__ import annotations

from typing import Final

from identity.web.duty_words import with_shared
from identity.web.words import Words

WORDS: Final[Words] = with_shared(
    {
        "id": {
            "back_help_desk": "Kembali ke bantuan",
            "help_desk_heading": "Bantuan",
            "help_desk_lead": (
                "Cari akun orang yang menghubungi Anda. Jangan pernah meminta kata sandi atau kodenya."
            ),
            "person_heading": "Akun warga",
            "factors_label": "Cara masuk",
            "factor_password": "kata sandi",
            "factor_totp": "aplikasi autentikator",
            "factor_passkey": "kunci sandi",
            "factor_recovery_code": "kode cadangan",
            "sessions_label": "Perangkat yang masuk",
            "recovery_label": "Pemulihan dimulai",
            "end_heading": "Keluarkan semua perangkat",
            "end_text": "Atas permintaan pemilik akun, bila ponselnya hilang.",
            "end_submit": "Keluarkan semua",
            "suspend_heading": "Bekukan akun",
            "suspend_text": "Akun langsung tertutup dan semua perangkat dikeluarkan. Pemiliknya diberi tahu.",
            "reason_legend": "Alasan",
            "reason_missing": "Pilih alasannya.",
            "reason_reported": "Pemiliknya melapor bahwa orang lain memakainya",
            "reason_fraud": "Penipuan",
            "reason_deceased": "Pemiliknya meninggal",
            "reason_by_order": "Perintah pengadilan atau pejabat berwenang",
            "suspend_submit": "Bekukan",
            "resume_heading": "Buka akun lagi",
            "resume_text": "Pemiliknya masuk lagi dengan cara yang sama seperti dahulu.",
            "resume_submit": "Buka lagi",
            "state_forbids": "Status akun sudah berubah. Lihat lagi.",
        },
        "en": {
            "back_help_desk": "Back to the help desk",
            "help_desk_heading": "Help desk",
            "help_desk_lead": "Find the account of whoever contacts you. Never ask for a password or a code.",
            "person_heading": "A citizen's account",
            "factors_label": "Ways to log in",
            "factor_password": "password",
            "factor_totp": "authenticator app",
            "factor_passkey": "passkey",
            "factor_recovery_code": "recovery codes",
            "sessions_label": "Devices logged in",
            "recovery_label": "Recovery begun",
            "end_heading": "Log out all devices",
            "end_text": "At the word of the account's holder, when a phone is lost.",
            "end_submit": "Log all out",
            "suspend_heading": "Suspend the account",
            "suspend_text": "The account closes at once and all devices are logged out. Its holder is told.",
            "reason_legend": "Reason",
            "reason_missing": "Choose the reason.",
            "reason_reported": "The holder reports that others use it",
            "reason_fraud": "Fraud",
            "reason_deceased": "The holder has died",
            "reason_by_order": "Order of a court or an authority",
            "suspend_submit": "Suspend",
            "resume_heading": "Open the account again",
            "resume_text": "The holder logs in again in the same way as before.",
            "resume_submit": "Open again",
            "state_forbids": "The state of the account has changed. Look again.",
        },
    }
)
