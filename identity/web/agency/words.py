"""What the agency's pages say. Field names of the protocols stay as they are: technicians read this."""

from __future__ import annotations

from typing import Final

from identity.web.duty_words import with_shared
from identity.web.words import Words

WORDS: Final[Words] = with_shared(
    {
        "id": {
            "back_agency": "Kembali ke instansi",
            "agencies_heading": "Instansi saya",
            "clients_heading": "Sistem",
            "clients_none": "Belum ada sistem yang terdaftar.",
            "client_disabled": "dinonaktifkan",
            "client_sandbox": "uji coba",
            "client_secret": "masih memakai rahasia",
            "portals_heading": "Portal",
            "new_client_heading": "Daftarkan sistem",
            "new_client_text": "Dengan kunci publiknya (JWKS).",
            "client_name_label": "Nama sistem",
            "client_name_hint": "Misalnya: aplikasi perizinan.",
            "client_name_wrong": "Tulis nama sistem, paling banyak 80 huruf.",
            "scopes_legend": "Yang boleh dilakukan",
            "may_issue": "Menerbitkan dokumen",
            "types_label": "Hanya jenis ini",
            "types_hint": "Kode dipisahkan spasi, misalnya business_licence. Kosong berarti semua jenis.",
            "may_read": "Membaca dokumen instansi",
            "may_revoke": "Mencabut dan mengganti dokumen",
            "scopes_wrong": "Pilih paling sedikit satu, dan periksa kode jenisnya.",
            "jwks_label": "JWKS (JSON)",
            "jwks_hint": "Hanya kunci publik, masing-masing dengan kid. PS256, ES256, atau EdDSA.",
            "jwks_wrong": "Kunci ini tidak diterima: {reason}",
            "binding_legend": "Token terikat pada",
            "binding_label": "Token terikat pada",
            "binding_dpop": "kunci DPoP (RFC 9449)",
            "binding_mtls": "sertifikat TLS (RFC 8705)",
            "binding_bearer": "tidak terikat",
            "sandbox": "Uji coba: dokumennya contoh dan tidak pernah sah",
            "new_client_submit": "Daftarkan",
            "new_client_waits": (
                "Sistem uji coba langsung berlaku. Sistem lain berlaku setelah disetujui administrator lain "
                "atau pengawas."
            ),
            "proposals_heading": "Menunggu persetujuan",
            "proposals_count": "{count} perubahan sistem.",
            "waiting_label": "Perubahan yang menunggu persetujuan",
            "change_waits_keys": "Kunci baru menunggu persetujuan",
            "change_waits_scopes": "Cakupan lebih luas menunggu persetujuan",
            "waits_until": "Menunggu sampai {moment}",
            "proposal_waits": (
                "Perubahan sejenis untuk sistem ini masih menunggu persetujuan. Tunggu, atau tarik dahulu."
            ),
            "client_shut": "Sistem ini sudah dinonaktifkan. Daftarkan sistem baru.",
            "change_scopes_heading": "Ubah yang boleh dilakukan",
            "change_scopes_text": (
                "Pengurangan berlaku seketika. Penambahan menunggu persetujuan orang kedua, "
                "kecuali untuk sistem uji coba."
            ),
            "change_scopes_submit": "Ubah",
            "replace_waits": "Kunci baru menunggu persetujuan orang kedua.",
            "client_heading": "Sistem ini",
            "client_id_label": "client_id",
            "scopes_label": "Cakupan",
            "since_label": "Sejak",
            "keys_heading": "Kunci yang berlaku",
            "keys_secret": "Sistem ini masih memakai rahasia. Kunci pertama langsung menggantikannya.",
            "keys_none": "Belum ada kunci: sistem ini belum bisa masuk.",
            "key_since": "Sejak {moment}",
            "key_until": "berhenti {moment}",
            "remove_key": "Hentikan",
            "remove_key_label": "Hentikan kunci {name} sekarang",
            "replace_heading": "Ganti kunci",
            "replace_text": "Kunci yang tidak ada dalam daftar baru berlaku sampai masa peralihan habis.",
            "at_once": "Hentikan kunci lama sekarang juga",
            "replace_submit": "Ganti kunci",
            "disable_heading": "Nonaktifkan sistem",
            "disable_text": "Berlaku seketika, juga untuk token yang sudah diberikan. Tidak bisa dibatalkan.",
            "disable_submit": "Nonaktifkan",
            "signatories_heading": "Penanda tangan",
            "signatories_count": "{count} orang, {waiting} menunggu persetujuan.",
            "signatories_lead": "Mereka menerbitkan dokumen atas nama instansi dengan akun mereka sendiri.",
            "signatories_none": "Belum ada penanda tangan.",
            "propose_heading": "Usulkan penanda tangan",
            "propose_text": "Administrator lain atau pengawas harus menyetujuinya.",
            "propose_submit": "Usulkan",
            "signatory_oneself": "Anda tidak dapat mengusulkan diri sendiri.",
            "signatory_held": "Orang ini sudah menjadi penanda tangan, atau sedang menunggu persetujuan.",
            "signatory_not_possible": (
                "Orang ini tidak dapat diusulkan. Akunnya tidak ada, belum dipastikan, atau tertutup, "
                "atau ia memegang tugas lain."
            ),
        },
        "en": {
            "back_agency": "Back to the agency",
            "agencies_heading": "My agencies",
            "clients_heading": "Systems",
            "clients_none": "No system is registered yet.",
            "client_disabled": "disabled",
            "client_sandbox": "sandbox",
            "client_secret": "still uses a secret",
            "portals_heading": "Portals",
            "new_client_heading": "Register a system",
            "new_client_text": "With its public keys (JWKS).",
            "client_name_label": "Name of the system",
            "client_name_hint": "For example: licensing application.",
            "client_name_wrong": "Write the name of the system, at most 80 letters.",
            "scopes_legend": "What it may do",
            "may_issue": "Issue documents",
            "types_label": "These types only",
            "types_hint": "Codes separated by spaces, such as business_licence. Empty means all types.",
            "may_read": "Read the agency's documents",
            "may_revoke": "Revoke and replace documents",
            "scopes_wrong": "Choose at least one, and check the codes of the types.",
            "jwks_label": "JWKS (JSON)",
            "jwks_hint": "Public keys only, each with a kid. PS256, ES256 or EdDSA.",
            "jwks_wrong": "These keys are not accepted: {reason}",
            "binding_legend": "Tokens are bound to",
            "binding_label": "Tokens bound to",
            "binding_dpop": "a DPoP key (RFC 9449)",
            "binding_mtls": "the TLS certificate (RFC 8705)",
            "binding_bearer": "nothing",
            "sandbox": "Sandbox: its documents are samples and never valid",
            "new_client_submit": "Register",
            "new_client_waits": (
                "A sandbox system counts at once. Any other counts once another administrator or an auditor "
                "has confirmed it."
            ),
            "proposals_heading": "Waiting for a confirmation",
            "proposals_count": "{count} changes to systems.",
            "waiting_label": "Changes that wait for a confirmation",
            "change_waits_keys": "New keys wait for a confirmation",
            "change_waits_scopes": "Wider scopes wait for a confirmation",
            "waits_until": "Waits until {moment}",
            "proposal_waits": (
                "A change of this kind waits for this system already. Have it confirmed, or withdraw it."
            ),
            "client_shut": "This system is disabled. Register a new one.",
            "change_scopes_heading": "Change what it may do",
            "change_scopes_text": (
                "Less counts at once. More waits for a second person, except for a sandbox system."
            ),
            "change_scopes_submit": "Change",
            "replace_waits": "New keys wait for a second person.",
            "client_heading": "This system",
            "client_id_label": "client_id",
            "scopes_label": "Scopes",
            "since_label": "Since",
            "keys_heading": "Keys in force",
            "keys_secret": "This system still uses a secret. The first key takes its place at once.",
            "keys_none": "No key yet: this system cannot authenticate.",
            "key_since": "Since {moment}",
            "key_until": "stops {moment}",
            "remove_key": "Stop",
            "remove_key_label": "Stop the key {name} now",
            "replace_heading": "Replace the keys",
            "replace_text": (
                "Keys that the new set leaves out go on until the time to change over has passed."
            ),
            "at_once": "Stop the old keys at once",
            "replace_submit": "Replace the keys",
            "disable_heading": "Disable the system",
            "disable_text": "Takes effect at once, for tokens already handed out too. It cannot be undone.",
            "disable_submit": "Disable",
            "signatories_heading": "Signatories",
            "signatories_count": "{count} people, {waiting} waiting for a confirmation.",
            "signatories_lead": "They issue documents for the agency with their own accounts.",
            "signatories_none": "There are no signatories yet.",
            "propose_heading": "Propose a signatory",
            "propose_text": "Another administrator or an auditor has to confirm it.",
            "propose_submit": "Propose",
            "signatory_oneself": "You cannot propose yourself.",
            "signatory_held": "This person is a signatory already, or waits for a confirmation.",
            "signatory_not_possible": (
                "This person cannot be proposed. There is no such account, nobody has checked it, it is "
                "closed, or they hold another duty."
            ),
        },
    }
)
