"""What the auditors' pages say."""

from __future__ import annotations

from typing import Final

from identity.operators.words import role_words
from identity.web.duty_words import with_shared
from identity.web.words import Words

WORDS: Final[Words] = with_shared(
    {
        "id": {
            "back_operators": "Kembali ke daftar petugas",
            "operators_heading": "Pengawasan petugas",
            "operators_lead": "Siapa memegang tugas apa. Semua perubahan tercatat dalam jejak audit.",
            "proposals_heading": "Perubahan sistem instansi",
            "proposals_text": "Sistem, kunci, dan cakupan yang menunggu persetujuan.",
            "certificates_heading": "Sertifikat",
            "certificates_text": "Apa yang berlaku, apa yang dicabut, dan daftar pencabutan.",
            "custody_heading": "Tindakan atas kunci",
            "custody_text": "Permintaan, siapa menyetujuinya, dan siapa pemegang kunci.",
            "waiting_heading": "Menunggu persetujuan",
            "waiting_none": "Tidak ada yang menunggu.",
            "active_heading": "Berlaku",
            "active_none": "Belum ada petugas.",
            "agency_label": "Instansi",
            "granted_by_label": "Diusulkan oleh",
            "granted_at_label": "Diusulkan",
            "confirmed_at_label": "Disetujui",
            "confirm_text": "Setujui hanya bila Anda tahu bahwa orang ini memang ditugaskan.",
            "turn_down": "Tolak",
            "means": "Yang dapat dilakukan tugas ini",
            **role_words("id"),
            "means_officer": (
                "Memastikan identitas warga, membuka dan memulihkan akun, menjawab permintaan data."
            ),
            "means_agency_administrator": "Mendaftarkan sistem instansi dan mengusulkan penanda tangan.",
            "means_key_custodian": "Menyetujui pembuatan, penggantian, dan pemusnahan kunci.",
            "means_ca_administrator": "Menerbitkan dan mencabut sertifikat.",
            "means_auditor": "Melihat semua tindakan petugas dan menyetujui tugas. Tidak ada yang lain.",
            "means_help_desk": "Membekukan akun dan membukanya lagi.",
            "means_signatory": "Menerbitkan dokumen atas nama instansi dengan akunnya sendiri.",
        },
        "en": {
            "back_operators": "Back to the operators",
            "operators_heading": "Oversight of operators",
            "operators_lead": "Who holds which role. Every change stands in the audit trail.",
            "proposals_heading": "Changes to agencies' systems",
            "proposals_text": "Systems, keys and scopes that wait for a confirmation.",
            "certificates_heading": "Certificates",
            "certificates_text": "What is valid, what was revoked, and the revocation lists.",
            "custody_heading": "Acts on keys",
            "custody_text": "Requests, who approved them, and who the custodians are.",
            "waiting_heading": "Waiting for a confirmation",
            "waiting_none": "Nothing is waiting.",
            "active_heading": "In force",
            "active_none": "There are no operators yet.",
            "agency_label": "Agency",
            "granted_by_label": "Proposed by",
            "granted_at_label": "Proposed",
            "confirmed_at_label": "Confirmed",
            "confirm_text": "Confirm only if you know that this person was given this duty.",
            "turn_down": "Turn down",
            "means": "What this role can do",
            **role_words("en"),
            "means_officer": (
                "Checks who citizens are, opens and restores accounts, answers requests about data."
            ),
            "means_agency_administrator": "Registers the agency's systems and proposes its signatories.",
            "means_key_custodian": "Approves that keys are made, replaced and destroyed.",
            "means_ca_administrator": "Issues and revokes certificates.",
            "means_auditor": "Sees everything that operators do and confirms roles. Nothing else.",
            "means_help_desk": "Suspends accounts and opens them again.",
            "means_signatory": "Issues documents for the agency with their own account.",
        },
    }
)
